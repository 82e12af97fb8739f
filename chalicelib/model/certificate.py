"""The deployment's certificate, by which receivers check the signatures of pushes."""

from dataclasses import field

from chalicelib.model.frozen import frozen

PATH = "/x509_public_certificate.pem"  # where it is served; the file is called so with MNS itself


@frozen
class Certificate:
    """A certificate and its key."""

    key_pem: str = field(repr=False)  # RSA, of PKCS #1 or PKCS #8
    certificate_pem: str  # X.509

"""The certificate of a local server: given in two files, or made when it is first needed."""

import datetime as dt
import functools
from pathlib import Path

from chalicelib.model import certificate
from chalicelib.push import signing
from infra.local import config

_BITS = 1024  # twice what MNS itself was seen to use; each push is signed in Python (docs/adr/0010)
_YEARS = 20


def supply(told: config.LocalConfig) -> certificate.Certificate | None:
    """The certificate that the configuration names; None: it names none.

    Raises:
        config.ConfigError: a file cannot be used.
    """
    if not told.signing_key and not told.signing_certificate:
        return None
    if not told.signing_key or not told.signing_certificate:
        raise config.ConfigError("signing_key and signing_certificate belong together: give both files")
    try:
        given = certificate.Certificate(
            key_pem=Path(told.signing_key).read_text(), certificate_pem=Path(told.signing_certificate).read_text()
        )
        signing.read_key(given.key_pem)
    except (OSError, ValueError) as error:
        raise config.ConfigError(f"the signing key or its certificate cannot be used: {error}") from error
    return given


class _Key:
    """A key whose signatures OpenSSL makes, twenty times as quickly as Python."""

    def __init__(self, pem: str) -> None:
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415  # see `make`
        from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

        key = serialization.load_pem_private_key(pem.encode(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise signing.UnusableKeyError
        self._sign = functools.partial(key.sign, padding=padding.PKCS1v15(), algorithm=hashes.SHA1())  # noqa: S303  # MNS does

    def sign(self, text: bytes) -> bytes:
        """The signature of `text`."""
        return self._sign(text)


def read_key(pem: str) -> signing.Key:
    """What signs with the key in a PEM text; raises signing.UnusableKeyError."""
    try:
        return _Key(pem)
    except ValueError:  # one that OpenSSL finds too short
        return signing.read_key(pem)


def make(bits: int = _BITS) -> certificate.Certificate:
    """A new key of so many bits, and a certificate for it that is signed by itself."""
    # Imported here, for it takes longer than the whole start of the server.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(65_537, bits)  # see above
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "OpenMNS")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365 * _YEARS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.Certificate(
        key_pem=private.decode(), certificate_pem=made.public_bytes(serialization.Encoding.PEM).decode()
    )

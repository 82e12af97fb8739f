"""The signature of pushes, against two libraries that make it too."""

import pytest
from Crypto.Hash import SHA1
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from chalicelib.model import certificate, limits
from chalicelib.push import signing

FORMATS = [serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8]


def pem(key, form):
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize("bits", [1024, 1030, 2048])
@pytest.mark.parametrize("form", FORMATS)
def test_a_signature_is_the_one_that_two_libraries_make(bits, form):
    key = rsa.generate_private_key(65_537, bits)
    text = pem(key, form)
    for message in (b"", b"x" * 1_000, "消息".encode()):
        made = signing.read_key(text).sign(message)
        assert made == key.sign(message, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  # the protocol's
        assert made == pkcs1_15.new(RSA.import_key(text)).sign(SHA1.new(message))


KEY = pem(rsa.generate_private_key(65_537, 1024), FORMATS[1])  # noqa: S505  # for speed


def test_a_key_is_read_when_it_is_first_needed_and_again_when_it_may_have_been_renewed(clock):
    loads = []

    def load():
        loads.append(1)
        return certificate.Certificate(key_pem=KEY, certificate_pem="")

    signer = signing.Signer(load, clock=clock)
    assert loads == []
    assert signer.sign(b"x") == signer.sign(b"x") != signer.sign(b"y")
    assert loads == [1]
    clock.advance(limits.CERTIFICATE_SECONDS)
    signer.sign(b"x")
    assert loads == [1, 1]


def test_without_a_key_nothing_is_signed_until_there_is_one(clock):
    found = iter([None, certificate.Certificate(key_pem=KEY, certificate_pem="")])
    signer = signing.Signer(lambda: next(found), clock=clock)
    with pytest.raises(signing.UnusableKeyError):
        signer.sign(b"x")
    assert len(signer.sign(b"x")) == 128


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        KEY.replace("PRIVATE", "PUBLIC"),
        KEY[:200] + KEY[210:],
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIA=\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_is_no_key_is_refused(text):
    with pytest.raises(signing.UnusableKeyError):
        signing.read_key(text)


def test_a_key_shows_nothing_of_its_secret():
    key = signing.read_key(KEY)
    assert str(key.p) not in repr(key)
    assert "PRIVATE" not in repr(certificate.Certificate(key_pem=KEY, certificate_pem="c"))

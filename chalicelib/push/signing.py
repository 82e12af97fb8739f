"""The signature of pushes: RSA with SHA-1 and PKCS #1 v1.5 padding, as receivers of MNS expect it.

Written out here, for a signature is one modular exponentiation, and the libraries that make it are 16 MB large or no
longer cared for (docs/adr/0010-push-signatures.md). The tests check it with two of them.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import field
from typing import Protocol

from chalicelib.broker import ports
from chalicelib.model import certificate, limits
from chalicelib.model.frozen import frozen

_PEM = re.compile(r"-----BEGIN (?P<kind>[A-Z ]+)-----(?P<text>[A-Za-z0-9+/=\s]+)-----END (?P=kind)-----")
_SHA1_PREFIX = bytes.fromhex("3021300906052b0e03021a05000414")  # DER of DigestInfo up to the digest
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_LONG = 0x80
_FEWEST_BYTES = 64  # of a modulus


class UnusableKeyError(ValueError):
    """The text is no RSA private key in PEM, of PKCS #1 or PKCS #8, without a password."""


@frozen
class PrivateKey:
    """An RSA key."""

    n: int
    e: int
    p: int = field(repr=False)
    q: int = field(repr=False)
    dp: int = field(repr=False)
    dq: int = field(repr=False)
    qinv: int = field(repr=False)

    def sign(self, text: bytes) -> bytes:
        """The signature of `text`; the result is checked, so that a fault never gives away a factor."""
        size = (self.n.bit_length() + 7) // 8
        info = _SHA1_PREFIX + hashlib.sha1(text, usedforsecurity=False).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
        number = int.from_bytes(padded)
        one, other = pow(number, self.dp, self.p), pow(number, self.dq, self.q)
        signature = other + (one - other) * self.qinv % self.p * self.q
        if pow(signature, self.e, self.n) != number:
            raise UnusableKeyError
        return signature.to_bytes(size)


class Key(Protocol):
    """Whatever signs."""

    def sign(self, text: bytes) -> bytes:
        """The signature of `text`."""


class Signer:
    """Signs with the deployment's key, which is read when it is needed, and again now and then: it may be renewed."""

    def __init__(
        self,
        load: Callable[[], certificate.Certificate | None],
        read: "Callable[[str], Key] | None" = None,
        *,
        clock: ports.Clock,
    ) -> None:
        """Set up; `read` makes a key of its PEM text, where another way of signing is at hand than this module's."""
        self._load = load
        self._read = read or read_key
        self._clock = clock
        self._key: Key | None = None
        self._until = 0  # ms, when it is read again

    def sign(self, text: bytes) -> bytes:
        """The signature of `text`.

        Raises:
            UnusableKeyError: there is no key.
        """
        key, now = self._key, self._clock.now()
        if key is None or now >= self._until:
            found = self._load()
            if found is None:
                raise UnusableKeyError("no signing key has been set up")
            key = self._key = self._read(found.key_pem)
            self._until = now + limits.CERTIFICATE_SECONDS * 1000
        return key.sign(text)


def read_key(pem: str) -> PrivateKey:
    """The key in a PEM text; raises UnusableKeyError."""
    found = _PEM.search(pem)
    try:
        if found is None or found["kind"] not in ("RSA PRIVATE KEY", "PRIVATE KEY"):
            raise UnusableKeyError
        der = base64.b64decode("".join(found["text"].split()), validate=True)
        fields = _sequence(der)
        if found["kind"] == "PRIVATE KEY":
            fields = _sequence(fields[2][1])  # version, algorithm, key
        _, n, e, _, p, q, dp, dq, qinv = (int.from_bytes(content) for tag, content in fields[:9] if tag == _INTEGER)
    except (ValueError, IndexError) as error:
        raise UnusableKeyError from error
    if n != p * q or n.bit_length() < _FEWEST_BYTES * 8:
        raise UnusableKeyError
    return PrivateKey(n=n, e=e, p=p, q=q, dp=dp, dq=dq, qinv=qinv)


def _sequence(der: bytes) -> list[tuple[int, bytes]]:
    """The tags and contents in a DER sequence."""
    tag, content, _ = _element(der)
    if tag != _SEQUENCE:
        raise UnusableKeyError
    found: list[tuple[int, bytes]] = []
    while content:
        tag, inner, content = _element(content)
        found.append((tag, inner))
    return found


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """The tag and content of the first element, and what follows it."""
    tag, length, start = der[0], der[1], 2
    if length & _LONG:
        start += length & ~_LONG
        length = int.from_bytes(der[2:start])
    if len(der) < start + length:
        raise UnusableKeyError
    return tag, der[start : start + length], der[start + length :]

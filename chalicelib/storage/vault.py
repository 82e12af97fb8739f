"""The port `Vault` on KMS, and the box that a key of one's own makes.

    0, nonce, AES-GCM                             a local server's, by its key file (infra/local/vault.py)
    1, what KMS encrypted                         short things, such as secrets
    2, length of the data key, it, nonce, AES-GCM by a data key that KMS encrypted: one call for many seals

Secrets are encrypted by KMS itself, so that a function needs no cryptographic library to use them. Data keys need the
package `cryptography`, which is not in the bundle: a deployment that seals messages adds it as a layer.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any

from chalicelib.broker import ports
from chalicelib.model import limits
from chalicelib.storage import errors

_DIRECT, _ENVELOPE = b"\x01", b"\x02"
_NONCE_BYTES = 12
_LENGTH_BYTES = 2
_KEYS_KEPT = 1_024  # data keys of other processes, whose seals are opened here again and again
_CONTEXT = "openmns"  # the name of the context among those of KMS


class Box:
    """What one key seals and opens: AES-256-GCM under a random nonce, bound to the context."""

    def __init__(self, key: bytes, draw: Callable[[int], bytes]) -> None:
        """Set up; `draw` gives random bytes."""
        self._key = key
        self._draw = draw

    @functools.cached_property
    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # see above; and it takes 30 ms

        return AESGCM(self._key)

    def seal(self, plain: bytes, context: str) -> bytes:
        """The nonce, and `plain` encrypted."""
        nonce = self._draw(_NONCE_BYTES)
        return nonce + bytes(self._cipher.encrypt(nonce, plain, context.encode()))

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed; raises ports.SealBroken."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # see above

        try:
            return bytes(self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode()))
        except (InvalidTag, ValueError) as error:  # the latter: it is shorter than a nonce
            raise ports.SealBroken from error


class _DataKey:
    """A data key that this process seals by."""

    def __init__(self, wrapped: bytes, box: Box, until: int) -> None:
        self.wrapped = wrapped
        self.box = box
        self.until = until  # ms
        self.uses = 0


class KmsVault:
    """The port `Vault` on KMS; safe for threads."""

    def __init__(
        self,
        *,
        client: Callable[[], Any],
        key_id: str,
        clock: ports.Clock,
        draw: Callable[[int], bytes],
        direct: int = limits.KMS_PLAIN_BYTES,
    ) -> None:
        """Set up.

        Args:
            client: gives boto3's KMS client, made when it is first needed.
            key_id: the deployment's key, or its alias.
            clock: time.
            draw: gives random bytes.
            direct: what is not longer than this is encrypted by KMS itself; 0: everything by data keys.
        """
        self._client = client
        self._key_id = key_id
        self._clock = clock
        self._draw = draw
        self._direct = direct
        self._lock = threading.Lock()
        self._keys: dict[str, _DataKey] = {}  # by the id of the key that encrypted them
        self._unwrapped = functools.lru_cache(maxsize=_KEYS_KEPT)(self._unwrap)

    def seal(self, plain: bytes, *, context: str, key_id: str = "") -> bytes:
        by = key_id or self._key_id
        if 0 < len(plain) <= self._direct:  # KMS encrypts at least one byte
            return _DIRECT + bytes(
                errors.guarded(self._client().encrypt)(
                    KeyId=by, Plaintext=plain, EncryptionContext={_CONTEXT: context}
                )["CiphertextBlob"]
            )
        key = self._data_key(by)
        length = len(key.wrapped).to_bytes(_LENGTH_BYTES, "big")
        return _ENVELOPE + length + key.wrapped + key.box.seal(plain, context)

    def open(self, sealed: bytes, *, context: str, own: bool = False) -> bytes:
        form, rest = sealed[:1], sealed[1:]
        if form == _DIRECT:
            return self._decrypt(rest, context, own=own)
        if form != _ENVELOPE:
            raise ports.SealBroken
        length = int.from_bytes(rest[:_LENGTH_BYTES], "big")
        content = rest[_LENGTH_BYTES:]
        return self._unwrapped(content[:length], own=own).open(content[length:], context)

    def _data_key(self, key_id: str) -> _DataKey:
        """The data key to seal by; a new one now and then."""
        with self._lock:
            key = self._keys.get(key_id)
            if key is None or key.uses >= limits.DATA_KEY_USES or self._clock.now() >= key.until:
                made = errors.guarded(self._client().generate_data_key)(
                    KeyId=key_id,
                    NumberOfBytes=limits.DATA_KEY_BYTES,
                    EncryptionContext={_CONTEXT: "data key"},
                )
                key = self._keys[key_id] = _DataKey(
                    made["CiphertextBlob"],
                    Box(made["Plaintext"], self._draw),
                    self._clock.now() + limits.DATA_KEY_SECONDS * 1000,
                )
            key.uses += 1
            return key

    def _unwrap(self, wrapped: bytes, *, own: bool) -> Box:
        return Box(self._decrypt(wrapped, "data key", own=own), self._draw)

    def _decrypt(self, encrypted: bytes, context: str, *, own: bool) -> bytes:
        """What KMS encrypted, by whatever key it may use unless it has to be `own`."""
        by = {"KeyId": self._key_id} if own else {}
        decrypt = errors.guarded(self._client().decrypt)
        return bytes(decrypt(CiphertextBlob=encrypted, EncryptionContext={_CONTEXT: context}, **by)["Plaintext"])

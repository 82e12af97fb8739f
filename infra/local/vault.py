"""The port `Vault` by a key file: 32 random bytes in the data folder, or in memory."""

import contextlib
import os
import secrets
from pathlib import Path

from chalicelib.broker import ports
from chalicelib.model import limits
from chalicelib.storage import vault
from infra.local import config, engine

FILE = "openmns.key"
_PROOF = "proof of the key"  # the item that only the right key opens
_FORM = b"\x00"  # `storage.vault` lists the forms


class KeyVault:
    """Seals by one key, whatever key is asked for."""

    def __init__(self, key: bytes) -> None:
        self._box = vault.Box(key, secrets.token_bytes)

    def seal(self, plain: bytes, *, context: str, key_id: str = "") -> bytes:  # noqa: ARG002  # the port's
        """Encrypt `plain`."""
        return _FORM + self._box.seal(plain, context)

    def open(self, sealed: bytes, *, context: str, own: bool = False) -> bytes:  # noqa: ARG002  # there is no other key
        """What was sealed in this context; raises ports.SealBroken."""
        if sealed[:1] != _FORM:
            raise ports.SealBroken
        return self._box.open(sealed[1:], context)


def in_memory() -> KeyVault:
    """A vault whose key is gone with the process."""
    return KeyVault(secrets.token_bytes(limits.DATA_KEY_BYTES))


def in_folder(folder: Path) -> KeyVault:
    """The vault of a data folder, which is there; its key is made when there is none.

    Raises:
        config.ConfigError: the file is no key.
        OSError: it cannot be read or made.
    """
    path = folder / FILE
    with contextlib.suppress(FileExistsError):
        _make(path)
    key = path.read_bytes()
    if len(key) != limits.DATA_KEY_BYTES:
        raise config.ConfigError(
            f"{path} should hold {limits.DATA_KEY_BYTES} bytes, not {len(key)}: bring back the file that was there,"
            " for without it the secrets of keys cannot be read"
        )
    return KeyVault(key)


def check(key: KeyVault, made: engine.LocalEngine, prefix: str, folder: Path) -> None:
    """Make sure that the key is the one that was there when the folder was first used.

    Raises:
        config.ConfigError: it is another one, by which nothing in the folder can be opened.
    """
    table, place = prefix + engine.CHECKPOINTS.name, {"pk": {"S": _PROOF}}
    item = made.get_item(TableName=table, Key=place, ConsistentRead=True).get("Item")
    if item is None:
        made.put_item(TableName=table, Item=place | {"sealed": {"B": key.seal(b"", context=_PROOF)}})
        return
    try:
        key.open(item["sealed"]["B"], context=_PROOF)
    except ports.SealBroken as error:
        raise config.ConfigError(
            f"{folder / FILE} is not the key that the secrets in {folder} were sealed with: bring that one back"
        ) from error


def _make(path: Path) -> None:
    """Make the key; it is there in one piece, or not at all, whenever the machine stops."""
    if path.exists():
        return
    made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(made, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(limits.DATA_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(made)  # fails where another process was quicker
    finally:
        made.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

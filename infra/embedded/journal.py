"""What has been written and is not committed to SQLite yet: statements and their values, to be run again after a crash.

A commit of SQLite writes every page that was touched, six at least for a message; a record here is what was written, in
one piece. So a transaction of SQLite stays open over many of ours. Each of ours is over when its record is in the
operating system's hands, from where it survives the process, or on the disk with durability `full`.

The file is written again from its beginning after each commit of SQLite. Records are numbered, so those that were there
before are told from new ones, and the database knows the number of the last one that it holds.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

Statement: TypeAlias = tuple[str, tuple[Any, ...]]
_HEAD = struct.Struct("<QII")  # number, length and checksum of what follows
_to_disk = getattr(os, "fdatasync", os.fsync)  # macOS has only the other one
_PICTURE = 2  # the version of marshal's format that has been the same in every Python 3


class Journal:
    """One file of records."""

    def __init__(self, path: pathlib.Path, *, full: bool) -> None:
        """Open the file, or make it; `full` brings every record to the disk."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._full = full
        self.size = 0  # of the records since the last commit, in bytes

    def append(self, number: int, statements: list[Statement]) -> None:
        """Add a record; raises OSError, and then there is none."""
        content = marshal.dumps(statements, _PICTURE)
        record = _HEAD.pack(number, len(content), _checksum(number, content)) + content
        size = len(record)
        try:
            written = os.pwrite(self._file, record, self.size)
            while written < size:
                written += os.pwrite(self._file, record[written:], self.size + written)
            if self._full:
                _to_disk(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # what was not written to its end is no record anyway
                os.pwrite(self._file, bytes(_HEAD.size), self.size)
            raise
        self.size += size

    def since(self, number: int) -> Iterator[tuple[int, list[Statement]]]:
        """The records that come after one, in their order; afterwards the next one is added behind them."""
        self.size = 0
        while True:
            head = os.pread(self._file, _HEAD.size, self.size)
            if len(head) < _HEAD.size:
                return
            found, length, checksum = _HEAD.unpack(head)
            content = os.pread(self._file, length, self.size + _HEAD.size)
            if found != number + 1 or len(content) < length or _checksum(found, content) != checksum:
                return
            yield found, marshal.loads(content)  # noqa: S302  # written by this program into a folder of its own
            self.size += _HEAD.size + length
            number = found

    def rewind(self) -> None:
        """Begin anew: SQLite holds all there is."""
        self.size = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _checksum(number: int, content: bytes) -> int:
    return zlib.crc32(content, number & 0xFFFFFFFF)

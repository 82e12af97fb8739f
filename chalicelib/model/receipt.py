"""Receipt handles: what a consumer shows to delete a message or to change its visibility.

A handle is self-contained: it names the message and the one claim that it came from. The claim's stamp is replaced by
every receive and every visibility change, and a handle counts only while the message waits for its next visible time.
Handles of FIFO queues name the message's group, too: there is its state.
"""

import binascii
import functools
import hashlib
import struct

from chalicelib.model import errors, limits
from chalicelib.model.frozen import frozen

_LAYOUT = struct.Struct(">B4sHB16s6s")  # version, queue, shard, priority, message id, stamp
_GROUP = struct.Struct(">15s")  # the key of the message group, behind it in FIFO queues
_VERSION = 1
_FIFO_VERSION = 2
_SIZES = (_LAYOUT.size, _LAYOUT.size + _GROUP.size)  # bytes, both without padding in base64
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_+/", b"+/!!")  # where `!` is no digit
_TAGS_KEPT = 1024
_PRIORITIES = range(limits.PRIORITY.low, limits.PRIORITY.high + 1)


@frozen
class Receipt:
    """One claim on one message."""

    queue_id: str
    shard: int
    priority: int
    message_id: str  # 32 upper-case hex digits
    stamp: str  # 12 hex digits, made anew by each claim
    group: str | None = None  # 30 hex digits, the key of the message's group; None: the queue is no FIFO queue

    def encode(self) -> str:
        """The handle as given to clients: `[A-Za-z0-9_-]` only, because some SDKs put it into URLs unescaped."""
        packed = _LAYOUT.pack(
            _VERSION if self.group is None else _FIFO_VERSION,
            _tag(self.queue_id),
            self.shard,
            self.priority,
            bytes.fromhex(self.message_id),
            bytes.fromhex(self.stamp),
        )
        if self.group is not None:
            packed += _GROUP.pack(bytes.fromhex(self.group))
        return binascii.b2a_base64(packed, newline=False).translate(_TO_URL).decode()


def decode(handle: str, queue_id: str) -> Receipt:
    """The receipt behind `handle`; raise ReceiptHandleError if it is none of ours or of another queue."""
    try:
        packed = binascii.a2b_base64(handle.encode().translate(_FROM_URL), strict_mode=True)
    except ValueError as error:
        raise errors.ReceiptHandleError from error
    if len(packed) not in _SIZES:
        raise errors.ReceiptHandleError
    version, tag, shard, priority, message_id, stamp = _LAYOUT.unpack_from(packed)
    group = packed[_LAYOUT.size :]
    if version != (_FIFO_VERSION if group else _VERSION) or tag != _tag(queue_id) or priority not in _PRIORITIES:
        raise errors.ReceiptHandleError
    return Receipt(
        queue_id=queue_id,
        shard=shard,
        priority=priority,
        message_id=message_id.hex().upper(),
        stamp=stamp.hex(),
        group=group.hex() if group else None,
    )


@functools.lru_cache(maxsize=_TAGS_KEPT)
def _tag(queue_id: str) -> bytes:
    """Four bytes that tell queues apart."""
    return hashlib.blake2s(queue_id.encode(), digest_size=4).digest()

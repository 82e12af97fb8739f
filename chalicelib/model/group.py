"""Message groups of FIFO queues: who may receive their first messages, and what whoever did may do with them.

A group is free, or it is held: as long as one of its messages is Inactive, no message of the group is received. What
was received and came back is first in line again, in its old order, for nothing is ever received from behind it.
"""

import dataclasses
import hashlib
from collections.abc import Collection, Sequence

from chalicelib.model.frozen import frozen

_KEY_BYTES = 15


def key(group_id: str) -> str:
    """Thirty hex digits that stand for a MessageGroupId, in keys and in receipts."""
    return hashlib.blake2s(group_id.encode(), digest_size=_KEY_BYTES).hexdigest()


def home(group_id: str, shards: int) -> int:
    """The shard of a group: all its messages are in one."""
    return int(key(group_id)[:8], 16) % shards


@frozen
class Place:
    """The place of a message in its group."""

    order: str  # hex digits, rising
    message_id: str
    expires_at: int  # ms, when its retention is over


@frozen
class Head:
    """What became of a message of the group that has been received and not been deleted."""

    order: str
    message_id: str
    expires_at: int  # ms
    visible_at: int  # ms
    first_dequeued_at: int  # ms
    dequeue_count: int
    stamp: str  # of the claim that counts; empty: it is Active again

    @property
    def ends_at(self) -> int:
        """When it is Inactive no longer, whatever happens (ms)."""
        return min(self.visible_at, self.expires_at)


@frozen
class Group:
    """A group that has messages, or had some a moment ago. Its messages themselves are kept elsewhere."""

    tail: str  # the order of the newest message
    since: int  # ms, from when on it has been free, if it is
    seen: str = ""  # the greatest order that was ever received
    heads: tuple[Head, ...] = ()  # ascending

    @property
    def inactive(self) -> int:
        """How many messages are Inactive."""
        return sum(head.stamp != "" for head in self.heads)

    @property
    def held_until(self) -> int | None:
        """When it will be free at the latest (ms); None: it is."""
        return max((head.ends_at for head in self.heads if head.stamp), default=None)

    @property
    def is_empty(self) -> bool:
        """Whether all messages that were ever in it are gone; one that ended unreceived is not noticed here."""
        return not self.heads and self.seen >= self.tail

    def is_free(self, now: int) -> bool:
        """Whether its first messages may be received at `now` (ms)."""
        until = self.held_until
        return until is None or until <= now

    def count(self, order: str) -> int:
        """How often the message at `order` has been received."""
        return next((head.dequeue_count for head in self.heads if head.order == order), 0)

    def receive(self, first: Sequence[Place], *, now: int, visible_at: int, stamp: str) -> "Group":
        """The group, which is free, when its first messages are received."""
        known = {head.order: head for head in self.heads}
        received = {}
        for place in first:
            before = known.get(place.order)
            received[place.order] = Head(
                order=place.order,
                message_id=place.message_id,
                expires_at=place.expires_at,
                visible_at=visible_at,
                first_dequeued_at=now if before is None else before.first_dequeued_at,
                dequeue_count=1 if before is None else before.dequeue_count + 1,
                stamp=stamp,
            )
        rest = {head.order: head for head in self.release(now).heads if head.expires_at > now}
        heads = rest | received
        return dataclasses.replace(
            self, seen=max(self.seen, *received), heads=tuple(heads[order] for order in sorted(heads))
        )

    def held(self, message_id: str, stamp: str, now: int) -> Head | None:
        """The Inactive message that a receipt is for; None: the receipt is no longer valid."""
        for head in self.heads:
            if head.message_id == message_id:
                return head if head.stamp == stamp != "" and head.ends_at > now else None
        return None

    def delete(self, orders: Collection[str], now: int) -> "Group":
        """The group without some messages that were received; it is free if no other one is Inactive."""
        rest = dataclasses.replace(self, heads=tuple(head for head in self.heads if head.order not in orders))
        return _freed(rest, now) if rest.is_free(now) else rest

    def postpone(self, order: str, *, now: int, visible_at: int, stamp: str) -> "Group":
        """The group when an Inactive message stays so until `visible_at`, under a new stamp."""
        heads = tuple(
            dataclasses.replace(head, visible_at=visible_at, stamp=stamp) if head.order == order else head
            for head in self.heads
        )
        changed = dataclasses.replace(self, heads=heads)
        return changed.release(now) if changed.is_free(now) else changed

    def release(self, now: int) -> "Group":
        """The group when nothing of it is Inactive any more, free since the last of it came back."""
        until = self.held_until
        return self if until is None else _freed(self, min(until, now))


def _freed(of: Group, since: int) -> Group:
    heads = tuple(dataclasses.replace(head, stamp="") for head in of.heads)
    return dataclasses.replace(of, since=since, heads=heads)

"""The port `Messages` on rows, which are kept in this process or in another one."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from chalicelib.broker import ports
from chalicelib.model import dead_letter, errors, message, queue, receipt
from chalicelib.storage import sealing
from infra.local.store import bounds, payloads, rows
from infra.local.store.layout import Announce, Held, New, Row

if TYPE_CHECKING:
    from infra.embedded.engine import EmbeddedEngine


class Rows(Protocol):
    """What is asked of rows; see `rows.Rows`."""

    def put(self, new: Sequence[New], *, fifo: bool) -> None:
        """Store messages."""

    def put_once(self, new: New, *, fifo: bool) -> bool:
        """Store a message unless it is there."""

    def claim(
        self, queue_id: str, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None, *, fifo: bool
    ) -> tuple[list[Row], int | None]:
        """Claim messages."""

    def hold(self, of: queue.Queue) -> None:
        """Nothing, where messages of this queue may be claimed."""

    def peek(self, queue_id: str, limit: int, now: int, dead: dead_letter.Route | None, *, fifo: bool) -> list[Row]:
        """Look at messages."""

    def postpone(self, of: Held, now: int, visible_at: int, stamp: str) -> bool:
        """Let a message wait."""

    def delete(self, of: Sequence[Held], now: int) -> list[bool]:
        """Delete messages."""

    def release(
        self, queue_id: str, now: int, limit: int, dead: dead_letter.Route | None, *, fifo: bool
    ) -> ports.Released:
        """Make messages Active."""

    def purge(self, queue_id: str) -> bool:
        """Delete a queue's messages."""

    def counts(self, queue_ids: Sequence[str]) -> Mapping[str, queue.Counts]:
        """Count messages."""


class Messages:
    """The messages of one file, and how many there are: the ports `Messages` and `Counted`."""

    def __init__(self, kept: Rows, codec: payloads.Codec) -> None:
        self.rows = kept
        self._codec = codec

    def put(self, of: queue.Queue, new: message.Message) -> None:
        """See `ports.Messages`."""
        self.rows.put([self._codec.write(of, new)], fifo=of.is_fifo)

    def put_once(self, of: queue.Queue, new: message.Message) -> bool:
        """See `ports.Messages`."""
        return self.rows.put_once(self._codec.write(of, new), fifo=of.is_fifo)

    def put_all(self, of: queue.Queue, new: Sequence[message.Message]) -> frozenset[str]:
        """See `ports.Messages`; they are stored all, or an error is raised."""
        self.rows.put([self._codec.write(of, item) for item in new], fifo=of.is_fifo)
        return frozenset()

    def claim(
        self, of: queue.Queue, *, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None = None
    ) -> ports.Claim:
        """See `ports.Messages`."""
        self.rows.hold(of)
        taken, next_due = self.rows.claim(of.queue_id, limit, now, visible_at, dead, fifo=of.is_fifo)
        return ports.Claim(messages=self._messages(of, taken), next_due=next_due)

    def peek(
        self, of: queue.Queue, *, limit: int, now: int, dead: dead_letter.Route | None = None
    ) -> tuple[message.Message, ...]:
        """See `ports.Messages`."""
        return self._messages(of, self.rows.peek(of.queue_id, limit, now, dead, fifo=of.is_fifo))

    def postpone(self, receipt: receipt.Receipt, *, now: int, visible_at: int, stamp: str) -> bool:
        """See `ports.Messages`."""
        return self.rows.postpone(_held(receipt), now, visible_at, stamp)

    def delete(self, receipts: Sequence[receipt.Receipt], *, now: int) -> tuple[errors.MnsError | None, ...]:
        """See `ports.Messages`."""
        if not receipts:
            return ()
        deleted = self.rows.delete([_held(each) for each in receipts], now)
        return tuple([None if done else errors.MessageNotExist() for done in deleted])

    def release(
        self, of: queue.Queue, partition: str, *, now: int, limit: int, dead: dead_letter.Route | None = None
    ) -> ports.Released:
        """See `ports.Messages`; of the partitions of a queue the first one stands for all."""
        if partition != of.partitions[0]:
            return ports.Released(count=0, next_due=None)
        return self.rows.release(of.queue_id, now, limit, dead, fifo=of.is_fifo)

    def purge(self, partition: str) -> bool:
        """See `ports.Messages`; all of the queue is purged with its first partition."""
        return self.rows.purge(partition.partition("#")[0])

    def counts(self, partitions: Sequence[str]) -> Mapping[str, queue.Counts]:
        """See `ports.Counted`; all of a queue is counted in its first partition."""
        queue_ids = list(dict.fromkeys([partition.partition("#")[0] for partition in partitions]))
        return {queue.partition(queue_id, 0): of for queue_id, of in self.rows.counts(queue_ids).items()}

    def _messages(self, of: queue.Queue, found: Sequence[Row]) -> tuple[message.Message, ...]:
        return tuple([self._codec.read(of.queue_id, row) for row in found])


def here(
    engine: "EmbeddedEngine",
    *,
    seal: sealing.Sealing,
    queues: ports.Queues,
    ids: ports.Ids,
    announce: Announce,
    tells: bounds.Bounds | None = None,
    among: Callable[[rows.Rows], Rows] = lambda mine: mine,
) -> Messages:
    """Messages in the file of an engine of this process, see `rows.Rows`; `among` adds those of other processes."""
    codec = payloads.Codec(seal)
    told = bounds.Bounds() if tells is None else tells
    mine = rows.Rows(engine=engine, codec=codec, queues=queues, ids=ids, announce=announce, tells=told)
    return Messages(among(mine), codec)


def _held(of: receipt.Receipt) -> Held:
    return of.queue_id, of.message_id, of.stamp, of.group

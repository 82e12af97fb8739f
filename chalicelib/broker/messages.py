"""What can be done with the messages of a queue."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.broker import ports, queues, throttle
from chalicelib.model import account, errors, limits, message, queue, receipt


class Messages:
    """Send, receive, peek, postpone and delete messages."""

    def __init__(
        self, *, queues: queues.Queues, store: ports.Messages, clock: ports.Clock, ids: ports.Ids, longest_wait: float
    ) -> None:
        self._queues = queues
        self._store = store
        self._clock = clock
        self._ids = ids
        self._longest_wait = longest_wait
        self._receives = throttle.Receives()

    def send(self, namespace: account.Namespace, name: str, draft: message.Draft) -> message.Sent:
        """Store a message; when this returns, it is stored.

        Raises:
            errors.QueueNotExist: there is no such queue.
            errors.InvalidArgument: the message is larger than the queue takes.
            errors.TooManyRequests: no shard of the queue takes more at the moment.
        """
        to = self._queues.find(namespace, name)
        now = self._clock.now()
        first = self._ids.pick(to.shards)
        new = self._accept(draft, to, first, now)
        for tried in range(1, to.homes + 1):
            try:
                self._store.put(to, new)
                break
            except errors.TooManyRequests:
                if tried == to.homes:
                    raise
                new = new.evolve(shard=(first + tried) % to.shards)
        return _sent(new, to, now)

    def send_batch(
        self, namespace: account.Namespace, name: str, entries: Sequence[message.Draft | errors.MnsError]
    ) -> list[message.Sent | errors.MnsError]:
        """Store messages; answer each entry, in its order, with the message or with what is wrong with it.

        An entry that is already an error is answered with it. Entries fail one by one.

        Raises:
            errors.QueueNotExist: there is no such queue.
            errors.InvalidArgument: the batch as a whole has too few or many entries, or too many bytes.
        """
        to = self._queues.find(namespace, name)
        message.check_batch([entry.size if isinstance(entry, message.Draft) else 0 for entry in entries])
        now = self._clock.now()
        shard = self._ids.pick(to.shards)
        accepted = [self._try_accept(entry, to, shard, now) for entry in entries]
        failed = self._put_all(to, [item for item in accepted if isinstance(item, message.Message)])
        return [
            item
            if isinstance(item, errors.MnsError)
            else errors.TooManyRequests()
            if item.message_id in failed
            else _sent(item, to, now)
            for item in accepted
        ]

    def poll(
        self,
        namespace: account.Namespace,
        name: str,
        *,
        limit: int,
        wait_seconds: int | None,
        since: int | None = None,
    ) -> "Poll":
        """A receive of up to `limit` messages that may wait.

        Args:
            namespace: where the queue is.
            name: of the queue.
            limit: the most messages wanted.
            wait_seconds: how long to wait; None: as long as the queue says.
            since: when the wait began (ms), if not now.

        Raises:
            errors.QueueNotExist: there is no such queue; if the queue need not be asked, the first look says so.
        """
        seconds = wait_seconds
        if seconds is None:
            seconds = self._queues.find(namespace, name).attributes.polling_wait_seconds
        now = self._clock.now()
        began = now if since is None else min(since, now)  # another machine's clock may be ahead
        deadline = began + int(min(seconds, self._longest_wait) * 1000)
        return Poll(messages=self, namespace=namespace, name=name, limit=limit, deadline=deadline)

    def receive(
        self, namespace: account.Namespace, name: str, limit: int
    ) -> tuple[queue.Queue, tuple[message.Received, ...], int | None]:
        """Receive up to `limit` messages that are there now, as the queue's rate lets; see `Poll.look`."""
        of = self._queues.find(namespace, name)
        now = self._clock.now()
        limit = self._receives.take(of, limit, now)
        if not limit:
            return of, (), None
        visible_at = now + of.attributes.visibility_timeout * 1000
        unused = limit
        try:
            dead = self._queues.dead_letters(namespace, of)
            claim = self._store.claim(of, limit=limit, now=now, visible_at=visible_at, dead=dead)
            unused -= len(claim.messages)
        finally:  # a receive that fails has used nothing
            self._receives.give_back(of, unused, now)
        received = [message.Received(message=item, receipt_handle=item.receipt(of).encode()) for item in claim.messages]
        return of, tuple(received), claim.next_due

    def peek(self, namespace: account.Namespace, name: str, *, limit: int) -> tuple[message.Message, ...]:
        """Look at up to `limit` Active messages without changing them.

        Raises:
            errors.QueueNotExist: there is no such queue.
            errors.MessageNotExist: there is no Active message.
        """
        of = self._queues.find(namespace, name)
        dead = self._queues.dead_letters(namespace, of)
        found = self._store.peek(of, limit=limit, now=self._clock.now(), dead=dead)
        if not found:
            raise errors.MessageNotExist
        return found

    def delete(self, namespace: account.Namespace, name: str, handle: str) -> bool:
        """Delete a received message, or a delayed one that nobody has received.

        Returns:
            Whether the queue has its operations logged.

        Raises:
            errors.QueueNotExist: there is no such queue.
            errors.ReceiptHandleError: the handle is none of this queue.
            errors.MessageNotExist: the handle is no longer valid.
        """
        of = self._queues.find(namespace, name)
        [failure] = self._store.delete([receipt.decode(handle, of.queue_id)], now=self._clock.now())
        if failure is not None:
            raise failure
        return of.attributes.logging_enabled

    def delete_batch(
        self, namespace: account.Namespace, name: str, handles: Sequence[str]
    ) -> list[tuple[str, errors.MnsError]]:
        """Delete messages; answer the handles that failed, each with the reason.

        Raises:
            errors.QueueNotExist: there is no such queue.
            errors.InvalidArgument: there are too few or too many handles.
        """
        message.check_batch_count(len(handles), "ReceiptHandle")
        of = self._queues.find(namespace, name)
        failures = self._delete_all(of, handles)
        return [(handle, failure) for handle, failure in zip(handles, failures, strict=True) if failure is not None]

    def change_visibility(
        self, namespace: account.Namespace, name: str, handle: str, seconds: int
    ) -> message.Postponed:
        """Let a received message stay hidden for `seconds` from now; the handle is replaced by a new one.

        Raises:
            errors.QueueNotExist: there is no such queue.
            errors.ReceiptHandleError: the handle is none of this queue.
            errors.MessageNotExist: the handle is no longer valid.
            errors.InvalidArgument: `seconds` is out of range.
        """
        limits.VISIBILITY_TIMEOUT.check(seconds)
        of = self._queues.find(namespace, name)
        old = receipt.decode(handle, of.queue_id)
        now = self._clock.now()
        visible_at = now + seconds * 1000
        stamp = self._ids.stamp()
        if not self._store.postpone(old, now=now, visible_at=visible_at, stamp=stamp):
            raise errors.MessageNotExist
        new = receipt.Receipt(
            queue_id=old.queue_id,
            shard=old.shard,
            priority=old.priority,
            message_id=old.message_id,
            stamp=stamp,
            group=old.group,
        )
        return message.Postponed(receipt_handle=new.encode(), next_visible_at=visible_at)

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self._clock.now()

    def held_back_until(self, of: queue.Queue) -> int | None:
        """When the queue's rate lets a receive through again (ms); None: it would now."""
        return self._receives.next_at(of, self._clock.now())

    def _accept(self, draft: message.Draft, to: queue.Queue, shard: int, now: int) -> message.Message:
        return message.accept(
            draft, to, message_id=self._ids.message_id(now), shard=shard, stamp=self._ids.stamp(), now=now
        )

    def _try_accept(
        self, entry: message.Draft | errors.MnsError, to: queue.Queue, shard: int, now: int
    ) -> message.Message | errors.MnsError:
        if isinstance(entry, errors.MnsError):
            return entry
        try:
            return self._accept(entry, to, shard, now)
        except errors.MnsError as error:
            return error

    def _put_all(self, to: queue.Queue, new: Sequence[message.Message]) -> frozenset[str]:
        """Store messages, trying the other shards for those that one does not take; the ids of what none took."""
        rest = list(new)
        for _ in range(to.homes):
            try:
                failed = self._store.put_all(to, rest)
            except errors.TooManyRequests:
                failed = frozenset(item.message_id for item in rest)
            rest = [item for item in rest if item.message_id in failed]
            if not rest:
                break
            if to.homes > 1:
                rest = [item.evolve(shard=(item.shard + 1) % to.shards) for item in rest]
        return frozenset(item.message_id for item in rest)

    def _delete_all(self, of: queue.Queue, handles: Sequence[str]) -> list[errors.MnsError | None]:
        failures: list[errors.MnsError | None] = []
        receipts: list[receipt.Receipt] = []
        for handle in handles:
            try:
                receipts.append(receipt.decode(handle, of.queue_id))
                failures.append(None)
            except errors.ReceiptHandleError as error:
                failures.append(error)
        deleted = iter(self._store.delete(receipts, now=self._clock.now()))
        return [next(deleted) if failure is None else failure for failure in failures]


@dataclass(kw_only=True)
class Poll:
    """A receive that may take several looks; whoever runs it waits between them as it can."""

    messages: Messages
    namespace: account.Namespace
    name: str
    limit: int
    deadline: int  # ms
    queue_id: str = ""  # of the newest look
    next_due: int | None = None  # ms, when a waiting message becomes visible, as far as the newest look saw
    held_until: int | None = None  # ms, until when the queue's rate lets no look find anything
    logged: bool = False  # whether the queue has its operations logged

    def look(self) -> tuple[message.Received, ...]:
        """Look once; empty: there is nothing yet, and time is left to look again.

        Raises:
            errors.QueueNotExist: there is no such queue, or no longer.
            errors.MessageNotExist: there is nothing, and the wait is over.
        """
        of, received, self.next_due = self.messages.receive(self.namespace, self.name, self.limit)
        self.queue_id, self.logged = of.queue_id, of.attributes.logging_enabled
        if not received:
            if self.messages.now() >= self.deadline:
                raise errors.MessageNotExist
            self.held_until = self.messages.held_back_until(of)
        return received


def _sent(new: message.Message, to: queue.Queue, now: int) -> message.Sent:
    is_delayed = new.visible_at > now
    return message.Sent(
        message=new,
        receipt_handle=new.receipt(to).encode() if is_delayed else None,
        logged=to.attributes.logging_enabled,
    )

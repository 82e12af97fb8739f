"""What can be done with queues as such."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from chalicelib.broker import named, ports
from chalicelib.model import account, dead_letter, errors, limits, queue, resource
from chalicelib.model.frozen import frozen


@frozen
class Listing:
    """One page of a list of queues; `counts` is empty unless they were asked for."""

    page: queue.Page
    counts: Mapping[str, queue.Counts]  # by queue id


@frozen
class Found:
    """One page of the queues that a search found."""

    queues: Sequence[queue.Queue]  # ascending by name
    counts: Mapping[str, queue.Counts]  # by queue id
    total: int  # of all pages


class Queues(named.Named[queue.Queue, queue.QueueChange]):
    """Create, change, look up, list and delete queues."""

    def __init__(
        self,
        *,
        store: ports.Queues,
        tallies: ports.Counted,
        sealing: ports.Sealing,
        clock: ports.Clock,
        ids: ports.Ids,
        shards: int,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up.

        Args:
            store: the queues.
            tallies: the counts of their messages.
            sealing: the keys that encrypt their messages.
            clock: time.
            ids: makes their ids.
            shards: of new queues.
            settle: brings the counts up to date, where that can be had at once.
        """
        super().__init__(
            store=store,
            clock=clock,
            is_name=queue.is_name,
            missing=errors.QueueNotExist,
            taken=errors.QueueAlreadyExist,
        )
        self._store = store
        self._tallies = tallies
        self._sealing = sealing
        self._ids = ids
        self._shards = shards
        self._settle = settle

    def create(
        self,
        namespace: account.Namespace,
        name: str,
        change: queue.QueueChange,
        *,
        kind: resource.Type | None = None,
        tags: Sequence[resource.Tag] = (),
    ) -> tuple[queue.Queue, bool]:
        """Create a queue with the attributes named and the defaults for the others; say whether it is new.

        One that is there keeps its type and tags; only a type that is named is compared.

        Raises:
            errors.QueueAlreadyExist: there is one that differs from what is named, see `QueueAttributes.answers`.
            errors.QueueNumExceededLimit: the namespace has as many queues as it may have.
            errors.InvalidArgument, errors.InvalidQueueName, errors.QueueNameLengthError: no queue may be like this.
        """
        attributes = queue.QueueAttributes().evolve(change)
        queue.check_name(name)
        labels = resource.check_tags(tags)

        def make(now: int) -> queue.Queue:
            self._check_fifo(kind or resource.Type.NORMAL, change)
            self._check_dead_letter(namespace, name, kind or resource.Type.NORMAL, change)
            new = queue.Queue(
                name=name,
                queue_id=self._ids.queue_id(),
                shards=self._shards,
                attributes=attributes,
                created_at=now,
                modified_at=now,
                type=kind or resource.Type.NORMAL,
                tags=labels,
            )
            self._sealing.prepare(new.queue_id, attributes.encryption)
            return new

        return self._create(
            namespace,
            name,
            answers=lambda found: kind in (None, found.type) and found.attributes.answers(change),
            most=limits.QUEUES_PER_ACCOUNT,
            full=lambda: errors.QueueNumExceededLimit(
                f"The account has {limits.QUEUES_PER_ACCOUNT} queues in {namespace.region}, the most it may have."
            ),
            make=make,
        )

    def set_attributes(self, namespace: account.Namespace, name: str, change: queue.QueueChange) -> None:
        """Change the attributes named; messages already stored keep the delay and retention they came with.

        Raises:
            errors.QueueNotExist: there is no such queue.
            errors.InvalidArgument: an attribute is out of its range; none is changed then.
        """
        queue.QueueAttributes().evolve(change)
        if change.delay_seconds or change.dead_letter is not None:
            kind = self.get(namespace, name).type
            self._check_fifo(kind, change)
            self._check_dead_letter(namespace, name, kind, change)
        if change.encryption is not None and change.encryption.enabled:
            self._sealing.prepare(self.get(namespace, name).queue_id, change.encryption)
        self._change(namespace, name, change)

    def get_attributes(self, namespace: account.Namespace, name: str) -> tuple[queue.Queue, queue.Counts]:
        """The queue as it is now, and how many messages it holds.

        Raises:
            errors.QueueNotExist: there is no such queue.
        """
        found = self.get(namespace, name)
        return found, self._counts([found])[found.queue_id]

    def list(
        self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int, with_counts: bool
    ) -> Listing:
        """One page of the queues, ascending by name."""
        page = self._store.list(namespace, prefix=prefix, after=after, limit=limit)
        return Listing(page=page, counts=self._counts(page.queues) if with_counts else {})

    def dead_letters(self, namespace: account.Namespace, of: queue.Queue) -> dead_letter.Route | None:
        """Where the queue's dead letters go; None: nowhere, or there is no queue of its type to take them."""
        policy = of.attributes.dead_letter
        if not policy.enabled:
            return None
        try:
            target = self.find(namespace, policy.target)
        except errors.QueueNotExist:
            return None
        if target.type is not of.type or target.queue_id == of.queue_id:
            return None
        return dead_letter.Route(
            namespace=namespace, source=of, target=target, max_receive_count=policy.max_receive_count
        )

    def _check_fifo(self, kind: resource.Type, change: queue.QueueChange) -> None:
        """Check that order can be kept; raises errors.InvalidArgument."""
        if kind is resource.Type.FIFO and change.delay_seconds:
            raise errors.InvalidArgument("The value of DelaySeconds should be 0: the queue is a FIFO queue.")

    def _check_dead_letter(
        self, namespace: account.Namespace, name: str, kind: resource.Type, change: queue.QueueChange
    ) -> None:
        """Check that dead letters have somewhere to go; raises errors.InvalidArgument."""
        policy = change.dead_letter
        if policy is None or not policy.enabled:
            return
        if policy.target == name:
            raise errors.InvalidArgument("The DeadLetterTargetQueue should be another queue.")
        target = self._store.get(namespace, policy.target)
        if target is None:
            raise errors.InvalidArgument(f"The DeadLetterTargetQueue {policy.target} does not exist.")
        if target.type is not kind:
            raise errors.InvalidArgument(
                f"The DeadLetterTargetQueue {policy.target} is of the type {target.type.value}, not {kind.value}."
            )

    def search(self, namespace: account.Namespace, wanted: resource.Filter, window: resource.Window) -> Found:
        """One page of the queues that are wanted, ascending by name, with their counts."""
        found = [item for item in self._all(namespace) if wanted.takes(item.name, item.type, item.tags)]
        page = window.of(found)
        return Found(queues=page, counts=self._counts(page), total=len(found))

    def _all(self, namespace: account.Namespace) -> Iterator[queue.Queue]:
        page = self._store.list(namespace, prefix="", after=None, limit=limits.QUEUES_PER_ACCOUNT)
        yield from page.queues
        while page.marker is not None:
            page = self._store.list(namespace, prefix="", after=page.marker, limit=limits.QUEUES_PER_ACCOUNT)
            yield from page.queues

    def _counts(self, queues: Sequence[queue.Queue]) -> dict[str, queue.Counts]:
        self._settle()
        tallies = self._tallies.counts([partition for item in queues for partition in item.partitions])
        return {
            item.queue_id: queue.total([tallies.get(partition, queue.Counts()) for partition in item.partitions])
            for item in queues
        }

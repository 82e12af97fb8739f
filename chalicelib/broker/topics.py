"""What can be done with topics as such."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from chalicelib.broker import named, ports
from chalicelib.model import account, errors, limits, queue, resource, topic
from chalicelib.model.frozen import frozen


@frozen
class Listing:
    """One page of a list of topics; `counts` is empty unless they were asked for."""

    page: topic.Page
    counts: Mapping[str, int]  # messages held, by topic id


@frozen
class Found:
    """One page of the topics that a search found."""

    topics: Sequence[topic.Topic]  # ascending by name
    counts: Mapping[str, int]  # by topic id
    total: int  # of all pages


class Topics(named.Named[topic.Topic, topic.TopicChange]):
    """Create, change, look up, list and delete topics."""

    def __init__(
        self,
        *,
        store: ports.Topics,
        tallies: ports.Tallies,
        sealing: ports.Sealing,
        clock: ports.Clock,
        ids: ports.Ids,
        shards: int,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up.

        Args:
            store: the topics.
            tallies: the counts of their messages.
            sealing: the keys that encrypt their messages.
            clock: time.
            ids: makes their ids.
            shards: of new topics.
            settle: brings the counts up to date, where that can be had at once.
        """
        super().__init__(
            store=store,
            clock=clock,
            is_name=topic.is_name,
            missing=errors.TopicNotExist,
            taken=errors.TopicAlreadyExist,
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
        change: topic.TopicChange,
        *,
        kind: resource.Type | None = None,
        tags: Sequence[resource.Tag] = (),
    ) -> tuple[topic.Topic, bool]:
        """Create a topic with the attributes named and the defaults for the others; say whether it is new.

        One that is there keeps its type and tags; only a type that is named is compared.

        Raises:
            errors.TopicAlreadyExist: there is one that differs from what is named, see `TopicAttributes.answers`.
            errors.TopicNumExceededLimit: the namespace has as many topics as it may have.
            errors.InvalidArgument, errors.TopicNameInvalid, errors.TopicNameLengthError: no topic may be like this.
        """
        attributes = topic.TopicAttributes().evolve(change)
        topic.check_name(name)
        labels = resource.check_tags(tags)

        def make(now: int) -> topic.Topic:
            new = topic.Topic(
                name=name,
                topic_id=self._ids.queue_id(),
                shards=self._shards,
                attributes=attributes,
                created_at=now,
                modified_at=now,
                type=kind or resource.Type.NORMAL,
                tags=labels,
            )
            self._sealing.prepare(new.topic_id, attributes.encryption)
            return new

        return self._create(
            namespace,
            name,
            answers=lambda found: kind in (None, found.type) and found.attributes.answers(change),
            most=limits.TOPICS_PER_ACCOUNT,
            full=lambda: errors.TopicNumExceededLimit(
                f"The account has {limits.TOPICS_PER_ACCOUNT} topics in {namespace.region}, the most it may have."
            ),
            make=make,
        )

    def set_attributes(self, namespace: account.Namespace, name: str, change: topic.TopicChange) -> None:
        """Change the attributes named.

        Raises:
            errors.TopicNotExist: there is no such topic.
            errors.InvalidArgument: an attribute is out of its range; none is changed then.
        """
        topic.TopicAttributes().evolve(change)
        if change.encryption is not None and change.encryption.enabled:
            self._sealing.prepare(self.get(namespace, name).topic_id, change.encryption)
        self._change(namespace, name, change)

    def get_attributes(self, namespace: account.Namespace, name: str) -> tuple[topic.Topic, int]:
        """The topic as it is now, and how many messages it holds.

        Raises:
            errors.TopicNotExist: there is no such topic.
        """
        found = self.get(namespace, name)
        return found, self._counts([found])[found.topic_id]

    def list(
        self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int, with_counts: bool
    ) -> Listing:
        """One page of the topics, ascending by name."""
        page = self._store.list(namespace, prefix=prefix, after=after, limit=limit)
        return Listing(page=page, counts=self._counts(page.topics) if with_counts else {})

    def search(self, namespace: account.Namespace, wanted: resource.Filter, window: resource.Window) -> Found:
        """One page of the topics that are wanted, ascending by name, with their counts."""
        found = [item for item in self._all(namespace) if wanted.takes(item.name, item.type, item.tags)]
        page = window.of(found)
        return Found(topics=page, counts=self._counts(page), total=len(found))

    def _all(self, namespace: account.Namespace) -> Iterator[topic.Topic]:
        page = self._store.list(namespace, prefix="", after=None, limit=limits.TOPICS_PER_ACCOUNT)
        yield from page.topics
        while page.marker is not None:
            page = self._store.list(namespace, prefix="", after=page.marker, limit=limits.TOPICS_PER_ACCOUNT)
            yield from page.topics

    def _counts(self, topics: Sequence[topic.Topic]) -> dict[str, int]:
        self._settle()
        tallies = self._tallies.counts([partition for item in topics for partition in item.partitions])
        return {
            item.topic_id: sum(tallies.get(partition, queue.Counts()).active for partition in item.partitions)
            for item in topics
        }

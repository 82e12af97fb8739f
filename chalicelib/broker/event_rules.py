"""Event notification: rules, and the messages that they make of events.

Each step may run twice: the id of a message is derived from its event and its rule, so a replay finds what is there.
"""

from collections.abc import Callable, Mapping, Sequence

from chalicelib.broker import ports
from chalicelib.model import account, errors, event_rule, limits, message, object_event, publication, queue, resource
from chalicelib.model import topic as topics

FindQueue = Callable[[account.Namespace, str], queue.Queue]
FindTopic = Callable[[account.Namespace, str], topics.Topic]


class EventRules:
    """Make, look up, list and delete event rules."""

    def __init__(
        self, *, store: ports.EventRules, find_queue: FindQueue, find_topic: FindTopic, clock: ports.Clock
    ) -> None:
        self._store = store
        self._find_queue = find_queue
        self._find_topic = find_topic
        self._clock = clock

    def now(self) -> int:
        """The moment at which a rule is made (ms)."""
        return self._clock.now()

    def create(self, namespace: account.Namespace, new: event_rule.EventRule) -> event_rule.EventRule:
        """Make a rule; making one that is there is no error.

        Raises:
            errors.EventRuleAlreadyExist: there is another one of that name.
            errors.EventRuleNumExceededLimit: the namespace has as many as it may have.
            errors.QueueNotExist, errors.TopicNotExist: its endpoint is not there.
        """
        find = self._find_queue if new.endpoint.kind is event_rule.Receiver.QUEUE else self._find_topic
        find(namespace, new.endpoint.name)
        existing = self._store.get(namespace, new.name)
        if existing is None:
            if len(self.all(namespace)) >= limits.EVENT_RULES_PER_REGION:
                raise errors.EventRuleNumExceededLimit(
                    f"The account has {limits.EVENT_RULES_PER_REGION} event rules in this region, the most it may have."
                )
            existing = self._store.create(namespace, new)
        if existing is not None and not existing.is_like(new):
            raise errors.EventRuleAlreadyExist
        return existing or new

    def get(self, namespace: account.Namespace, product: str, name: str) -> event_rule.EventRule:
        """The rule of that name; raises errors.EventRuleNotExist if there is none."""
        found = self._find(namespace, product, name)
        if found is None:
            raise errors.EventRuleNotExist
        return found

    def delete(self, namespace: account.Namespace, product: str, name: str) -> None:
        """Delete a rule; deleting none is no error."""
        if self._find(namespace, product, name) is not None:
            self._store.delete(namespace, name)

    def all(self, namespace: account.Namespace) -> tuple[event_rule.EventRule, ...]:
        """All rules, ascending by name."""
        return tuple(self._store.all(namespace))

    def _find(self, namespace: account.Namespace, product: str, name: str) -> event_rule.EventRule | None:
        if len(name) > limits.EVENT_RULE_NAME_LENGTH:
            return None
        found = self._store.get(namespace, name)
        return found if found is not None and found.product == product else None


class Notify:
    """Make messages of events."""

    def __init__(
        self,
        *,
        rules: ports.EventRules,
        owners: Mapping[str, account.Namespace],
        find_queue: FindQueue,
        find_topic: FindTopic,
        messages: ports.Messages,
        publications: ports.Publications,
        render: Callable[[object_event.ObjectEvent, event_rule.EventRule, account.Namespace], str],
        clock: ports.Clock,
    ) -> None:
        """Set up.

        Args:
            rules: all accounts' rules.
            owners: whose the buckets are; that of `object_event.ANY_BUCKET` has all others.
            find_queue: finds a queue by its name; raises errors.QueueNotExist.
            find_topic: finds a topic by its name; raises errors.TopicNotExist.
            messages: where messages of queues go.
            publications: where messages of topics go.
            render: makes the body of a message.
            clock: time.
        """
        self._rules = rules
        self._owners = owners
        self._find_queue = find_queue
        self._find_topic = find_topic
        self._messages = messages
        self._publications = publications
        self._render = render
        self._clock = clock

    def run(self, events: Sequence[object_event.ObjectEvent]) -> int:
        """Send each event wherever the rules of its bucket's owner want it; how many messages that makes.

        What a rule sends to a queue or topic that is no more is dropped. Raises if a message cannot be stored: then it
        has to run again.
        """
        sent = 0
        for event in events:
            owner = self._owners.get(event.bucket) or self._owners.get(object_event.ANY_BUCKET)
            if owner is None:
                continue
            sent += sum(self._send(event, rule, owner) for rule in self._rules.all(owner) if rule.takes(event, owner))
        return sent

    def _send(self, event: object_event.ObjectEvent, rule: event_rule.EventRule, owner: account.Namespace) -> bool:
        """Whether there is somebody to send it to; nobody is told if it is too large, so its size does not matter."""
        name, body = rule.endpoint.name, self._render(event, rule, owner)
        message_id, stamp = event.derived(rule.name)
        now = self._clock.now()
        try:
            if rule.endpoint.kind is event_rule.Receiver.QUEUE:
                to = self._find_queue(owner, name)
                draft = message.Draft(body=body, group_id=_group(event, to.type))
                shard = _pick(message_id, to.shards)
                new = message.place(draft, to, message_id=message_id, shard=shard, stamp=stamp, now=now)
                self._messages.put_once(to, new)
            else:
                topic = self._find_topic(owner, name)
                post = publication.Draft(body=body, group_id=_group(event, topic.type))
                shard = _pick(message_id, topic.shards)
                self._publications.put_once(
                    publication.place(post, topic, owner, message_id=message_id, shard=shard, now=now)
                )
        except (errors.QueueNotExist, errors.TopicNotExist):
            return False
        return True


def _group(event: object_event.ObjectEvent, kind: resource.Type) -> str | None:
    """In whose order an event stands: that of its bucket, where there is order."""
    return event.bucket if kind is resource.Type.FIFO else None


def _pick(message_id: str, count: int) -> int:
    """A shard, the same for the same message."""
    return int(message_id[-8:], 16) % count

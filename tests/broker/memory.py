"""The ports in memory: plain dictionaries, walked through each time. The other side of every table."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.broker import ports
from chalicelib.model import (
    account,
    acl,
    dead_letter,
    delivery,
    errors,
    message,
    publication,
    queue,
    ram,
    receipt,
    resource,
    subscription,
    topic,
)
from chalicelib.model import certificate as certificates


@dataclass
class Queues:
    """The port `Queues`."""

    stored: dict[tuple[account.Namespace, str], queue.Queue] = field(default_factory=dict)

    def get(self, namespace: account.Namespace, name: str) -> queue.Queue | None:
        return self.stored.get((namespace, name))

    def create(self, namespace: account.Namespace, new: queue.Queue) -> queue.Queue | None:
        existing = self.stored.get((namespace, new.name))
        if existing is None:
            self.stored[namespace, new.name] = new
        return existing

    def change(
        self, namespace: account.Namespace, name: str, change: queue.QueueChange, modified_at: int
    ) -> queue.Queue | None:
        existing = self.get(namespace, name)
        if existing is None:
            return None
        changed = existing.evolve(attributes=existing.attributes.evolve(change), modified_at=modified_at)
        self.stored[namespace, name] = changed
        return changed

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        return self.stored.pop((namespace, name), None) is not None

    def list(self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int) -> queue.Page:
        names = sorted(
            name
            for where, name in self.stored
            if where == namespace and name.startswith(prefix) and (after is None or name > after)
        )
        found = tuple(self.stored[namespace, name] for name in names[:limit])
        return queue.Page(queues=found, marker=names[limit - 1] if len(names) > limit else None)

    def count(self, namespace: account.Namespace) -> int:
        return sum(where == namespace for where, _ in self.stored)

    def everywhere(self) -> Iterator[tuple[account.Namespace, queue.Queue]]:
        yield from [(namespace, item) for (namespace, _), item in self.stored.items()]


def _best_first(item: message.Message) -> tuple[int, int, str]:
    return item.priority, item.visible_at, item.message_id


def counts_of(state: message.State | None) -> queue.Counts:
    return queue.Counts(**{state.value: 1}) if state else queue.Counts()


def _earliest_first(item: message.Message) -> tuple[int, int]:
    return item.visible_at, item.priority


@dataclass
class Messages:
    """The port `Messages`, with the stream of changes that a table would have.

    `full` names the partitions that take no more at the moment.
    """

    stamps: ports.Ids
    full: set[str] = field(default_factory=set)
    changes: list[ports.Change] = field(default_factory=list)
    stored: dict[str, dict[str, message.Message]] = field(default_factory=dict)  # by partition and id
    waiting: set[str] = field(default_factory=set)  # ids of those in the index `timer`
    refused: set[str] = field(default_factory=set)  # ids of queues that take no dead letters
    put_in: list[str] = field(default_factory=list)  # ids, in the order in which they were put

    def put(self, of: queue.Queue, new: message.Message) -> None:
        partition = queue.partition(of.queue_id, new.shard)
        if partition in self.full:
            raise errors.TooManyRequests
        self._change(partition, None, new, waits=new.visible_at > new.enqueued_at)
        self.put_in.append(new.message_id)

    def put_once(self, of: queue.Queue, new: message.Message) -> bool:
        if new.message_id in self.stored.get(queue.partition(of.queue_id, new.shard), {}):
            return False
        self.put(of, new)
        return True

    def put_all(self, of: queue.Queue, new: Sequence[message.Message]) -> frozenset[str]:
        failed = set()
        for item in new:
            try:
                self.put(of, item)
            except errors.TooManyRequests:
                failed.add(item.message_id)
        return frozenset(failed)

    def claim(
        self, of: queue.Queue, *, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None = None
    ) -> ports.Claim:
        for partition in of.partitions:
            self.release(of, partition, now=now, limit=len(self.waiting), dead=dead)
        due = [item.visible_at for item in self._all(of) if item.message_id in self.waiting]
        claimed = []
        for item in self._receivable(of, now, dead)[:limit]:
            taken = item.evolve(
                visible_at=visible_at,
                stamp=self.stamps.stamp(),
                dequeue_count=item.dequeue_count + 1,
                first_dequeued_at=now if item.first_dequeued_at is None else item.first_dequeued_at,
            )
            self._change(queue.partition(of.queue_id, item.shard), item, taken, waits=True)
            claimed.append(taken)
        return ports.Claim(messages=tuple(claimed), next_due=min(due, default=None))

    def peek(
        self, of: queue.Queue, *, limit: int, now: int, dead: dead_letter.Route | None = None
    ) -> tuple[message.Message, ...]:
        for partition in of.partitions:
            self.release(of, partition, now=now, limit=len(self.waiting), dead=dead)
        return tuple(self._receivable(of, now, dead)[:limit])

    def postpone(self, receipt: receipt.Receipt, *, now: int, visible_at: int, stamp: str) -> bool:
        held = self._held(receipt, now)
        if held is None:
            return False
        partition = queue.partition(receipt.queue_id, receipt.shard)
        self._change(partition, held, held.evolve(visible_at=visible_at, stamp=stamp), waits=True)
        return True

    def delete(self, receipts: Sequence[receipt.Receipt], *, now: int) -> tuple[errors.MnsError | None, ...]:
        return tuple(self._delete(each, now) for each in receipts)

    def release(
        self, of: queue.Queue, partition: str, *, now: int, limit: int, dead: dead_letter.Route | None = None
    ) -> ports.Released:
        there = self.stored.get(partition, {}).values()
        waiting = sorted((item for item in there if item.message_id in self.waiting), key=_earliest_first)
        due = [item for item in waiting if item.visible_at <= now][:limit]
        for item in due:
            if not self._bring(of, item, now, dead):
                self._change(partition, item, item if item.expires_at > now else None, waits=False)
        rest = waiting[len(due) :]
        return ports.Released(count=len(due), next_due=rest[0].visible_at if rest else None)

    def purge(self, partition: str) -> bool:
        some = list(self.stored.get(partition, {}).values())[:2]
        for item in some:
            self._change(partition, item, None, waits=False)
        return bool(some)

    def expire(self, now: int) -> None:
        """What time to live does to a table, sooner or later."""
        for partition, there in self.stored.items():
            for item in list(there.values()):
                if item.expires_at <= now:
                    self._change(partition, item, None, waits=False)

    def _all(self, of: queue.Queue) -> list[message.Message]:
        return [item for partition in of.partitions for item in self.stored.get(partition, {}).values()]

    def _receivable(self, of: queue.Queue, now: int, dead: dead_letter.Route | None) -> list[message.Message]:
        """What is Active, best first; in a FIFO queue as it was sent, and only of groups of which nothing waits."""
        for item in self._all(of):
            if item.message_id not in self.waiting:
                self._bring(of, item, now, dead)
        there = [item for item in self._all(of) if item.expires_at > now]
        active = [item for item in there if item.message_id not in self.waiting]
        active = [item for item in active if dead is None or not dead.takes(item.dequeue_count)]
        if not of.is_fifo:
            return sorted(active, key=_best_first)
        held = {item.group_id for item in there if item.message_id in self.waiting}
        free = [item for item in active if item.group_id not in held]
        return sorted(free, key=lambda item: self.put_in.index(item.message_id))

    def _bring(self, of: queue.Queue, item: message.Message, now: int, dead: dead_letter.Route | None) -> bool:
        """Whether the message is in the dead-letter queue now."""
        if dead is None or not dead.takes(item.dequeue_count) or item.expires_at <= now:
            return False
        if dead.target.queue_id in self.refused:
            return False
        letter = dead.letter(item, message_id=self.stamps.message_id(now), stamp=self.stamps.stamp())
        self._change(queue.partition(of.queue_id, item.shard), item, None, waits=False)
        self.put(dead.target, letter)
        return True

    def _held(self, of: receipt.Receipt, now: int) -> message.Message | None:
        item = self.stored.get(queue.partition(of.queue_id, of.shard), {}).get(of.message_id)
        if item is None or item.stamp != of.stamp or item.visible_at <= now or item.expires_at <= now:
            return None
        return item

    def _delete(self, of: receipt.Receipt, now: int) -> errors.MnsError | None:
        held = self._held(of, now)
        if held is None:
            return errors.MessageNotExist()
        self._change(queue.partition(of.queue_id, of.shard), held, None, waits=False)
        return None

    def _change(
        self, partition: str, before: message.Message | None, after: message.Message | None, *, waits: bool
    ) -> None:
        was = self._state(before)
        there = self.stored.setdefault(partition, {})
        if before is not None:
            del there[before.message_id]
            self.waiting.discard(before.message_id)
        if after is not None:
            there[after.message_id] = after
            if waits:
                self.waiting.add(after.message_id)
        sequence = str(len(self.changes) + 1)
        delta = counts_of(self._state(after)) - counts_of(was)
        self.changes.append(ports.Change(partition=partition, sequence=sequence, delta=delta))

    def _state(self, item: message.Message | None) -> message.State | None:
        if item is None:
            return None
        if item.message_id not in self.waiting:
            return message.State.ACTIVE
        return message.State.INACTIVE if item.dequeue_count else message.State.DELAYED


@dataclass
class Sealing:
    """The port `Sealing`; the keys in `unusable` are none."""

    prepared: set[tuple[str, str]] = field(default_factory=set)
    unusable: set[str] = field(default_factory=set)

    def prepare(self, of: str, by: resource.Encryption) -> None:
        if by.enabled:
            if by.key_id in self.unusable:
                raise errors.InvalidArgument("unusable")
            self.prepared.add((of, by.key_id))

    def delete(self, of: str) -> None:
        self.prepared = {(each, by) for each, by in self.prepared if each != of}


@dataclass
class Tallies:
    """The port `Tallies`."""

    stored: dict[str, queue.Counts] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    retired: dict[str, int] = field(default_factory=dict)

    def counts(self, partitions: Sequence[str]) -> Mapping[str, queue.Counts]:
        return {partition: self.stored[partition] for partition in partitions if partition in self.stored}

    def apply(self, partition: str, deltas: Sequence[tuple[str, queue.Counts]]) -> None:
        assert [int(sequence) for sequence, _ in deltas] == sorted(int(sequence) for sequence, _ in deltas)
        for sequence, delta in deltas:
            if int(sequence) > self.newest.get(partition, -1):
                self.stored[partition] = self.stored.get(partition, queue.Counts()) + delta
                self.newest[partition] = int(sequence)

    def retire(self, partition: str, *, now: int) -> None:
        self.retired[partition] = now


@dataclass
class Identities:
    """The port `Identities`."""

    stored: dict[str, account.AccessKey] = field(default_factory=dict)
    own: certificates.Certificate | None = None

    def key(self, access_key_id: str) -> account.AccessKey | None:
        return self.stored.get(access_key_id)

    def put_key(self, key: account.AccessKey) -> None:
        self.stored[key.access_key_id] = key

    def enable_key(self, access_key_id: str, *, enabled: bool) -> bool:
        if access_key_id in self.stored:
            self.stored[access_key_id] = dataclasses.replace(self.stored[access_key_id], enabled=enabled)
        return access_key_id in self.stored

    def delete_key(self, access_key_id: str) -> None:
        self.stored.pop(access_key_id, None)

    def certificate(self) -> certificates.Certificate | None:
        return self.own

    def put_certificate(self, new: certificates.Certificate) -> None:
        self.own = new


@dataclass
class Vault:
    """The port `Vault`, whose seals keep nothing from anybody."""

    def seal(self, plain: bytes, *, context: str, key_id: str = "") -> bytes:
        return f"{key_id}/{context}:".encode() + plain[::-1]

    def open(self, sealed: bytes, *, context: str, own: bool = False) -> bytes:
        head, _, plain = sealed.partition(b":")
        if head != f"/{context}".encode():
            raise ports.SealBroken
        return plain[::-1]


@dataclass
class Directory:
    """The port `Directory`."""

    stored: dict[tuple[str, str, str], ram.Entity] = field(default_factory=dict)

    def get(self, account_id: str, kind: str, name: str) -> ram.Entity | None:
        return self.stored.get((account_id, kind, name))

    def get_all(self, account_id: str, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], ram.Entity]:
        found = {key: self.get(account_id, *key) for key in keys}
        return {key: entity for key, entity in found.items() if entity is not None}

    def put(self, account_id: str, entity: ram.Entity) -> bool:
        place = (account_id, entity.KIND, entity.name)
        if entity.revision != getattr(self.stored.get(place), "revision", 0):
            return False
        self.stored[place] = dataclasses.replace(entity, revision=(entity.revision or entity.created_at) + 1)
        return True

    def delete(self, account_id: str, entity: ram.Entity) -> bool:
        place = (account_id, entity.KIND, entity.name)
        if entity.revision != getattr(self.stored.get(place), "revision", None):
            return False
        del self.stored[place]
        return True

    def list(self, account_id: str, kind: str, *, after: str | None, limit: int | None) -> ram.Page:
        found = [
            entity
            for place, entity in sorted(self.stored.items())
            if place[:2] == (account_id, kind) and (after is None or entity.name > after)
        ]
        if limit is None or len(found) <= limit:
            return ram.Page(entities=tuple(found))
        return ram.Page(entities=tuple(found[:limit]), marker=found[limit - 1].name)


@dataclass
class Tokens:
    """The port `Tokens`."""

    stored: dict[str, tuple[int, ports.Taken]] = field(default_factory=dict)

    def take(self, token: str, digest: str, *, now: int, until: int) -> ports.Taken | None:
        expires_at, taken = self.stored.get(token, (0, None))
        if expires_at > now:
            return taken
        self.stored[token] = until, ports.Taken(digest=digest, outcome=None)
        return None

    def settle(self, token: str, digest: str, outcome: str, *, until: int) -> None:
        self.stored[token] = until, ports.Taken(digest=digest, outcome=outcome)

    def give_back(self, token: str) -> None:
        self.stored.pop(token, None)


@dataclass
class Acls:
    """The port `Acls`."""

    stored: dict[account.Namespace, acl.Acl] = field(default_factory=dict)

    def rules(self, namespace: account.Namespace) -> acl.Acl:
        return self.stored.get(namespace, acl.OPEN)

    def put_rules(self, namespace: account.Namespace, before: acl.Acl, after: acl.Acl) -> bool:
        if self.rules(namespace) != before:
            return False
        self.stored[namespace] = after
        return True


@dataclass
class Accounts:
    """The port `Accounts`."""

    stored: dict[account.Namespace, account.AccountAttributes] = field(default_factory=dict)
    orders: dict[account.Namespace, str] = field(default_factory=dict)

    def attributes(self, namespace: account.Namespace) -> account.AccountAttributes:
        return self.stored.get(namespace, account.AccountAttributes())

    def change(self, namespace: account.Namespace, change: account.AccountChange) -> None:
        before = self.attributes(namespace)
        self.stored[namespace] = dataclasses.replace(before, **change.named())

    def open(self, namespace: account.Namespace, order_id: str) -> str:
        return self.orders.setdefault(namespace, order_id)


@dataclass
class Topics:
    """The port `Topics`."""

    stored: dict[tuple[account.Namespace, str], topic.Topic] = field(default_factory=dict)

    def get(self, namespace: account.Namespace, name: str) -> topic.Topic | None:
        return self.stored.get((namespace, name))

    def create(self, namespace: account.Namespace, new: topic.Topic) -> topic.Topic | None:
        existing = self.stored.get((namespace, new.name))
        if existing is None:
            self.stored[namespace, new.name] = new
        return existing

    def change(
        self, namespace: account.Namespace, name: str, change: topic.TopicChange, modified_at: int
    ) -> topic.Topic | None:
        existing = self.get(namespace, name)
        if existing is None:
            return None
        changed = existing.evolve(attributes=existing.attributes.evolve(change), modified_at=modified_at)
        self.stored[namespace, name] = changed
        return changed

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        return self.stored.pop((namespace, name), None) is not None

    def list(self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int) -> topic.Page:
        names = sorted(
            name
            for where, name in self.stored
            if where == namespace and name.startswith(prefix) and (after is None or name > after)
        )
        found = tuple(self.stored[namespace, name] for name in names[:limit])
        return topic.Page(topics=found, marker=names[limit - 1] if len(names) > limit else None)

    def count(self, namespace: account.Namespace) -> int:
        return sum(where == namespace for where, _ in self.stored)

    def everywhere(self) -> Iterator[tuple[account.Namespace, topic.Topic]]:
        yield from [(namespace, item) for (namespace, _), item in self.stored.items()]


@dataclass
class Subscriptions:
    """The port `Subscriptions`."""

    stored: dict[tuple[account.Namespace, str, str], subscription.Subscription] = field(default_factory=dict)

    def get(self, namespace: account.Namespace, topic_id: str, name: str) -> subscription.Subscription | None:
        return self.stored.get((namespace, topic_id, name))

    def create(self, new: subscription.Subscription) -> subscription.Subscription | None:
        key = new.namespace, new.topic_id, new.name
        existing = self.stored.get(key)
        if existing is None:
            self.stored[key] = new
        return existing

    def change(
        self, of: subscription.Subscription, change: subscription.SubscriptionChange, modified_at: int
    ) -> subscription.Subscription | None:
        key = of.namespace, of.topic_id, of.name
        existing = self.stored.get(key)
        if existing is None:
            return None
        self.stored[key] = existing.evolve(attributes=existing.attributes.evolve(change), modified_at=modified_at)
        return self.stored[key]

    def delete(self, namespace: account.Namespace, topic_id: str, name: str) -> bool:
        return self.stored.pop((namespace, topic_id, name), None) is not None

    def list(
        self, namespace: account.Namespace, topic_id: str, *, prefix: str, after: str | None, limit: int
    ) -> subscription.Page:
        found = [
            item
            for item in self.all(namespace, topic_id)
            if item.name.startswith(prefix) and (after is None or item.name > after)
        ]
        marker = found[limit - 1].name if len(found) > limit else None
        return subscription.Page(subscriptions=tuple(found[:limit]), marker=marker)

    def all(self, namespace: account.Namespace, topic_id: str) -> tuple[subscription.Subscription, ...]:
        return tuple(self.stored[key] for key in sorted(self.stored, key=str) if key[:2] == (namespace, topic_id))

    def purge(self, namespace: account.Namespace, of: topic.Topic) -> None:
        for item in self.all(namespace, of.topic_id):
            self.delete(namespace, of.topic_id, item.name)


@dataclass
class Publications:
    """The port `Publications`; `full` names the partitions that take no more at the moment."""

    stored: dict[ports.PublicationKey, publication.Publication] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)

    def put(self, new: publication.Publication) -> None:
        if topic.partition(new.topic_id, new.shard) in self.full:
            raise errors.TooManyRequests
        self.stored[new.topic_id, new.shard, new.message_id] = new

    def put_once(self, new: publication.Publication) -> bool:
        if any(each.message_id == new.message_id for each in self.stored.values()):
            return False
        self.put(new)
        return True

    def get_all(self, keys: Sequence[ports.PublicationKey]) -> Mapping[ports.PublicationKey, publication.Publication]:
        return {key: self.stored[key] for key in keys if key in self.stored}


@dataclass
class Deliveries:
    """The port `Deliveries`; while `is_full` it takes nothing."""

    stored: dict[tuple[str, str], delivery.Delivery] = field(default_factory=dict)
    is_full: bool = False

    def put(self, new: delivery.Delivery) -> bool:
        if self.is_full:
            raise errors.TooManyRequests
        key = new.subscription_id, new.message_id
        return self.stored.setdefault(key, new) is new

    def record(self, before: delivery.Delivery, after: delivery.Delivery) -> bool:
        if self.is_full:
            raise errors.TooManyRequests
        key = before.subscription_id, before.message_id
        now = self.stored[key]
        if now.state is not delivery.State.PENDING or len(now.attempts) != len(before.attempts):
            return False
        self.stored[key] = after
        return True

    def due(self, now: int, *, limit: int, besides: frozenset[tuple[str, str]] = frozenset()) -> ports.Due:
        pending = sorted(
            (item for key, item in self.stored.items() if item.due_at is not None and key not in besides),
            key=lambda item: item.due_at,
        )
        due = [item for item in pending if item.due_at <= now][:limit]
        rest = pending[len(due) :]
        return ports.Due(deliveries=tuple(due), next_due=rest[0].due_at if rest else None)

    def newest(self, subscription_id: str, *, limit: int) -> Sequence[delivery.Delivery]:
        found = [item for item in self.stored.values() if item.subscription_id == subscription_id]
        return sorted(found, key=lambda item: item.message_id, reverse=True)[:limit]

"""Making what a dump holds, and moving messages; each step may be taken again, and only does what is still to do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from infra.migration import dump
from infra.migration import service as services

_HOPELESS = 64  # messages that a target has refused one and all, after which no more are tried
_FIXED_OF_SUBSCRIPTIONS = frozenset({"endpoint", "filter_tag", "notify_content_format"})
_ENDPOINT_PARTS = 5  # of acs:mns:{region}:{account}:queues/{name}


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is, or would be, done about one resource."""

    kind: str  # queue, topic or subscription
    name: str
    outcome: str  # same, created, updated, different, failed; in a dry run: same, missing, different
    differences: Mapping[str, tuple[object, object]] = field(default_factory=dict)  # what it is, what is wanted
    detail: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the resource is as the dump wants it."""
        return self.outcome in ("same", "created", "updated")


@dataclass(frozen=True, kw_only=True)
class How:
    """How far a run may go."""

    update: bool = False  # change what is there and differs
    dry_run: bool = False  # change nothing


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where queues are that subscriptions name; empty: as in the dump."""

    account_id: str = ""
    region: str = ""

    def adapt(self, wanted: dump.Subscription) -> dump.Subscription:
        """The subscription with a queue of its own account as a queue of the new one."""
        address = wanted.attributes["endpoint"]
        parts = address.split(":")
        if not address.startswith("acs:mns:") or len(parts) != _ENDPOINT_PARTS:
            return wanted
        parts[2], parts[3] = self.region or parts[2], self.account_id or parts[3]
        return dump.Subscription(name=wanted.name, attributes={**wanted.attributes, "endpoint": ":".join(parts)})


def export(source: services.Service, say: Callable[[str], object]) -> dump.Dump:
    """Read everything."""
    queues = []
    for queue in source.queues():
        queues.append(queue)
        say(f"{len(queues)} queues")
    topics = []
    for topic in source.topics():
        topics.append(topic)
        say(f"{len(queues)} queues, {len(topics)} topics")
    return dump.Dump(source=source.endpoint, queues=tuple(queues), topics=tuple(topics))


def make(wanted: dump.Dump, target: services.Service, place: Place, how: How) -> Iterator[Step]:
    """Make every queue, topic and subscription that is not there, queues first, for subscriptions name them."""
    for queue in wanted.queues:
        work = _Work(
            kind="queue",
            name=queue.name,
            wanted=queue.attributes,
            find=partial(target.queue, queue.name),
            put=partial(target.put_queue, queue),
        )
        yield _step(work, how)
    for topic in wanted.topics:
        work = _Work(
            kind="topic",
            name=topic.name,
            wanted=topic.attributes,
            find=partial(target.topic, topic.name),
            put=partial(target.put_topic, topic),
        )
        yield _step(work, how)
        for given in topic.subscriptions:
            adapted = place.adapt(given)
            work = _Work(
                kind="subscription",
                name=f"{topic.name}/{adapted.name}",
                wanted=adapted.attributes,
                find=partial(target.subscription, topic.name, adapted.name),
                put=partial(target.put_subscription, topic.name, adapted),
                fixed=_FIXED_OF_SUBSCRIPTIONS,
            )
            yield _step(work, how)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """One resource that should be as the dump says."""

    kind: str
    name: str
    wanted: Mapping[str, object]
    find: Callable[[], dump.Queue | dump.Topic | dump.Subscription | None]
    put: Callable[..., None]  # with `new`
    fixed: frozenset[str] = frozenset()  # attributes that cannot be changed


def _step(work: _Work, how: How) -> Step:
    """Do what is to be done about one resource."""
    try:
        there = work.find()
        if there is None:
            if not how.dry_run:
                work.put(new=True)
            return Step(kind=work.kind, name=work.name, outcome="missing" if how.dry_run else "created")
        found: Mapping[str, object] = there.attributes
        differences = {
            name: (found.get(name), value) for name, value in work.wanted.items() if found.get(name) != value
        }
        if not differences:
            return Step(kind=work.kind, name=work.name, outcome="same")
        fixed = sorted(work.fixed & set(differences))
        if fixed:
            detail = f"{', '.join(fixed)} cannot be changed: unsubscribe it first"
            return Step(kind=work.kind, name=work.name, outcome="different", differences=differences, detail=detail)
        if not how.update or how.dry_run:
            return Step(kind=work.kind, name=work.name, outcome="different", differences=differences)
        work.put(new=False)
        return Step(kind=work.kind, name=work.name, outcome="updated", differences=differences)
    except services.ServiceError as error:
        return Step(kind=work.kind, name=work.name, outcome="failed", detail=str(error))


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What became of the messages of one queue."""

    queue: str
    moved: int = 0  # at the target, and no longer at the source
    kept: int = 0  # could not be sent, and stay at the source
    detail: str = ""  # the first thing that went wrong


def copy(
    queue: str, source: services.Service, target: services.Service, *, most: int | None, say: Callable[[int], object]
) -> Copied:
    """Move Active messages, at most so many: receive, send, and delete only what the target has acknowledged.

    Who is stopped in between has lost nothing: what was sent and not yet deleted becomes visible at the source again,
    and goes a second time. So of those in hand, a batch at most, some may come twice.
    """
    moved, kept, detail = 0, 0, ""
    try:
        while most is None or moved + kept < most:
            received = source.receive(
                queue, services.BATCH if most is None else min(services.BATCH, most - moved - kept)
            )
            if not received:
                break
            for batch in _batches(received):
                errors = target.send(queue, batch)
                done = [each.receipt_handle for each, error in zip(batch, errors, strict=True) if error is None]
                if done:
                    source.delete(queue, done)
                moved += len(done)
                kept += len(batch) - len(done)
                detail = detail or next((error for error in errors if error), "")
                say(moved)
            if kept >= _HOPELESS and not moved:
                break
    except services.ServiceError as error:
        detail = detail or str(error)
    return Copied(queue=queue, moved=moved, kept=kept, detail=detail)


def _batches(received: Sequence[Any]) -> Iterator[list[Any]]:
    """What may be sent together: a batch has a size."""
    batch: list[Any] = []
    size = 0
    for each in received:
        bytes_ = len(each.message_body.encode())
        if batch and size + bytes_ > services.BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += bytes_
    if batch:
        yield batch

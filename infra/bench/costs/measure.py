"""The units that each operation really consumes, counted where the engine is called."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from chalicelib import bootstrap, settings
from chalicelib.api import operations, waiting
from chalicelib.model import (
    account,
    delivery,
    errors,
    limits,
    message,
    publication,
    queue,
    resource,
    subscription,
    topic,
)
from chalicelib.storage import schema
from chalicelib.wire import http
from infra.bench import listening
from infra.bench.contention import world
from infra.bench.costs import meter
from infra.embedded.engine import EmbeddedEngine
from infra.local import certificates, vault
from infra.local import engine as engines

NAMESPACE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")
SMALL = 512  # bytes of a body that fits one write unit with the state
SIZES = (SMALL, 1_024, 4_096, 65_536)  # bytes of a body
LINES = (256, 600, 1_024, 2_048, 4_096, 16_384, 65_536)  # between which the line for inline bodies is sought
_ALWAYS = 400_000  # bytes: whatever a queue takes is kept with the state
WAITS = (0, 5, 10, 20, 25, 30)  # seconds of a long poll
IDLE_QUEUES = 100
_BATCH = limits.BATCH_SIZE.high
_TALLIED = (1, 10, 100, 1_000)
_ORDERED = resource.Type.FIFO


@dataclass(frozen=True, kw_only=True)
class Way:
    """How messages of a FIFO queue come: a message's price is that of its group, which changes with it."""

    name: str
    at_once: int  # messages in a call
    groups: int  # that the messages of a call are in
    behind: bool = False  # whether each group has a message at any time


WAYS = (
    Way(name="one by one, alone in their groups", at_once=1, groups=1),
    Way(name="one by one, a group behind each", at_once=1, groups=1, behind=True),
    Way(name="16 at once, of 16 groups", at_once=_BATCH, groups=_BATCH),
    Way(name="16 at once, of 1 group", at_once=_BATCH, groups=1),
)


@dataclass(frozen=True, kw_only=True)
class Use:
    """What one call consumes."""

    calls: int = 0  # of DynamoDB
    rounds: int = 0  # of calls made side by side, one after the other
    write_units: float = 0.0
    read_units: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Poll:
    """A long poll that finds nothing."""

    wait: int  # seconds
    looks: int
    use: Use


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Everything that was counted."""

    single: dict[int, dict[str, Use]]  # by bytes of the body, by operation
    batch: dict[int, dict[str, Use]]  # the same for 16 at once, each call as a whole
    fifo: dict[str, dict[int, dict[str, Use]]]  # the same of FIFO queues, by the names of `WAYS`
    topics: dict[str, Use]
    background: dict[str, Use]
    polls: tuple[Poll, ...]
    apart: dict[int, tuple[Use, Use]]  # by bytes of the body: a life with the body apart, and with the state


class _Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += round(seconds * 1000)


class _AtOnce:
    """Lanes in which a push is made while it is submitted."""

    def submit(self, lane: str, call: Callable[[], None]) -> bool:  # noqa: ARG002  # there is one lane
        call()
        return True

    def wait(self, seconds: float | None) -> bool:  # noqa: ARG002  # nothing is under way
        return True


class Bench:
    """The application on an engine whose calls are counted, in time that is moved by hand."""

    def __init__(self, inline_bytes: int = settings.Settings.inline_bytes) -> None:
        self.clock = _Clock(int(world.START))
        self.engine = EmbeddedEngine(None, now=self.clock.now)
        decided = settings.Settings(inline_bytes=inline_bytes, push_allow="127.0.0.0/8")
        engines.make_tables(self.engine, decided.table_prefix)
        self.meter = meter.Meter(self.engine)
        self.application = bootstrap.build(
            decided,
            engine=self.meter,
            clock=self.clock,
            ids=world.Ids(world.World()),
            fan=self.meter.fan,
            pushes=_AtOnce(),
            vault=vault.in_memory(),
            make_certificate=certificates.make,
            read_key=certificates.read_key,
        )
        self.verbs = self.application.verbs
        self.create("costs")

    def create(self, name: str, kind: resource.Type = resource.Type.NORMAL) -> None:
        """Make a queue, and know it from then on."""
        self.verbs.queues.create(NAMESPACE, name, queue.QueueChange(), kind=kind)
        self.verbs.queues.find(NAMESPACE, name)

    def count(self, act: Callable[[], object]) -> Use:
        """What the calls of `act` consume."""
        self.meter.reset()
        act()
        return Use(
            calls=len(self.meter.calls),
            rounds=self.meter.rounds,
            write_units=self.meter.write_units,
            read_units=self.meter.read_units,
        )

    def records_of(self, table: schema.Table) -> list[dict[str, Any]]:
        """All records of a table's stream."""
        name = self.application.settings.table_prefix + table.name
        arn = self.engine.describe_table(TableName=name)["Table"]["LatestStreamArn"]
        [shard] = self.engine.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        start = self.engine.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        found: list[dict[str, Any]] = self.engine.get_records(ShardIterator=start["ShardIterator"])["Records"]
        return found

    def close(self) -> None:
        """Let go of everything."""
        self.application.close()
        self.engine.close()


def run() -> Counted:
    """Count everything."""
    single = {size: _single(size) for size in SIZES}
    batch = {size: _batch(size) for size in SIZES if size * _BATCH <= limits.BATCH_BYTES}
    batch |= {size: _batch_of_large(size) for size in SIZES if size not in batch}
    return Counted(
        single=single,
        batch=batch,
        fifo={way.name: {size: _fifo(size, way) for size in SIZES} for way in WAYS},
        topics=_topics(),
        background=_background(),
        polls=tuple(_poll(seconds) for seconds in WAITS),
        apart={size: (_life(size, 0), _life(size, _ALWAYS)) for size in LINES},
    )


def _life(size: int, inline_bytes: int) -> Use:
    """A message that is sent, received and deleted."""
    with contextlib.closing(Bench(inline_bytes)) as bench:
        verbs, handles = bench.verbs.messages, _Handles()

        def live() -> None:
            verbs.send(NAMESPACE, "costs", _draft(size))
            handles.take(verbs.receive(NAMESPACE, "costs", 1))
            verbs.delete(NAMESPACE, "costs", handles.every[0])

        return bench.count(live)


def _single(size: int) -> dict[str, Use]:
    """One message, step by step."""
    with contextlib.closing(Bench()) as bench:
        verbs, handles = bench.verbs.messages, _Handles()
        found = {"SendMessage": bench.count(lambda: verbs.send(NAMESPACE, "costs", _draft(size)))}
        found["PeekMessage"] = bench.count(lambda: verbs.peek(NAMESPACE, "costs", limit=1))
        found["ReceiveMessage"] = bench.count(lambda: handles.take(verbs.receive(NAMESPACE, "costs", 1)))
        postponed: list[message.Postponed] = []
        found["ChangeMessageVisibility"] = bench.count(
            lambda: postponed.append(verbs.change_visibility(NAMESPACE, "costs", handles.every[0], 60))
        )
        handle = postponed[0].receipt_handle
        found["DeleteMessage"] = bench.count(lambda: verbs.delete(NAMESPACE, "costs", handle))
        found["ReceiveMessage, nothing there"] = bench.count(lambda: verbs.receive(NAMESPACE, "costs", 1))
    return found


def _fifo(size: int, way: Way) -> dict[str, Use]:
    """The life of what is in order: one message, or a batch."""
    drafts = [message.Draft(body="x" * size, group_id=f"g{number % way.groups}") for number in range(way.at_once)]
    with contextlib.closing(Bench()) as bench:
        verbs, handles, found = bench.verbs.messages, _Handles(), {}
        bench.create("ordered", _ORDERED)
        if way.behind:
            verbs.send(NAMESPACE, "ordered", drafts[0])
        if size * way.at_once <= limits.BATCH_BYTES and way.at_once > 1:
            found["BatchSendMessage"] = bench.count(lambda: verbs.send_batch(NAMESPACE, "ordered", drafts))
        else:
            sent = [bench.count(partial(verbs.send, NAMESPACE, "ordered", draft)) for draft in drafts]
            found["SendMessage"] = sent[-1]
        batch = "Batch" if way.at_once > 1 else ""
        found[f"{batch}ReceiveMessage"] = bench.count(
            lambda: handles.take(verbs.receive(NAMESPACE, "ordered", way.at_once))
        )
        if way.at_once > 1:
            assert len(handles.every) == way.at_once  # noqa: S101  # less would be counted as the same
            found["BatchDeleteMessage"] = bench.count(lambda: verbs.delete_batch(NAMESPACE, "ordered", handles.every))
            return found
        postponed: list[message.Postponed] = []
        found["ChangeMessageVisibility"] = bench.count(
            lambda: postponed.append(verbs.change_visibility(NAMESPACE, "ordered", handles.every[0], 60))
        )
        handle = postponed[0].receipt_handle
        found["DeleteMessage"] = bench.count(lambda: verbs.delete(NAMESPACE, "ordered", handle))
        if not way.behind:
            found["ReceiveMessage, nothing there"] = bench.count(lambda: verbs.receive(NAMESPACE, "ordered", 1))
    return found


def _batch(size: int) -> dict[str, Use]:
    """The lives of sixteen at once."""
    with contextlib.closing(Bench()) as bench:
        sent = bench.count(lambda: bench.verbs.messages.send_batch(NAMESPACE, "costs", [_draft(size)] * _BATCH))
        return {"BatchSendMessage": sent} | _received(bench)


def _batch_of_large(size: int) -> dict[str, Use]:
    """The same where they are too large to be sent together."""
    with contextlib.closing(Bench()) as bench:
        sent = [bench.count(lambda: bench.verbs.messages.send(NAMESPACE, "costs", _draft(size))) for _ in range(_BATCH)]
        return {"SendMessage": sent[-1]} | _received(bench)


def _received(bench: Bench) -> dict[str, Use]:
    handles = _Handles()
    verbs = bench.verbs.messages
    received = bench.count(lambda: handles.take(verbs.receive(NAMESPACE, "costs", _BATCH)))
    deleted = bench.count(lambda: verbs.delete_batch(NAMESPACE, "costs", handles.every))
    return {"BatchReceiveMessage": received, "BatchDeleteMessage": deleted}


def _topics() -> dict[str, Use]:
    """Publishing a small message, and what follows."""
    with contextlib.closing(Bench()) as bench:
        bench.verbs.topics.create(NAMESPACE, "news", topic.TopicChange())
        _publish(bench)
        found = {"PublishMessage": bench.count(lambda: _publish(bench))}
    with contextlib.closing(Bench()) as bench:
        bench.verbs.topics.create(NAMESPACE, "news", topic.TopicChange(), kind=_ORDERED)
        _publish(bench, "g")
        found["PublishMessage to a FIFO topic"] = bench.count(lambda: _publish(bench, "g"))
    found |= {"Fan-out into 1 queue": _fan_out(1), "Fan-out into 10 queues": _fan_out(10)}
    found["Fan-out of a FIFO topic into 1 FIFO queue"] = _fan_out_in_order()
    taking = listening.Listener(lambda _: listening.Answer(status=204))
    with contextlib.closing(Bench()) as bench, contextlib.closing(taking):
        published = _subscribed(bench, [f"{taking.url}/push"])
        bench.application.fan_out.run(published)
        bench.application.deliver.run(_new_deliveries(bench))
        published.append(_publish(bench))
        fan_out = bench.count(lambda: bench.application.fan_out.run(published[-1:]))
        pending = _new_deliveries(bench)[-1:]
        push = bench.count(lambda: bench.application.deliver.run(pending))
        [newest] = bench.application.log.read(limit=1)
        assert newest.state is delivery.State.DELIVERED, newest  # noqa: S101  # a retry would be counted otherwise
    found["Fan-out to 1 web server"] = fan_out
    found["HTTP push that succeeds"] = push
    return found


def _fan_out(queues: int) -> Use:
    """Bringing one message into so many queues."""
    with contextlib.closing(Bench()) as bench:
        for number in range(queues):
            bench.create(f"target-{number}")
        address = f"acs:mns:{NAMESPACE.region}:{NAMESPACE.account_id}:queues/target-"
        published = _subscribed(bench, [f"{address}{number}" for number in range(queues)])
        return bench.count(lambda: bench.application.fan_out.run(published))


def _fan_out_in_order() -> Use:
    """Bringing one message of a FIFO topic into a FIFO queue, behind the one before: the stream tells its key only."""
    with contextlib.closing(Bench()) as bench:
        bench.create("ordered", _ORDERED)
        bench.verbs.topics.create(NAMESPACE, "news", topic.TopicChange(), kind=_ORDERED)
        address = f"acs:mns:{NAMESPACE.region}:{NAMESPACE.account_id}:queues/ordered"
        bench.verbs.subscriptions.subscribe(
            NAMESPACE, "news", "s", subscription.SubscriptionAttributes(endpoint=address)
        )

        def follow(new: publication.Publication) -> None:
            found = bench.application.fan_out.load([("1", (new.topic_id, new.shard, new.message_id))])
            bench.application.fan_out.run([item for _, item in found])

        follow(_publish(bench, "g"))
        new = _publish(bench, "g")
        return bench.count(lambda: follow(new))


def _tally(changes: int) -> Use:
    """Counting so many changes of one shard that come in one batch, not the first one."""
    with contextlib.closing(Bench()) as bench:
        for _ in range(changes + 1):
            bench.verbs.messages.send(NAMESPACE, "costs", _draft(SMALL))
        first, *rest = bench.records_of(schema.MESSAGES)
        bench.application.count.run(list(bench.application.read_changes([first])))
        return bench.count(lambda: bench.application.count.run(list(bench.application.read_changes(rest))))


def _subscribed(bench: Bench, endpoints: Sequence[str]) -> list[publication.Publication]:
    """A topic with these endpoints, and what was published to it: one message, which warms what is remembered."""
    bench.verbs.topics.create(NAMESPACE, "news", topic.TopicChange())
    for number, address in enumerate(endpoints):
        bench.verbs.subscriptions.subscribe(
            NAMESPACE, "news", f"s{number}", subscription.SubscriptionAttributes(endpoint=address)
        )
    return [_publish(bench)]


def _publish(bench: Bench, group_id: str | None = None) -> publication.Publication:
    draft = publication.Draft(body="x" * SMALL, group_id=group_id)
    return bench.verbs.publications.publish(NAMESPACE, "news", draft)


def _new_deliveries(bench: Bench) -> list[delivery.Delivery]:
    return list(bench.application.read_deliveries(bench.records_of(schema.DELIVERIES)))


def _background() -> dict[str, Use]:
    """What goes on behind the requests."""
    found = {f"Tally of {changes:,} change{'s' * (changes > 1)}": _tally(changes) for changes in _TALLIED}
    with contextlib.closing(Bench()) as bench:
        bench.verbs.messages.send(NAMESPACE, "costs", _draft(SMALL))
        bench.verbs.messages.receive(NAMESPACE, "costs", 1)
        bench.application.release.run()
        bench.clock.sleep(31)
        found["Release of 1 message"] = bench.count(bench.application.release.run)
        found["Release, 1 queue at rest"] = bench.count(bench.application.release.run)
        for number in range(IDLE_QUEUES - 1):
            bench.create(f"idle-{number}")
        found[f"Release, {IDLE_QUEUES} queues at rest"] = bench.count(bench.application.release.run)
        found["Redeliver, nothing due"] = bench.count(lambda: bench.application.redeliver.run(seconds=0))
    return found


def _poll(seconds: int) -> Poll:
    """A long poll that finds nothing, waiting as a Lambda function does."""
    with contextlib.closing(Bench()) as bench:
        waiter = waiting.SleepingWaiter(bench.clock)
        looks = 0

        def wait() -> None:
            nonlocal looks
            polled = bench.verbs.messages.poll(NAMESPACE, "costs", limit=1, wait_seconds=seconds)
            with contextlib.suppress(errors.MessageNotExist):
                while True:
                    looks += 1
                    polled.look()
                    waiter.wait(
                        operations.Waiting(
                            queue_id=polled.queue_id,
                            deadline=polled.deadline,
                            next_due=polled.next_due,
                            resume=lambda: http.Response(status=0),
                        ),
                        mark=0,
                        looks=looks,
                    )

        use = bench.count(wait)
        return Poll(wait=seconds, looks=looks, use=use)


def _draft(size: int) -> message.Draft:
    return message.Draft(body="x" * size)


class _Handles:
    """The receipt handles of what was received."""

    def __init__(self) -> None:
        self.every: list[str] = []

    def take(self, outcome: tuple[object, Sequence[message.Received], object]) -> None:
        self.every = [item.receipt_handle for item in outcome[1]]

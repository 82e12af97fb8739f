"""From units to dollars: the arithmetic of the bill, without anything of its own to know."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.model import limits
from infra.bench.costs import measure, prices

MILLION = 1_000_000
_BATCH = limits.BATCH_SIZE.high
_RETAINED_SECONDS = limits.MESSAGE_RETENTION_PERIOD.default + limits.TTL_SLACK_SECONDS
_CHANGES = 3  # of a message's state: sent, received, deleted
_TALLIED_AT = 30  # changes in an invocation: ten messages a second to a shard, at a batch window of one second


@dataclass(frozen=True, kw_only=True)
class Door:
    """What stands in front of the function."""

    name: str
    request: prices.Price
    chunk_bytes: int | None = None  # requests and answers are counted in these


DOORS = (
    Door(name="REST API", request=prices.REST),
    Door(name="HTTP API", request=prices.HTTP, chunk_bytes=prices.HTTP_CHUNK_BYTES),
    Door(name="function URL", request=prices.URL),
)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """US dollars for a million messages, end to end: sent, received, deleted."""

    size: int  # bytes of a body
    calls: str  # how many messages go together
    tables: float  # DynamoDB's reads and writes
    function: float  # Lambda
    storage: float  # bodies that stand apart until they are swept
    counting: float  # the tally behind it
    doors: dict[str, float]  # the gateway, by door
    sqs_standard: float
    sqs_fifo: float
    smq: float  # Alibaba's own, its queues' days apart

    def total(self, door: Door) -> float:
        """Everything, behind a door."""
        return self.tables + self.function + self.storage + self.counting + self.doors[door.name]


@dataclass(frozen=True, kw_only=True)
class Call:
    """Calls of the API for one message: a call for a batch is a part of one."""

    use: measure.Use
    messages: int  # that it is for
    bytes: int  # that go over the wire, about


def bill(counted: measure.Counted, size: int, *, batched: bool) -> Bill:
    """The bill for messages of one size."""
    uses = counted.batch[size] if batched else counted.single[size]
    return _bill(counted, uses, size, "16 at once" if batched else "one by one", batched=batched)


def in_order(counted: measure.Counted, size: int, way: measure.Way) -> Bill:
    """The same for messages of a FIFO queue."""
    return _bill(counted, counted.fifo[way.name][size], size, way.name, batched=way.at_once > 1)


def _bill(
    counted: measure.Counted, uses: Mapping[str, measure.Use], size: int, calls_are: str, *, batched: bool
) -> Bill:
    calls = [
        Call(use=uses[name], messages=_messages(name), bytes=_bytes(name, size))
        for name in uses
        if name.removeprefix("Batch") in ("SendMessage", "ReceiveMessage", "DeleteMessage")
    ]
    per_call = [(1 / call.messages, call) for call in calls]
    units = per_call_chunks(calls)
    return Bill(
        size=size,
        calls=calls_are,
        tables=sum(share * table_price(call.use) for share, call in per_call),
        function=sum(share * function_price(call.use, prices.MEMORY_MB) for share, call in per_call),
        storage=_storage(counted, size),
        counting=_counting(counted),
        doors={door.name: sum(share * _gateway(door, call) for share, call in per_call) for door in DOORS},
        sqs_standard=prices.SQS_STANDARD.usd * _sqs_requests(size, batched=batched),
        sqs_fifo=prices.SQS_FIFO.usd * _sqs_requests(size, batched=batched),
        smq=prices.SMQ_REQUESTS.usd * units,
    )


def table_price(use: measure.Use) -> float:
    """Dollars of a million such calls, for DynamoDB."""
    return use.write_units * prices.WRITE_UNITS.usd + use.read_units * prices.READ_UNITS.usd


def function_price(use: measure.Use, memory_mb: int) -> float:
    """Dollars of a million such invocations, for Lambda."""
    seconds = prices.HANDLER_SECONDS + use.rounds * prices.TRIP_SECONDS
    return prices.INVOCATIONS.usd + time_price(seconds, memory_mb) * MILLION


def time_price(seconds: float, memory_mb: int) -> float:
    """Dollars for the time of one function."""
    return seconds * memory_mb / 1024 * prices.GB_SECONDS.usd


def per_call_chunks(calls: Iterable[Call]) -> float:
    """Requests for one message, counted in chunks of 64 KB as SMQ does."""
    return sum(chunks(call.bytes, prices.CHUNK_BYTES) / call.messages for call in calls)


def chunks(size: int, chunk: int) -> int:
    """How many chunks so many bytes are counted as."""
    return max(1, -(-size // chunk))


@dataclass(frozen=True, kw_only=True)
class Idle:
    """US dollars a month of a consumer that polls an empty queue without a pause."""

    wait: int  # seconds
    polls: float
    looks: int
    tables: float
    function: float
    doors: dict[str, float]
    sqs: float  # the same polls at SQS, of 20 s at most


def idle(poll: measure.Poll) -> Idle:
    """What such a consumer costs."""
    seconds = poll.wait + prices.HANDLER_SECONDS + poll.use.rounds / poll.looks * prices.TRIP_SECONDS
    polls = prices.MONTH_SECONDS / seconds
    return Idle(
        wait=poll.wait,
        polls=polls,
        looks=poll.looks,
        tables=polls / MILLION * table_price(poll.use),
        function=polls * (prices.INVOCATIONS.usd / MILLION + time_price(seconds, prices.MEMORY_MB)),
        doors={door.name: polls / MILLION * door.request.usd for door in DOORS},
        sqs=prices.MONTH_SECONDS
        / max(seconds if poll.wait <= _SQS_WAIT else _SQS_WAIT, 0.01)
        / MILLION
        * prices.SQS_STANDARD.usd,
    )


_SQS_WAIT = 20  # seconds, its longest poll


def resting(counted: measure.Counted) -> float:
    """Dollars a month of 100 queues in which nothing happens: the two functions that run each minute."""
    minutes = prices.MONTH_SECONDS / 60
    uses = [
        (counted.background[f"Release, {measure.IDLE_QUEUES} queues at rest"], prices.BACKGROUND_MB),
        (counted.background["Redeliver, nothing due"], prices.MEMORY_MB),
    ]
    return minutes / MILLION * sum(table_price(use) + function_price(use, memory) for use, memory in uses)


def waiting_release() -> float:
    """Dollars a month of the time of a `release` that always has something to wait for."""
    return prices.MONTH_SECONDS / 60 * time_price(limits.RELEASE_WINDOW_SECONDS, prices.BACKGROUND_MB)


def _messages(name: str) -> int:
    return _BATCH if name.startswith("Batch") else 1


def _bytes(name: str, size: int) -> int:
    return 0 if "Delete" in name else size * _messages(name)


def _gateway(door: Door, call: Call) -> float:
    return door.request.usd * (1 if door.chunk_bytes is None else chunks(call.bytes, door.chunk_bytes))


def _storage(counted: measure.Counted, size: int) -> float:
    """Bodies that stand apart lie in their table until time to live has swept them."""
    use = counted.single[size]["SendMessage"]
    if use.calls == 1:
        return 0.0
    return size * MILLION / 1024**3 * _RETAINED_SECONDS / prices.MONTH_SECONDS * prices.STORAGE.usd


def _counting(counted: measure.Counted) -> float:
    use = counted.background["Tally of 10 changes"]  # the same for any number
    each = table_price(use) + function_price(use, prices.BACKGROUND_MB)
    return each * _CHANGES / _TALLIED_AT


def _sqs_requests(size: int, *, batched: bool) -> float:
    """Requests that SQS counts for one message: send, receive, delete."""
    if not batched:
        return 2 * chunks(size, prices.CHUNK_BYTES) + 1
    full = chunks(size * prices.SQS_BATCH, prices.CHUNK_BYTES) / prices.SQS_BATCH
    return 2 * full + 1 / prices.SQS_BATCH


def sizes(counted: measure.Counted) -> Sequence[int]:
    """The sizes there are bills for."""
    return tuple(counted.single)

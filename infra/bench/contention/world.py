"""Virtual time: actors that run one at a time, each until it waits, always the one whose moment comes first.

Nothing here sleeps, and with the same seed everything happens in the same order.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from greenlet import getcurrent, greenlet

from chalicelib import clock as clocks
from chalicelib.storage import client, errors

T = TypeVar("T")
R = TypeVar("R")

Place = tuple[str, str]  # of an item: its table, its key

START = 1_704_164_645_000.0  # ms; any moment would do
TRIP = (0.003, 0.007)  # seconds of a round trip to DynamoDB, either number at the extremes
TRANSACTION = 0.005  # seconds that a transaction keeps others from writing its items (assumed: a trip within DynamoDB)
RETRIES = 3  # of a refused call: what `bootstrap` sets, in botocore's standard mode
_REFUSED = "ProvisionedThroughputExceededException"
_LOST = "ConditionalCheckFailedException"


class World:
    """A clock that jumps from one moment at which something happens to the next."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)  # noqa: S311  # a model, no secret
        self._now = START
        self.numbers = itertools.count()
        self._agenda: list[tuple[float, int, greenlet]] = []
        self._hub = getcurrent()
        self._taken: dict[Place, float] = {}  # items of transactions under way, and when these end

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return int(self._now)

    def exact(self) -> float:
        """The same with its fraction."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let the others act for a while."""
        self._plan(seconds, getcurrent())
        self._hub.switch()

    def start(self, act: Callable[[], None], after: float = 0.0) -> None:
        """Add an actor."""
        self._plan(after, greenlet(act, parent=self._hub))

    def run(self, seconds: float) -> None:
        """Let the actors act for so long; what they are at then is left undone."""
        end = self._now + seconds * 1000
        while self._agenda and self._agenda[0][0] <= end:
            self._now, _, actor = heapq.heappop(self._agenda)
            actor.switch()
        self._now = end

    def are_free(self, places: Iterable[Place]) -> bool:
        """Whether no transaction is under way on any of these items."""
        return not any(self._taken.get(place, 0.0) > self._now for place in places)

    def take(self, places: Iterable[Place]) -> None:
        """Begin a transaction on items, and stay until it is over."""
        self._taken.update(dict.fromkeys(places, self._now + TRANSACTION * 1000))
        self.sleep(TRANSACTION)

    def side_by_side(self, call: Callable[[T], R], arguments: Sequence[T], /) -> Iterable[R]:
        """The fan of a process: independent calls under way at once."""
        if len(arguments) <= 1:
            return [call(argument) for argument in arguments]
        waiting = getcurrent()
        outcomes: list[Any] = [None] * len(arguments)
        failures: list[Exception] = []
        left = len(arguments)

        def one(place: int) -> None:
            nonlocal left
            try:
                outcomes[place] = call(arguments[place])
            except Exception as error:  # noqa: BLE001  # it is raised where the calls were made
                failures.append(error)
            left -= 1
            if not left:
                self._plan(0, waiting)

        for place in range(len(arguments)):
            self.start(lambda place=place: one(place))  # type: ignore[misc]  # mypy cannot infer a default's type
        self._hub.switch()
        if failures:
            raise failures[0]
        return outcomes

    def _plan(self, seconds: float, actor: greenlet) -> None:
        heapq.heappush(self._agenda, (self._now + seconds * 1000, next(self.numbers), actor))


class Ids(clocks.RandomIds):
    """Ids that decide something here are drawn from a world's chance, so that a run is the same each time."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def message_id(self, now: int) -> str:
        """Time, a sequence, chance."""
        return f"{now:012X}{next(self._world.numbers) & 0xFFFF:04X}{self._chance(16).upper()}"

    def queue_id(self) -> str:
        """16 hex digits."""
        return self._chance(16)

    def stamp(self) -> str:
        """12 hex digits."""
        return self._chance(12)

    def pick(self, count: int) -> int:
        """A number from 0 to `count` - 1."""
        return self._world.random.randrange(count) if count > 1 else 0

    def _chance(self, digits: int) -> str:
        return f"{self._world.random.getrandbits(4 * digits):0{digits}x}"


class Remote:
    """An engine at the other end of a network, reached through a client that tries again as `bootstrap` has boto3's do.

    In its standard mode botocore waits a random part of 1 s, 2 s, 4 s … after a call that was throttled.

    Args:
        engine: what is there.
        world: whose time passes meanwhile.
        retries: after a refusal.
    """

    def __init__(self, engine: client.Client, world: World, retries: int = RETRIES) -> None:
        self._engine = engine
        self._world = world
        self._retries = retries
        self.trips = 0
        self.lost = 0  # conditional writes that others were faster at
        self.put_item = self._reaching(engine.put_item, _written)
        self.get_item = self._reaching(engine.get_item)
        self.update_item = self._reaching(engine.update_item, _written)
        self.delete_item = self._reaching(engine.delete_item, _written)
        self.query = self._reaching(engine.query)
        self.batch_get_item = self._reaching(engine.batch_get_item)
        self.batch_write_item = self._reaching(engine.batch_write_item)
        self.transact_write_items = self._reaching(engine.transact_write_items, _written)

    def _reaching(
        self,
        method: Callable[..., dict[str, Any]],
        written: Callable[[Mapping[str, Any]], Sequence[Place]] = lambda _: (),
    ) -> Callable[..., dict[str, Any]]:
        def call(**arguments: Any) -> dict[str, Any]:
            for attempt in range(self._retries + 1):
                try:
                    return self._trip(method, arguments, written(arguments))
                except ClientError as error:
                    refused = error.response["Error"]["Code"] == _REFUSED or errors.lacks_units(error.response)
                    if not refused or attempt == self._retries:
                        raise
                self._world.sleep(self._world.random.random() * 2**attempt)
            raise AssertionError  # never: the last attempt answers or raises

        return call

    def _trip(
        self, method: Callable[..., dict[str, Any]], arguments: dict[str, Any], places: Sequence[Place]
    ) -> dict[str, Any]:
        there = self._world.random.uniform(*TRIP) / 2
        self.trips += 1
        self._world.sleep(there)
        try:
            if not self._world.are_free(places):
                raise _conflict(arguments)
            answer = method(**arguments)
        except ClientError as error:
            self.lost += error.response["Error"]["Code"] == _LOST
            self._world.sleep(there)
            raise
        if "TransactItems" in arguments:
            self._world.take(places)
        self._world.sleep(there)
        return answer


def _written(arguments: Mapping[str, Any]) -> list[Place]:
    """The items that a transaction, or a write of one item, is about."""
    found = [arguments]
    if "TransactItems" in arguments:
        found = [action for item in arguments["TransactItems"] for action in item.values()]
    keys = [(action["TableName"], action["Item"] if "Item" in action else action["Key"]) for action in found]
    return [(table, f"{key['pk']['S']} {key.get('sk', {}).get('S')}") for table, key in keys]


def _conflict(arguments: Mapping[str, Any]) -> ClientError:
    if "TransactItems" not in arguments:
        return ClientError({"Error": {"Code": "TransactionConflictException"}}, "UpdateItem")
    reasons = [{"Code": "TransactionConflict"} for _ in arguments["TransactItems"]]
    return ClientError(
        {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},
        "TransactWriteItems",
    )

"""The deployed functions as data: what wakes each, how long it may take, how much memory it has.

Adding one: its row here, its policy in `.chalice/policy-<name>.json`, its worker in `chalicelib/api/workers.py`.

None has reserved concurrency: it would be taken from what the account's other functions share, new accounts have none
to give, and no function minds running twice at the same time.
"""

from dataclasses import dataclass
from typing import Any

from chalicelib.model import limits
from chalicelib.storage import schema

API = "api_handler"
LEAST_API_MEMORY = 256  # MB; a process has some 50 after its start, and half the memory means half the processor
MOST_MEMORY = 10_240  # MB, Lambda's
_MARGIN_SECONDS = 10  # that a function has beyond the time for which it means to work


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table's stream, and how it is handed to a function.

    It begins at the oldest record there is, so that none is missed between the making of the table and that of the
    mapping. A batch that fails comes again, in halves; what has failed too often, or has become too old, is named in
    the queue of dead records, and can still be read from the stream until it is a day old.
    """

    table: schema.Table
    batch: int  # records at most; Lambda also ends a batch at 6 MB
    filters: tuple[dict[str, Any], ...]  # of which one must match; what no filter lets pass costs nothing
    window: int = 0  # seconds that a batch is waited for
    attempts: int = 100  # at a batch that fails
    age: int = 21_600  # seconds until a record is given up; the stream keeps it for 86,400
    # Batches of one shard that are worked on at once. They keep the order of each item, but not of a partition, and the
    # counts of a partition forget what comes after a newer record: so it is one wherever something is counted.
    parallel: int = 1


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function."""

    name: str
    memory: int  # MB; processor time comes with it, a whole core at 1,769
    timeout: int  # seconds
    source: Source | None = None
    every_minute: bool = False
    pushes: bool = False  # whether it tells receivers where the certificate is
    of_buckets: bool = False  # whether buckets call it

    @property
    def logical_id(self) -> str:
        """The name of its resource in the template, as Chalice gives it."""
        return "APIHandler" if self.name == API else "".join(part.capitalize() for part in self.name.split("_"))


_NEW = {"eventName": ["INSERT"]}
_NEW_OR_GONE = {"eventName": ["INSERT", "REMOVE"]}
_ACTIVE = {"ready_key": {"S": [{"exists": True}]}}  # in an image of an Active message

FUNCTIONS = (
    # It mostly waits, for tables or for messages, and a waiting poll costs its memory, which is a parameter of the
    # template. What is in front of it sets its time-out.
    Function(name=API, memory=512, timeout=30),
    Function(name="release", memory=256, timeout=limits.RELEASE_WINDOW_SECONDS + _MARGIN_SECONDS, every_minute=True),
    Function(
        name="redeliver",
        memory=512,  # TLS and signatures want a processor
        timeout=limits.RELEASE_WINDOW_SECONDS + _MARGIN_SECONDS,
        every_minute=True,
        pushes=True,
    ),
    Function(
        name="tally",
        memory=256,
        timeout=60,
        source=Source(
            table=schema.MESSAGES,
            batch=1_000,
            window=1,  # counts may be a second old: so a stream's shard costs one invocation a second at most
            filters=(
                _NEW_OR_GONE,
                # Every change of a message's state begins or ends in Active; a new visibility time-out does neither.
                # The groups of FIFO queues, which are counted too, always have this attribute.
                {"eventName": ["MODIFY"], "dynamodb": {"OldImage": _ACTIVE}},
                {"eventName": ["MODIFY"], "dynamodb": {"NewImage": _ACTIVE}},
            ),
        ),
    ),
    Function(
        name="fan_out",
        memory=512,
        timeout=60,
        source=Source(
            table=schema.PUBLICATIONS,
            batch=100,  # with 100 subscriptions each it is 10,000 writes
            filters=(
                _NEW_OR_GONE,  # what has been swept leaves the topic's count
                # The fan-out of a FIFO topic follows the items of its groups, which name the newest publication.
                {"eventName": ["MODIFY"], "dynamodb": {"NewImage": {"newest": {"S": [{"exists": True}]}}}},
            ),
        ),
    ),
    Function(
        name="deliver",
        memory=512,
        timeout=limits.DELIVER_SECONDS + 2 * _MARGIN_SECONDS,
        pushes=True,
        source=Source(
            table=schema.DELIVERIES,
            batch=100,
            attempts=2,  # its due time brings a delivery back, whatever happens here
            age=3_600,
            parallel=10,  # first attempts have no order
            filters=(_NEW | {"dynamodb": {"NewImage": {"outcome": {"S": ["pending"]}}}},),
        ),
    ),
    Function(
        name="purge",
        memory=256,
        timeout=limits.PURGE_SECONDS + 2 * _MARGIN_SECONDS,
        source=Source(
            table=schema.RESOURCES,
            batch=10,
            attempts=10_000,  # a purge that runs out of time asks for its record again, and that counts as one
            filters=(
                {"eventName": ["REMOVE"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "Q#"}, {"prefix": "T#"}]}}}},
            ),
        ),
    ),
    Function(name="object_events", memory=256, timeout=60, of_buckets=True),
)

BY_NAME = {function.name: function for function in FUNCTIONS}


def matches(pattern: Any, value: Any) -> bool:
    """Whether a filter lets a value pass; of EventBridge's patterns those that are used here."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(matches(rule, value.get(key)) for key, rule in pattern.items())
    return any(_meets(rule, value) for rule in pattern)


def _meets(rule: Any, value: Any) -> bool:
    if rule == {"exists": True}:
        return value is not None
    if isinstance(rule, dict):
        return isinstance(value, str) and value.startswith(rule["prefix"])
    return bool(value == rule)

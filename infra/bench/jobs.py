"""What a load generator can be told to do, as plain values that travel to its process."""

from dataclasses import asdict, dataclass, field
from typing import Any

from infra.bench import dialects


@dataclass(frozen=True, kw_only=True)
class Job:
    """One piece of load; fields that a kind does not use are ignored."""

    kind: str  # "flow", "fill", "phases", "parked", "history", "ordered", "wide", "sustained" or "pushed"
    endpoint: dialects.Endpoint
    queue: str
    server_pid: int = 0  # whose CPU to measure; 0: nobody's
    producers: int = 0
    consumers: int = 0
    batch: bool = False  # send, receive and delete in batches as large as the subject allows
    seconds: float = 1.0  # measured
    warm: float = 0.0  # before that, seconds
    drain: float = 0.0  # after the producers' end, for the consumers of a pipeline, seconds
    messages: int = 1_000_000_000  # no more than this
    waiters: int = 0  # long polls parked at the same time
    wait: int = 0  # seconds of a long poll
    groups: int = dialects.GROUPS  # ordered: message groups
    counters: dict[str, int] = field(default_factory=dict)  # ordered: the next number of each group
    until_empty: float = (
        0.0  # history, ordered: end when nothing came for this long, seconds; 0: end when the server does
    )

    def to_json(self) -> dict[str, Any]:
        """For the generator's standard input."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Job":
        """What `to_json` made."""
        return cls(**document | {"endpoint": dialects.Endpoint(**document["endpoint"])})


# The message operations, in an order that leaves a backlog as large as it was.
PHASES = (
    "send",
    "peek",
    "receive",
    "change visibility",
    "delete",
    "send batch",
    "peek batch",
    "receive batch",
    "delete batch",
)

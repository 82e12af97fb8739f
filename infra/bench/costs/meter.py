"""What passes through to an engine, counted: calls, rounds of calls made side by side, and capacity units."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.local import engine as engines

_READS = ("get_item", "query", "batch_get_item")


@dataclass
class Meter:
    """An engine's client methods, counted."""

    engine: engines.LocalEngine
    calls: list[str] = field(default_factory=list)
    rounds: int = 0
    write_units: float = 0
    read_units: float = 0

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        method = getattr(self.engine, name)

        def call(**arguments: Any) -> dict[str, Any]:
            self.calls.append(name)
            self.rounds += 1
            answer: dict[str, Any] = method(**arguments, ReturnConsumedCapacity="TOTAL")
            capacity = answer.get("ConsumedCapacity", [])
            units = sum(entry["CapacityUnits"] for entry in (capacity if isinstance(capacity, list) else [capacity]))
            if name in _READS:
                self.read_units += units
            else:
                self.write_units += units
            return answer

        return call

    def fan(self, call: Callable[[Any], Any], arguments: Sequence[Any], /) -> Iterable[Any]:
        """Calls made side by side: as many rounds as the longest of them takes."""
        before, longest, outcomes = self.rounds, 0, []
        for argument in arguments:
            self.rounds = 0
            outcomes.append(call(argument))
            longest = max(longest, self.rounds)
        self.rounds = before + longest
        return outcomes

    def reset(self) -> None:
        """Begin to count anew."""
        self.calls.clear()
        self.rounds, self.write_units, self.read_units = 0, 0, 0

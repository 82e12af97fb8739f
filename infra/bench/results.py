"""What a run found: measurements by case and subject, and what was skipped and why."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from infra.bench import figures


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One repetition of one case on one subject."""

    case: str  # "send-8"
    subject: str  # "openmns"
    repetition: int  # from 0
    values: Mapping[str, float]  # metric -> figure; units are in the metric's name unless it is a rate per second


@dataclass(frozen=True, kw_only=True)
class Skip:
    """A subject, or one case of it, that was not measured."""

    subject: str
    reason: str
    case: str = ""  # empty: all of them


@dataclass(kw_only=True)
class Results:
    """All that a run found, in the order in which it was found."""

    machine: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)  # name -> what it is
    measurements: list[Measurement] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)

    def add(self, case: str, subject: str, repetition: int, values: Mapping[str, float]) -> None:
        """Keep one repetition."""
        self.measurements.append(Measurement(case=case, subject=subject, repetition=repetition, values=values))

    def skip(self, subject: str, reason: str, case: str = "") -> None:
        """Keep why something was not measured; the same is said once."""
        entry = Skip(subject=subject, reason=reason, case=case)
        if entry not in self.skips:
            self.skips.append(entry)

    def values(self, case: str, subject: str, metric: str) -> list[float]:
        """One metric over the repetitions."""
        return [
            float(found.values[metric])
            for found in self.measurements
            if (found.case, found.subject) == (case, subject) and metric in found.values
        ]

    def median(self, case: str, subject: str, metric: str) -> float:
        """Its median; nan if it was not measured."""
        return figures.median(self.values(case, subject, metric))

    def total(self, case: str, subject: str, metric: str) -> float:
        """Its sum; nan if it was not measured."""
        values = self.values(case, subject, metric)
        return sum(values) if values else math.nan

    def cases(self, prefix: str = "") -> list[str]:
        """The cases measured, in order."""
        return list(dict.fromkeys(found.case for found in self.measurements if found.case.startswith(prefix)))

    def measured(self, case: str) -> list[str]:
        """The subjects a case was measured on, in order."""
        return [name for name in self.subjects if any((m.case, m.subject) == (case, name) for m in self.measurements)]

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON knows it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Results":
        """What `to_json` made."""
        return cls(
            machine=dict(document["machine"]),
            options=dict(document["options"]),
            subjects=dict(document["subjects"]),
            measurements=[Measurement(**entry) for entry in document["measurements"]],
            skips=[Skip(**entry) for entry in document["skips"]],
        )

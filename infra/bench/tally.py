"""Counting what is done within a window of time, with the latency of each request."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from infra.bench import figures


@dataclass(kw_only=True)
class Window:
    """When to count and when to stop, in seconds of `time.perf_counter`."""

    counts_from: float  # before it, work is done and not counted
    ends: float  # no new work after it
    limit: int  # messages, after which there is no new work either

    @classmethod
    def opening(cls, *, warm: float, seconds: float, limit: int) -> "Window":
        """A window that opens after `warm` seconds."""
        now = time.perf_counter()
        return cls(counts_from=now + warm, ends=now + warm + seconds, limit=limit)

    @property
    def over(self) -> bool:
        """Whether its time is over."""
        return time.perf_counter() >= self.ends


@dataclass(kw_only=True)
class Tally:
    """What was done."""

    window: Window
    started: int = 0  # messages asked for, counted or not
    charged: int = 0  # messages asked for within the window, against its limit
    done: int = 0  # messages done, counted or not
    counted: int = 0  # messages done within the window
    last: float = 0.0  # when the last one was counted
    failures: int = 0  # answers that say neither yes nor empty
    latencies: list[float] = field(default_factory=list)  # seconds, of each counted request or pair of requests

    @property
    def wants_more(self) -> bool:
        """Whether new work may be started."""
        return self.charged < self.window.limit and not self.window.over

    def start(self, messages: int) -> float:
        """Messages are asked for now; this moment."""
        now = time.perf_counter()
        self.started += messages
        if now >= self.window.counts_from:
            self.charged += messages
        return now

    def add(self, messages: int, since: float) -> None:
        """Count messages done now whose request began at `since`."""
        now = time.perf_counter()
        self.done += messages
        if now >= self.window.counts_from:
            self.counted += messages
            self.last = now
            self.latencies.append(now - since)


def summary(tallies: Iterable[Tally]) -> dict[str, float]:
    """Rate, latencies and failures of several workers that shared a window."""
    every = list(tallies)
    counted = sum(tally.counted for tally in every)
    seconds = max((tally.last for tally in every), default=0.0) - every[0].window.counts_from if counted else 0.0
    latencies = [latency for tally in every for latency in tally.latencies]
    found = {
        "messages": float(counted),
        "seconds": seconds,
        "rate": counted / seconds if seconds > 0 else 0.0,
        "failures": float(sum(tally.failures for tally in every)),
    }
    if latencies:
        found["p50_ms"] = figures.milliseconds(figures.percentile(latencies, 0.5))
        found["p99_ms"] = figures.milliseconds(figures.percentile(latencies, 0.99))
    return found

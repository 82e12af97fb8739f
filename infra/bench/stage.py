"""A run's servers and how they take turns: while one is measured, the others are paused and cost nothing."""

import contextlib
import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.bench import jobs, load, processes, results, subjects


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does."""

    names: tuple[str, ...]  # of the subjects
    repetitions: int = 3
    seconds: float = 5.0  # of load in each measurement
    warm: float = 0.5  # of load before each, not counted
    warm_up: float = 10.0  # of load after a server's start, not counted
    messages: int = 100_000  # at most, in each measurement
    connections: tuple[int, ...] = (1, 8, 32)
    backlogs: tuple[int, ...] = (1_000, 10_000, 100_000)
    fill_seconds: float = 60.0  # for each 100,000 messages; a backlog that takes longer is not measured
    waiters: int = 1000
    wait: int = 20  # seconds of a parked long poll
    idle_seconds: float = 8.0  # over which CPU is measured while all are parked
    parked_messages: int = 200
    existing: int = 100_000  # messages in the file of the start-up case
    kills: int = 20
    ordered: int = 20_000  # messages sent to a FIFO queue that is killed in between
    tools: subjects.Tools = field(default_factory=subjects.Tools)
    folder: Path


@dataclass(kw_only=True)
class Stage:
    """The servers that run, and what was found."""

    plan: Plan
    results: results.Results
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Progress, with the time since the start."""
        elapsed = int(time.monotonic() - self._began)
        sys.stdout.write(f"[{elapsed // 60:3d}:{elapsed % 60:02d}] {text}\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def servers(self, names: tuple[str, ...], label: str) -> Iterator[dict[str, subjects.Subject]]:
        """Start servers, all paused; those that cannot be started are kept as skips."""
        running: dict[str, subjects.Subject] = {}
        try:
            for name in names:
                with self.reporting(name):
                    running[name] = self.start(name, f"{label}-{name}")
                    running[name].process.pause()
            yield running
        finally:
            for subject in running.values():
                subject.process.stop()

    def start(self, name: str, folder: str) -> subjects.Subject:
        """Start a server with its state in a folder of this run, and keep what it is."""
        self.results.subjects.setdefault(name, subjects.describe(name, self.plan.tools))
        return subjects.start(name, self.plan.folder / folder, self.plan.tools)

    @contextlib.contextmanager
    def turn(self, subject: subjects.Subject, case: str) -> Iterator[None]:
        """Let one server run; what goes wrong is kept as a skip of the case."""
        subject.process.resume()
        try:
            with self.reporting(subject.name, case):
                yield
        finally:
            subject.process.pause()

    @contextlib.contextmanager
    def reporting(self, name: str, case: str = "") -> Iterator[None]:
        """Keep a server or load that fails as a skip with its reason."""
        try:
            yield
        except (processes.StartError, load.LoadError, OSError) as error:
            reason = str(error) or type(error).__name__
            self.say(f"skipped: {name}{' ' * bool(case)}{case}: {reason}")
            self.results.skip(name, reason, case)

    @contextlib.contextmanager
    def queue(self, subject: subjects.Subject) -> Iterator[str]:
        """A queue for one measurement."""
        name = f"bench-{next(self._numbers)}"
        subject.create_queue(name)
        try:
            yield name
        finally:
            subject.drop_queue(name)

    def load(self, subject: subjects.Subject, kind: str, queue: str, **fields: Any) -> dict[str, Any]:
        """Run one job of the load generator against a server."""
        job = jobs.Job(kind=kind, endpoint=subject.endpoint, queue=queue, server_pid=subject.process.pid, **fields)
        return load.run(job)

"""What a backlog costs: the rate of every message operation, and memory, at each size.

All sizes of all subjects are filled first, each in a server of its own; then they take turns, so that a machine that
grows slower does not look like a backlog that does.
"""

import contextlib
import time

from infra.bench import stage, subjects

MEMORY = "memory_mb"
IDLE = "idle"
_CONNECTIONS = 8
_FILL_AT_ONCE = 200_000  # messages of one generator, whose signatures grow old
_IN_MEMORY = ("moto", "elasticmq")  # not asked to hold more than this
_IN_MEMORY_LIMIT = 100_000
_QUEUE = "backlog"
_SETTLE_SECONDS = 1.0
_MEGA = 1_000_000


def run(on: stage.Stage) -> None:
    """Fill, then measure."""
    plan = on.plan
    names = tuple(name for name in plan.names if name != "floor")
    with contextlib.ExitStack() as stack:
        filled: list[tuple[int, subjects.Subject]] = []
        for size in plan.backlogs:
            fitting = tuple(name for name in names if name not in _IN_MEMORY or size <= _IN_MEMORY_LIMIT)
            for name in set(names) - set(fitting):
                on.results.skip(name, "would need many GB of memory", case(size))
            running = stack.enter_context(on.servers(fitting, case(size)))
            for subject in running.values():
                if size == plan.backlogs[0]:
                    _idle(on, subject)
                if any(skip.subject == subject.name and skip.case.startswith("backlog") for skip in on.results.skips):
                    continue  # it could not hold fewer
                if _fill(on, subject, size):
                    filled.append((size, subject))
        for repetition in range(plan.repetitions):
            for size, subject in filled:
                _measure(on, subject, size, repetition)


def case(size: int) -> str:
    """The name of the case of a size."""
    return f"backlog-{size}"


def _idle(on: stage.Stage, subject: subjects.Subject) -> None:
    with on.turn(subject, IDLE):
        time.sleep(_SETTLE_SECONDS)
        on.results.add(IDLE, subject.name, 0, {MEMORY: subject.process.memory / _MEGA})


def _fill(on: stage.Stage, subject: subjects.Subject, size: int) -> bool:
    """Whether the backlog could be made in time."""
    on.say(f"filling {subject.name} with {size:,} messages")
    with on.turn(subject, case(size)):
        subject.create_queue(_QUEUE)
        done, deadline = 0, time.monotonic() + on.plan.fill_seconds * max(1, size // 100_000)
        while done < size and time.monotonic() < deadline:
            found = on.load(
                subject,
                "fill",
                _QUEUE,
                producers=_CONNECTIONS,
                seconds=max(1.0, deadline - time.monotonic()),
                messages=min(_FILL_AT_ONCE, size - done),
            )
            done += int(found["messages"])
        if done >= size:
            return True
        on.results.skip(subject.name, f"{done:,} messages were in after {on.plan.fill_seconds:.0f} s", case(size))
    return False


def _measure(on: stage.Stage, subject: subjects.Subject, size: int, repetition: int) -> None:
    seconds = on.plan.seconds
    with on.turn(subject, case(size)):
        # Nothing is received twice: a round deletes all that it received.
        found = on.load(subject, "phases", _QUEUE, producers=_CONNECTIONS, seconds=seconds, drain=seconds)
        found[MEMORY] = subject.process.memory / _MEGA
        on.results.add(case(size), subject.name, repetition, found)
        on.say(
            f"{subject.name} with {size:,} #{repetition + 1}: send {found.get('send', 0):,.0f}/s,"
            f" receive {found.get('receive', 0):,.0f}/s, {found[MEMORY]:,.0f} MB"
        )

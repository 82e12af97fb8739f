"""How long a start takes, from the process to its first answered request: empty, on a large file, after kill -9."""

import time

from infra.bench import stage

EMPTY, EXISTING, KILLED = "start-empty", "start-existing", "start-killed"
_QUEUE = "existing"
_FILE = "start-existing"
_OURS = "openmns"
_CONNECTIONS = 8


def run(on: stage.Stage) -> None:
    """Measure all subjects on nothing, and ours on an existing file as well."""
    plan = on.plan
    existing = _OURS in plan.names and plan.existing > 0
    if existing:
        with on.reporting(_OURS, EXISTING):
            _fill(on)
    for repetition in range(plan.repetitions):
        for name in plan.names:
            with on.reporting(name, EMPTY):
                _start(on, EMPTY, name, f"{EMPTY}-{name}-{repetition}", repetition)
        if existing:
            with on.reporting(_OURS, EXISTING):
                _start(on, EXISTING, _OURS, _FILE, repetition)
            with on.reporting(_OURS, KILLED):
                _kill_in_the_middle(on)
                _start(on, KILLED, _OURS, _FILE, repetition)


def _start(on: stage.Stage, case: str, name: str, folder: str, repetition: int) -> None:
    subject = on.start(name, folder)
    try:
        on.results.add(case, name, repetition, {"seconds": subject.first_answer})
        on.say(f"{name} {case} #{repetition + 1}: {subject.first_answer:.3f} s")
    finally:
        subject.process.stop()


def _fill(on: stage.Stage) -> None:
    on.say(f"filling {_OURS} with {on.plan.existing:,} messages")
    subject = on.start(_OURS, _FILE)
    try:
        subject.create_queue(_QUEUE)
        done, deadline = 0, time.monotonic() + 2 * on.plan.fill_seconds
        while done < on.plan.existing and time.monotonic() < deadline:
            left = min(200_000, on.plan.existing - done)
            found = on.load(
                subject, "fill", _QUEUE, producers=_CONNECTIONS, seconds=on.plan.fill_seconds, messages=left
            )
            done += int(found["messages"])
        if done < on.plan.existing:
            on.results.options["existing"] = done
    finally:
        subject.process.stop()


def _kill_in_the_middle(on: stage.Stage) -> None:
    """Leave the file as a kill -9 after some load leaves it."""
    subject = on.start(_OURS, _FILE)
    try:
        on.load(subject, "fill", _QUEUE, producers=_CONNECTIONS, seconds=0.5, messages=5000)
    finally:
        subject.process.kill()

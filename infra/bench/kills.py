"""kill -9 in the middle of a pipeline, again and again on the same file: is anything lost, is anything given out again.

See `history` for what must hold. After the last kill everything that is left is received, with patience for what the
killed had in hand.
"""

import time

from infra.bench import history, jobs, load, stage, subjects

CASE = "kills"
OURS = "openmns"
_QUEUE = "kills"
_CONNECTIONS = 8
_VISIBILITY_SECONDS = 5
_SHORTEST, _STEP, _LONGEST = 0.3, 0.13, 1.3  # seconds of load before a kill: another one each time
_DRAIN_SECONDS = 300


def run(on: stage.Stage) -> None:
    """Kill, restart, and check what all clients saw."""
    if OURS not in on.plan.names:
        return
    with on.reporting(OURS, CASE):
        seen, failures, in_time = history.History(), 0, 0
        for number in range(on.plan.kills):
            found = _one_life(on, number)
            seen.extend(found)
            failures += found["failures"]
            in_time += found["broken"]
            if (number + 1) % 5 == 0 or number + 1 == on.plan.kills:
                on.say(f"{number + 1} kills: {len(seen.sent):,} messages accepted, {len(seen.deletes):,} deletes asked")
        found = _last_life(on)
        seen.extend(found)
        on.results.add(CASE, OURS, 0, _judged(seen) | {"kills": in_time, "failures": failures + found["failures"]})
        on.say(f"lost: {len(history.lost(seen))}, delivered again: {len(history.delivered_again(seen))}")


def _judged(seen: history.History) -> dict[str, float]:
    return {
        "sent": len(seen.sent),
        "received": len(seen.receives),
        "deleted": sum(delete.answered_at is not None for delete in seen.deletes),
        "lost": len(history.lost(seen)),
        "delivered_again": len(history.delivered_again(seen)),
        "shared": len(history.shared(seen)),
    }


def _start(on: stage.Stage) -> subjects.Subject:
    return on.start(OURS, CASE)


def _one_life(on: stage.Stage, number: int) -> dict[str, int]:
    """Start, load, kill in the middle of it; what the clients saw."""
    subject = _start(on)
    try:
        if not number:
            subject.create_queue(_QUEUE, _VISIBILITY_SECONDS)
        job = _job(subject, producers=_CONNECTIONS, seconds=60)
        generator = load.start(job)
        time.sleep(_SHORTEST + number * _STEP % (_LONGEST - _SHORTEST))
    finally:
        subject.process.kill()
    return load.finish(generator, job)


def _last_life(on: stage.Stage) -> dict[str, int]:
    """Start once more and receive all that is left."""
    subject = _start(on)
    try:
        patience = _VISIBILITY_SECONDS + 2
        return load.run(_job(subject, producers=0, seconds=_DRAIN_SECONDS, until_empty=patience))
    finally:
        subject.process.stop()


def _job(subject: subjects.Subject, *, producers: int, seconds: float, until_empty: float = 0.0) -> jobs.Job:
    return jobs.Job(
        kind="history",
        endpoint=subject.endpoint,
        queue=_QUEUE,
        producers=producers,
        consumers=_CONNECTIONS,
        seconds=seconds,
        until_empty=until_empty,
    )

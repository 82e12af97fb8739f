"""A FIFO queue of a thousand message groups beside an ordinary queue of the same server, taking turns.

Producers go from group to group, so that most groups hold a few messages; consumers take what is free.
"""

from dataclasses import replace

from infra.bench import stage, subjects

CASE = "fifo"
OURS = "openmns"
KINDS = {"normal": "mns", "fifo": "mns-fifo"}  # what is measured, and the dialect of its load
CONNECTIONS = 8
PHASES = ("send", "receive", "pipeline")
_DRAIN_FACTOR = 3  # as in `rates`


def case(phase: str, kind: str) -> str:
    """The name of a case."""
    return f"{CASE}-{phase}-{kind}"


def run(on: stage.Stage) -> None:
    """Measure both kinds of queues in each repetition."""
    if OURS not in on.plan.names:
        return
    with on.servers((OURS,), CASE) as running:
        for subject in running.values():
            for repetition in range(-1, on.plan.repetitions):  # the first one warms up
                for kind, dialect in KINDS.items():
                    as_kind = replace(subject, endpoint=replace(subject.endpoint, dialect=dialect))
                    with on.turn(subject, CASE):
                        _measure(on, as_kind, kind, repetition)


def _measure(on: stage.Stage, subject: subjects.Subject, kind: str, repetition: int) -> None:
    plan, found = on.plan, {}
    times = {"seconds": plan.seconds, "warm": plan.warm, "messages": plan.messages}
    with on.queue(subject) as queue:
        found["send"] = on.load(subject, "flow", queue, producers=CONNECTIONS, **times)
        found["receive"] = on.load(subject, "flow", queue, consumers=CONNECTIONS, **times)
    with on.queue(subject) as queue:
        found["pipeline"] = on.load(
            subject,
            "flow",
            queue,
            producers=CONNECTIONS,
            consumers=CONNECTIONS,
            seconds=plan.seconds,
            drain=plan.seconds * _DRAIN_FACTOR,
            messages=plan.messages,
        )
    if repetition < 0:
        return
    for phase, values in found.items():
        on.results.add(case(phase, kind), subject.name, repetition, values)
    rates = ", ".join(f"{phase} {found[phase]['rate']:,.0f}/s" for phase in PHASES)
    on.say(f"{kind} #{repetition + 1}: {rates}")

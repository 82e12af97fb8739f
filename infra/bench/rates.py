"""Rates of sending, of receiving and deleting, and of both at the same time.

A repetition sends for the time of the plan to a new queue and then receives and deletes what it sent, for that time or
until nothing is left: the same rule for all, so a fast subject works on a larger backlog than a slow one.
"""

from infra.bench import stage, subjects

PIPELINE = "pipeline-8+8"
_PIPELINE_CONNECTIONS = 8
_BATCH_CONNECTIONS = 8
_CONNECTIONS_WARMED = 8
_DRAIN_FACTOR = 3  # the time that consumers of a pipeline may take after the producers, in times of the producers'


def run(on: stage.Stage) -> None:
    """Measure all subjects, taking turns in each repetition of each case."""
    plan = on.plan
    with on.servers(plan.names, "rates") as running:
        for subject in running.values():
            on.say(f"warming up {subject.name}")
            with on.turn(subject, "warm-up"):
                _warm_up(on, subject)
        for connections in plan.connections:
            for repetition in range(plan.repetitions):
                for subject in running.values():
                    _send_and_receive(on, subject, connections, repetition, batch=False)
        for repetition in range(plan.repetitions):
            for subject in running.values():
                _send_and_receive(on, subject, _BATCH_CONNECTIONS, repetition, batch=True)
        for repetition in range(plan.repetitions):
            for subject in running.values():
                if subject.name != "floor":  # it never has nothing to receive
                    _pipeline(on, subject, repetition)


def _warm_up(on: stage.Stage, subject: subjects.Subject) -> None:
    half = on.plan.warm_up / 2
    with on.queue(subject) as queue:
        on.load(subject, "flow", queue, producers=_CONNECTIONS_WARMED, seconds=half, messages=on.plan.messages)
        on.load(subject, "flow", queue, consumers=_CONNECTIONS_WARMED, seconds=half)


def _send_and_receive(
    on: stage.Stage, subject: subjects.Subject, connections: int, repetition: int, *, batch: bool
) -> None:
    plan = on.plan
    suffix = "batch" if batch else str(connections)
    with on.turn(subject, f"send-{suffix}"), on.queue(subject) as queue:
        times = {"seconds": plan.seconds, "warm": plan.warm, "batch": batch}
        sent = on.load(subject, "flow", queue, producers=connections, messages=plan.messages, **times)
        on.results.add(f"send-{suffix}", subject.name, repetition, sent)
        received = on.load(subject, "flow", queue, consumers=connections, **times)
        on.results.add(f"receive-{suffix}", subject.name, repetition, received)
        on.say(
            f"{subject.name} {suffix} #{repetition + 1}: send {sent['rate']:,.0f}/s,"
            f" receive+delete {received['rate']:,.0f}/s"
        )


def _pipeline(on: stage.Stage, subject: subjects.Subject, repetition: int) -> None:
    plan = on.plan
    with on.turn(subject, PIPELINE), on.queue(subject) as queue:
        found = on.load(
            subject,
            "flow",
            queue,
            producers=_PIPELINE_CONNECTIONS,
            consumers=_PIPELINE_CONNECTIONS,
            seconds=plan.seconds,
            drain=plan.seconds * _DRAIN_FACTOR,
            messages=plan.messages,
        )
        on.results.add(PIPELINE, subject.name, repetition, found)
        on.say(f"{subject.name} pipeline #{repetition + 1}: {found['rate']:,.0f}/s")

"""Long polls parked by the thousand: do they all wait, what do they cost, and how fast does a message reach one."""

from infra.bench import stage, subjects

CASE = "parked"
_SPEAK = ("openmns", "openmns-full", "openmns-memory", "moto", "elasticmq")  # those that know a long poll


def run(on: stage.Stage) -> None:
    """Measure all subjects that know a long poll, taking turns."""
    plan = on.plan
    names = tuple(name for name in plan.names if name in _SPEAK)
    for name in set(subjects.PEERS) & set(plan.names) - set(names):
        on.results.skip(name, "it knows no long poll", CASE)
    with on.servers(names, CASE) as running:
        for repetition in range(plan.repetitions):
            for subject in running.values():
                with on.turn(subject, CASE), on.queue(subject) as queue:
                    found = on.load(
                        subject,
                        "parked",
                        queue,
                        waiters=plan.waiters,
                        wait=plan.wait,
                        warm=plan.wait / 8,
                        seconds=plan.idle_seconds,
                        messages=plan.parked_messages,
                    )
                    on.results.add(CASE, subject.name, repetition, found)
                    on.say(
                        f"{subject.name} #{repetition + 1}: {found['parked']:,.0f} parked,"
                        f" {found['idle_cpu'] * 100:.2f} % of a core, p99 {found['p99_ms']:.1f} ms"
                    )

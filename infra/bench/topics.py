"""Topics: one publication to many queues, many publications to a few, and pushes beside dead endpoints."""

from infra.bench import kills, stage

CASE = "topics"
WIDE, SUSTAINED, PUSHED = f"{CASE}-wide", f"{CASE}-sustained", f"{CASE}-pushed"
QUEUES = 100  # subscribed to the wide topic
FEW = 10  # subscribed to the one with sustained publishing
ENDPOINTS, DEAD = 100, 10
_PUBLICATIONS = 20  # one after the other, where times are measured


def run(on: stage.Stage) -> None:
    """Measure OpenMNS in all its variants; no peer here has topics."""
    plan = on.plan
    names = tuple(name for name in plan.names if name.startswith(kills.OURS))
    with on.servers(names, CASE) as running:
        for repetition in range(plan.repetitions):
            for subject in running.values():
                with on.turn(subject, CASE):
                    name = f"{CASE}-{repetition}"
                    wide = on.load(subject, "wide", f"{name}-w", consumers=QUEUES, messages=_PUBLICATIONS)
                    on.results.add(WIDE, subject.name, repetition, wide)
                    few = on.load(subject, "sustained", f"{name}-s", consumers=FEW, seconds=plan.seconds)
                    on.results.add(SUSTAINED, subject.name, repetition, few)
                    times = {"seconds": 2 * plan.seconds, "messages": _PUBLICATIONS}
                    pushed = on.load(subject, "pushed", f"{name}-p", consumers=ENDPOINTS, waiters=DEAD, **times)
                    on.results.add(PUSHED, subject.name, repetition, pushed)
                    on.say(
                        f"{subject.name} #{repetition + 1}: {wide['all_ms']:.0f} ms to {QUEUES} queues,"
                        f" {few['rate']:,.0f} deliveries/s, p99 {pushed['p99_ms']:.0f} ms to {ENDPOINTS} endpoints"
                    )

"""The command line of the benchmark: which subjects, which cases, how long, and where the figures go."""

import argparse
import contextlib
import json
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infra.bench import (
    backlog,
    fifo,
    kills,
    machine,
    order,
    parked,
    rates,
    report,
    results,
    stage,
    startup,
    subjects,
    topics,
)

CASES: dict[str, Callable[[stage.Stage], None]] = {
    "rates": rates.run,
    "backlog": backlog.run,
    "parked": parked.run,
    "topics": topics.run,
    "startup": startup.run,
    "kills": kills.run,
    "fifo": fifo.run,
    "order": order.run,
}
_MILLION = 1_000_000
_FILES = 65_536
QUICK: dict[str, Any] = {
    "repetitions": 1,
    "seconds": 1.0,
    "warm": 0.2,
    "warm_up": 1.0,
    "messages": 5_000,
    "backlogs": (1_000, 5_000),
    "fill_seconds": 10.0,
    "waiters": 100,
    "wait": 6,
    "idle_seconds": 1.5,
    "parked_messages": 40,
    "existing": 5_000,
    "kills": 3,
    "ordered": 2_000,
}


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="python -m infra.bench",
        description="Measure OpenMNS and its peers side by side: medians of alternating repetitions, and ratios.",
    )
    made.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures say little")
    made.add_argument("--repetitions", type=_positive(int), help="of each measurement (3)")
    made.add_argument("--seconds", type=_positive(float), help="of load in each measurement (5)")
    made.add_argument("--messages", type=_positive(int), help="at most, in each measurement (100000)")
    made.add_argument("--only", action="append", choices=list(CASES), help="this case; may be given again")
    made.add_argument("--connections", type=_numbers, help="of the one-by-one rates (1,8,32)")
    made.add_argument("--backlog", type=_numbers, help="sizes, rising (1000,10000,100000)")
    made.add_argument("--million", action="store_true", help="a backlog and a file of 1,000,000 messages as well")
    made.add_argument("--kills", type=_positive(int), help="kill -9 so many times (20)")
    made.add_argument("--waiters", type=_positive(int), help="long polls to park (1000)")
    made.add_argument(
        "--peers", type=_names(subjects.PEERS), default=subjects.PEERS, help="of moto,elasticmq,postgresql; all"
    )
    made.add_argument("--variants", type=_names(subjects.VARIANTS), default=(), help="of full,memory; none")
    made.add_argument("--elasticmq", type=Path, metavar="JAR", help="ElasticMQ's jar (of the npm package elasticmq)")
    made.add_argument("--postgresql", type=Path, metavar="DIR", help="the folder of PostgreSQL's programs")
    made.add_argument("--folder", type=Path, help="keep the state of the servers here for the run (a temporary folder)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    made.add_argument("--report", type=Path, metavar="FILE", help="write the report here, its plots beside it")
    made.add_argument("--read", type=Path, metavar="FILE", help="measure nothing: report what --json wrote")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 if a promise of `kills` or `order` is broken."""
    told = parser().parse_args(arguments)
    found = results.Results.from_json(json.loads(told.read.read_text())) if told.read else _measured(told)
    sys.stdout.write("\n" + report.text(found))
    if told.json and not told.read:
        told.json.write_text(json.dumps(found.to_json(), indent=1) + "\n")
    if told.report:
        for line in report.write(found, told.report):
            sys.stdout.write(f"{line}\n")
    broken = [found.total(kills.CASE, kills.OURS, name) for name in ("lost", "delivered_again")]
    broken += [found.total(order.CASE, order.OURS, name) for name in ("lost", "overtaking", "delivered_again")]
    return int(any(count > 0 for count in broken))


def plan(told: argparse.Namespace, folder: Path) -> stage.Plan:
    """What the options ask for."""
    values: dict[str, Any] = dict(QUICK) if told.quick else {}
    for name in ("repetitions", "seconds", "messages", "connections", "kills", "waiters"):
        if getattr(told, name) is not None:
            values[name] = getattr(told, name)
    if told.backlog is not None:
        values["backlogs"] = tuple(sorted(told.backlog))
    if told.million:
        values["backlogs"] = (*values.get("backlogs", stage.Plan.backlogs), _MILLION)
        values["existing"] = _MILLION
    ours = ("openmns", *(f"openmns-{name}" for name in told.variants))
    tools = subjects.Tools(elasticmq=told.elasticmq, postgresql=told.postgresql)
    return stage.Plan(names=(*ours, "floor", *told.peers), tools=tools, folder=folder, **values)


def _measured(told: argparse.Namespace) -> results.Results:
    _raise_limit_of_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the servers are stopped
    with tempfile.TemporaryDirectory(prefix="openmns-bench-", dir=told.folder) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL may run as another user
        planned = plan(told, Path(folder))
        found = results.Results(
            machine=machine.describe(),
            options={
                name: getattr(planned, name)
                for name in (
                    "repetitions",
                    "seconds",
                    "messages",
                    "waiters",
                    "wait",
                    "idle_seconds",
                    "existing",
                    "kills",
                )
            },
        )
        on = stage.Stage(plan=planned, results=found)
        for name, value in found.machine.items():
            on.say(f"{name}: {value}")
        on.say(f"load average before the run: {machine.load_average()}")
        found.machine["Load before the run"] = machine.load_average()
        for name in told.only or CASES:
            on.say(f"--- {name}")
            CASES[name](on)
    return found


def _raise_limit_of_files() -> None:
    """A thousand long polls need as many sockets on both sides; the servers inherit this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"should be above 0, not {text}")
        return value

    return read


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(_positive(int)(part)) for part in text.split(","))


def _names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        named = tuple(filter(None, text.split(",")))
        unknown = sorted(set(named) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not of {', '.join(known)}")
        return named

    return read

"""The report of the model: tables for a terminal and for `docs/scaling.md`, and a plot.

What stands in the file below the line `KEPT` was written by hand and is kept when the rest is written anew.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.bench import tables
from infra.bench.contention import model, world
from infra.embedded import throttling

KEPT = "<!-- Written by hand from here on; `make scaling` keeps it. -->"
PLOT = "contention.svg"
_COLOURS = ("#2563eb", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6")
_CLIENTS = (1, 4, 16, 64, 256)
_SHARDS = (1, 4, 16, 64)
_GROUPS = 2_000


@dataclass(frozen=True, kw_only=True)
class Series:
    """A grid of cases of one kind."""

    title: str
    run: Callable[[model.Case], model.Outcome]
    batch: int
    clients: Sequence[int]
    shards: Sequence[int]
    groups: int = 0  # of a FIFO queue


SERIES = (
    Series(title="Receive and delete, one by one", run=model.receive, batch=1, clients=_CLIENTS, shards=_SHARDS),
    Series(title="Receive and delete, 16 at once", run=model.receive, batch=16, clients=_CLIENTS, shards=_SHARDS),
    Series(title="Send, one by one", run=model.send, batch=1, clients=_CLIENTS, shards=_SHARDS),
    Series(
        title="FIFO: receive and delete, one by one",
        run=model.receive,
        batch=1,
        clients=_CLIENTS,
        shards=_SHARDS,
        groups=_GROUPS,
    ),
    Series(title="FIFO: send, one by one", run=model.send, batch=1, clients=_CLIENTS, shards=_SHARDS, groups=_GROUPS),
    Series(title="FIFO: send to one group", run=model.send, batch=1, clients=_CLIENTS[:-1], shards=(1,), groups=1),
)
QUICK = (
    Series(title="Receive and delete, one by one", run=model.receive, batch=1, clients=(1, 8), shards=(1, 2)),
    Series(title="Send, one by one", run=model.send, batch=1, clients=(1, 64), shards=(1, 2)),
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The outcomes of one series, in the order of its cases."""

    series: Series
    outcomes: tuple[tuple[model.Case, model.Outcome], ...]


def run(series: Sequence[Series], seconds: float, say: Callable[[str], object]) -> list[Found]:
    """Run every case."""
    found = []
    for one in series:
        outcomes = []
        for clients in one.clients:
            for shards in one.shards:
                case = model.Case(clients=clients, shards=shards, batch=one.batch, groups=one.groups, seconds=seconds)
                outcome = one.run(case)
                say(f"{one.title}, {clients} clients on {shards} shards: {outcome.rate:.0f} messages/s")
                outcomes.append((case, outcome))
        found.append(Found(series=one, outcomes=tuple(outcomes)))
    return found


def text(found: Sequence[Found]) -> str:
    """The tables in Markdown."""
    return "\n".join(_blocks(found))


def to_json(found: Sequence[Found]) -> list[dict[str, object]]:
    """Every figure."""
    return [
        {"series": one.series.title, "clients": case.clients, "shards": case.shards, "batch": case.batch}
        | _figures(outcome)
        for one in found
        for case, outcome in one.outcomes
    ]


def write(found: Sequence[Found], path: Path) -> None:
    """Write the report, its plot beside it; what was written by hand stays."""
    kept = path.read_text().partition(KEPT)[2] if path.exists() else "\n\nNothing has been written here yet.\n"
    plot = _plot(found, path.parent / "scaling" / PLOT)
    picture = f"\n![Messages per second by clients](scaling/{PLOT})\n" if plot else ""
    path.write_text(text(found) + picture + "\n" + KEPT + kept)


def _figures(outcome: model.Outcome) -> dict[str, object]:
    return {
        "messages_per_second": round(outcome.rate, 1),
        "claims_lost_per_won": round(outcome.lost_per_won, 3),
        "round_trips_per_call": round(outcome.trips_per_call, 2),
        "write_units_per_message": round(outcome.write_units_per_message, 2),
        "empty_handed": round(outcome.empty_share, 4),
        "throttled": outcome.throttled,
        "refused": outcome.refused,
        "ms_50": round(outcome.wait(0.5)),
        "ms_99": round(outcome.wait(0.99)),
    }


def _blocks(found: Sequence[Found]) -> Iterator[str]:
    low, high = (1000 * seconds for seconds in world.TRIP)
    yield (
        "# Scaling\n\n"
        "What one queue takes, by a model: the real verbs and tables, on the embedded engine behind DynamoDB's limits"
        f" of a partition ({throttling.WRITE_UNITS:,.0f} write and {throttling.READ_UNITS:,.0f} read units a second;"
        " burst and adaptive capacity left out), in virtual time.\n"
        f"A round trip to DynamoDB takes {low:.0f} to {high:.0f} ms; a throttled call is tried again as boto3 does.\n"
        "Each client is a process of its own that calls without a pause; the queue has more messages than they take.\n"
        f"A FIFO queue's messages are in {_GROUPS:,} groups, unless told otherwise. A transaction is assumed to keep"
        f" others from writing its items for {1000 * world.TRANSACTION:.0f} ms, in which they meet a conflict and try"
        " again.\n"
        "`make scaling` runs it and writes this page; it comes out the same each time.\n"
        "Nothing of it was measured on AWS.\n"
    )
    for one in found:
        yield f"## {one.series.title}\n"
        rows = [
            [
                str(case.clients),
                str(case.shards),
                f"{outcome.rate:,.0f}",
                f"{outcome.lost_per_won:.2f}",
                f"{outcome.trips_per_call:.1f}",
                f"{outcome.write_units_per_message:.1f}",
                f"{outcome.empty_share:.1%}",
                f"{outcome.refused:,}",
                f"{outcome.wait(0.5):.0f}",
                f"{outcome.wait(0.99):,.0f}",
            ]
            for case, outcome in one.outcomes
        ]
        head = [
            "Clients",
            "Shards",
            "Messages/s",
            "Claims lost per won",
            "Round trips per call",
            "Write units per message",
            "Empty-handed",
            "Answered 429",
            "ms, median",
            "ms, 99 %",
        ]
        yield tables.table(head, rows, texts=0)


def _plot(found: Sequence[Found], path: Path) -> bool:
    """Messages per second over the clients, a line for each number of shards; whether it could be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    mpl = importlib.import_module("matplotlib")
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "openmns", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False})
    mpl.rcParams["axes.spines.right"] = False
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, every = pyplot.subplots(1, len(found), figsize=(4 * len(found), 3.6), layout="constrained", sharey=True)
    for one, axes in zip(found, every, strict=True):
        for shards, colour in zip(one.series.shards, _COLOURS, strict=False):
            points = [(case.clients, outcome.rate) for case, outcome in one.outcomes if case.shards == shards]
            axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=f"{shards} shards")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_title(one.series.title)
        axes.set_xlabel("clients")
    every[0].set_ylabel("messages per second (log)")
    every[-1].legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return True

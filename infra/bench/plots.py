"""The plots of the report, as SVG; none where matplotlib is not installed."""

import importlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.bench import backlog, figures, jobs, rates, report, results

_CASES = ("send-8", "receive-8", rates.PIPELINE, "send-batch", "receive-batch")
_COLOURS = ("#2563eb", "#93c5fd", "#1e3a8a", "#9ca3af", "#f59e0b", "#10b981", "#8b5cf6", "#ef4444", "#0f766e")


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot that was written."""

    section: str  # the title of the section that it illustrates
    file: str
    caption: str


def draw(found: results.Results, folder: Path) -> list[Plot]:
    """Write the plots for which there are figures; what was written."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    mpl = importlib.import_module("matplotlib")  # only who wants plots needs it
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "openmns", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False})
    mpl.rcParams["axes.spines.right"] = False
    drawn = []
    for plot, make in (
        (Plot(section="Rates", file="rates.svg", caption="Messages per second"), _rates),
        (Plot(section="Backlogs", file="backlog.svg", caption="Rates of OpenMNS by backlog"), _backlog),
        (Plot(section="Backlogs", file="memory.svg", caption="Memory by backlog"), _memory),
    ):
        if _write(found, folder / plot.file, make):
            drawn.append(plot)
    return drawn


def _write(found: results.Results, path: Path, make: Callable[[results.Results, Any], bool]) -> bool:
    """Have a plot made on a fresh figure and write it, unless there is nothing to see."""
    pyplot = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    made = make(found, axes)
    if made:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return made


def _rates(found: results.Results, axes: Any) -> bool:
    """Bars by case and subject; logarithmic, for the peers are a hundred times apart."""
    cases = [case for case in _CASES if found.measured(case)]
    if not cases:
        return False
    subjects = [s for s in found.subjects if any(s in found.measured(case) for case in cases)]
    width = 0.8 / max(1, len(subjects))
    for index, subject in enumerate(subjects):
        rate = [found.median(case, subject, "rate") for case in cases]
        places = [place + (index - (len(subjects) - 1) / 2) * width for place in range(len(cases))]
        heights = [0 if math.isnan(value) else value for value in rate]
        axes.bar(places, heights, width, label=report.name(subject), color=_COLOURS[index % len(_COLOURS)])
    axes.set_yscale("log")
    axes.set_ylabel("messages per second (log)")
    axes.set_xticks(range(len(cases)), [_broken(report.label(case)) for case in cases])
    axes.legend(fontsize=8, ncols=4, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return True


def _backlog(found: results.Results, axes: Any) -> bool:
    """Each operation's rate over the size, relative to the smallest, with the band it should stay in."""
    sizes = report.backlogs(found, report.OURS)
    if len(sizes) < 2:  # noqa: PLR2004  # one point makes no line
        return False
    axes.axhspan(0.85, 1.15, color="#e5e7eb", label="within 15 %")
    for index, phase in enumerate(jobs.PHASES):
        measured = [found.median(backlog.case(size), report.OURS, phase) for size in sizes]
        relative = [figures.ratio(value, measured[0]) for value in measured]
        axes.plot(sizes, relative, marker="o", label=phase, color=_COLOURS[index % len(_COLOURS)])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("messages in the queue")
    axes.set_ylabel(f"rate, relative to {figures.count(sizes[0])}")
    axes.legend(fontsize=8, ncols=2, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return True


def _memory(found: results.Results, axes: Any) -> bool:
    """Resident memory over the size."""
    subjects = [subject for subject in found.subjects if report.backlogs(found, subject)]
    if not subjects:
        return False
    for index, subject in enumerate(subjects):
        sizes = report.backlogs(found, subject)
        used = [max(found.values(backlog.case(size), subject, backlog.MEMORY)) for size in sizes]
        axes.plot(sizes, used, marker="o", label=report.name(subject), color=_COLOURS[index % len(_COLOURS)])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("messages in the queue")
    axes.set_ylabel("MB resident")
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return True


def _broken(label: str) -> str:
    """A label in short lines."""
    for words in ("one by one", "in batches", "8 producers", "+ 8 consumers"):
        label = label.replace(f" {words}", f"\n{words}")
    return label.replace(", ", ",\n")

"""The report: tables of what was found, for a terminal and for `docs/performance.md`.

What stands in the file below the line `KEPT` was written by hand and is kept when the rest is written anew.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from infra.bench import (
    backlog,
    dialects,
    fifo,
    figures,
    jobs,
    kills,
    order,
    parked,
    plots,
    rates,
    results,
    startup,
    tables,
    topics,
)

OURS = "openmns"
KEPT = "<!-- Written by hand from here on; `make bench` keeps it. -->"
_NOTES = "\n\n## What limits it, and what was tried\n\nNothing has been written here yet.\n"
_NAMES = {
    "openmns": "OpenMNS",
    "openmns-full": "OpenMNS, full",
    "openmns-memory": "OpenMNS, memory",
    "floor": "floor",
    "moto": "moto",
    "elasticmq": "ElasticMQ",
    "postgresql": "PostgreSQL",
}
# The least ratios ours / theirs, by case and subject.
TARGETS: dict[str, dict[str, float]] = {
    "send-8": {"elasticmq": 0.8, "postgresql": 1.3, "moto": 40, "floor": 0.3},
    "receive-8": {"elasticmq": 0.8, "postgresql": 1.4, "moto": 100, "floor": 0.3},
    rates.PIPELINE: {"elasticmq": 0.8, "postgresql": 1.5, "moto": 120},
    "send-batch": {"elasticmq": 0.8, "postgresql": 0.9, "moto": 100},
}
_BUSY, _BUSY_MARK = 0.8, " \\*"  # share of a core from which the load generator may be the limit
_FLAT = 0.15
_MEMORY_MB = 150
_START_SECONDS = 0.7
_IDLE_CPU = 0.01
_WAKE_MS = 20
_WIDE_MS = 1000
_DELIVERIES = 1500  # a second
_PUSH_MS = 500
_FIFO = 0.5  # of the rate of an ordinary queue


def name(subject: str) -> str:
    """A subject as people call it."""
    return _NAMES.get(subject, subject)


def label(case: str) -> str:
    """A case of the rates in words."""
    verb, _, rest = case.partition("-")
    if case == rates.PIPELINE:
        return "pipeline, 8 producers + 8 consumers"
    what = {"send": "send", "receive": "receive + delete"}[verb]
    return f"{what} in batches" if rest == "batch" else f"{what} one by one, {rest} connection{'s' * (rest != '1')}"


def text(found: results.Results) -> str:
    """The whole report in Markdown, without plots."""
    return "\n".join(block for _, blocks in _sections(found) for block in blocks)


def write(found: results.Results, path: Path) -> list[str]:
    """Write the report with its plots beside it, keeping what was written by hand; say what was written."""
    folder = path.parent / path.stem
    drawn = plots.draw(found, folder)
    lines: list[str] = []
    for title, blocks in _sections(found):
        lines += blocks
        lines += [f"![{image.caption}]({folder.name}/{image.file})\n" for image in drawn if image.section == title]
    notes = _NOTES
    if path.exists() and KEPT in (before := path.read_text()):
        notes = before.partition(KEPT)[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + f"\n{KEPT}{notes}")
    said = [f"wrote {path}"] + [f"wrote {folder / image.file}" for image in drawn]
    return said if drawn else [*said, "no plots: matplotlib is not installed, or nothing to plot was measured"]


def _sections(found: results.Results) -> Iterator[tuple[str, list[str]]]:
    yield "head", _head(found)
    for title, blocks in (
        ("Must reach", _targets(found)),
        ("Rates", _rates(found)),
        ("Backlogs", _backlogs(found)),
        ("Parked long polls", _parked(found)),
        ("Topics", _topics(found)),
        ("Start", _starts(found)),
        ("FIFO queues", _fifo(found)),
        ("kill -9", _kills(found)),
    ):
        if blocks:
            yield title, [f"## {title}\n", *blocks]


def _head(found: results.Results) -> list[str]:
    repetitions = found.options.get("repetitions", 0)
    blocks = [
        "# Performance\n",
        (
            "Written by `make bench`.\n"
            f"Figures are medians of {repetitions} repetition{'s' * (repetitions != 1)} that alternate between the"
            " subjects; a ratio is ours / theirs, above 1 means that OpenMNS is faster.\n"
            f"Each measurement has {figures.number(found.options.get('seconds'))} s of load with messages of 1 KB.\n"
            "Load generator and server share the machine; while one server is measured, the others are paused.\n"
            "Batches have 16 messages with OpenMNS and the floor, and 10 with the peers.\n"
        ),
        tables.table(["Machine", ""], [[key, value] for key, value in found.machine.items()], texts=2),
        tables.table(["Subject", "What it is"], [[name(key), value] for key, value in found.subjects.items()], texts=2),
    ]
    if found.skips:
        rows = [[name(skip.subject), skip.case or "all", skip.reason.replace("|", "/")] for skip in found.skips]
        blocks += ["Skipped:\n", tables.table(["Subject", "Case", "Reason"], rows, texts=3)]
    return blocks


# --- Rates -----------------------------------------------------------------------------------------------------------


def _rate(found: results.Results, case: str, subject: str) -> float:
    return found.median(case, subject, "rate")


def _ratio(found: results.Results, case: str, subject: str) -> float:
    return figures.ratio(_rate(found, case, OURS), _rate(found, case, subject))


def _targets(found: results.Results) -> list[str]:
    rows = []
    for case, least in TARGETS.items():
        for subject, target in least.items():
            reached = _ratio(found, case, subject)
            if not math.isnan(reached):
                verdict = "yes" if reached >= target else "no"
                rows.append([label(case), name(subject), f"{target:g}x", figures.times(reached), verdict])
    rows += list(_other_targets(found))
    return [tables.table(["Work", "Against", "Target", "Measured", "Reached"], rows, texts=2)] if rows else []


def _other_targets(found: results.Results) -> Iterator[list[str]]:
    """The targets that are no ratio."""
    sizes = backlogs(found, OURS)
    if len(sizes) > 1:
        falls = [figures.fall(_by_size(found, OURS, phase, sizes)) for phase in jobs.PHASES]
        worst = max((value for value in falls if not math.isnan(value)), default=math.nan)
        against = f"{figures.count(sizes[-1])} and {figures.count(sizes[0])} messages"
        yield ["loss of rate with a backlog", against, "15 %", figures.percent(worst), _verdict(worst <= _FLAT)]
    checks = (
        ("memory with the largest backlog", _memory(found, OURS, sizes[-1]) if sizes else math.nan, _MEMORY_MB, "MB"),
        ("start on an existing file", found.median(startup.EXISTING, OURS, "seconds"), _START_SECONDS, "s"),
        ("parked: send to receive, p99", found.median(parked.CASE, OURS, "p99_ms"), _WAKE_MS, "ms"),
    )
    for work, value, limit, unit in checks:
        if not math.isnan(value):
            yield [work, "-", f"{limit:g} {unit}", f"{figures.number(value)} {unit}", _verdict(value <= limit)]
    wide = found.median(topics.WIDE, OURS, "worst_ms")
    if not math.isnan(wide):
        yield [
            f"publish to {topics.QUEUES} queues",
            "-",
            "1,000 ms",
            f"{figures.number(wide)} ms",
            _verdict(wide < _WIDE_MS),
        ]
    for phase in fifo.PHASES:
        reached = _fifo_ratio(found, phase)
        if not math.isnan(reached):
            work = f"FIFO queue: {_FIFO_WORDS[phase]}"
            yield [work, "ordinary queue", f"{_FIFO:g}x", figures.times(reached), _verdict(reached >= _FIFO)]
    few = found.median(topics.SUSTAINED, OURS, "rate")
    if not math.isnan(few):
        yield [
            f"deliveries to {topics.FEW} queues",
            "-",
            f"{figures.count(_DELIVERIES)}/s",
            f"{figures.number(few)}/s",
            _verdict(few >= _DELIVERIES),
        ]
    pushed = found.median(topics.PUSHED, OURS, "p99_ms")
    if not math.isnan(pushed):
        work = f"push to {topics.ENDPOINTS} endpoints, {topics.DEAD} of them dead, p99"
        yield [work, "-", f"{_PUSH_MS} ms", f"{figures.number(pushed)} ms", _verdict(pushed < _PUSH_MS)]
    idle = found.median(parked.CASE, OURS, "idle_cpu")
    if not math.isnan(idle):
        yield ["parked: share of a core", "-", "1 %", figures.percent(idle), _verdict(idle <= _IDLE_CPU)]


def _verdict(reached: bool) -> str:  # noqa: FBT001  # a yes or no is what it is about
    return "yes" if reached else "no"


def _rates(found: results.Results) -> list[str]:
    cases = [*found.cases("send-"), *found.cases("receive-"), *found.cases(rates.PIPELINE)]
    if not cases:
        return []
    subjects = [subject for subject in found.subjects if any(subject in found.measured(case) for case in cases)]
    others = [subject for subject in subjects if subject != OURS]
    names = [name(subject) for subject in subjects]
    rows = [[label(case), *(_marked(found, case, s) for s in subjects)] for case in cases]
    blocks = ["Messages per second:\n", tables.table(["Work", *names], rows)]
    if any(cell.endswith(_BUSY_MARK) for row in rows for cell in row):
        blocks += [f"{_BUSY_MARK.strip()} The load generator took most of a core: the subject may do more.\n"]
    if OURS in subjects and others:
        rows = [[label(case), *(figures.times(_ratio(found, case, s)) for s in others)] for case in cases]
        blocks += ["Ratios, OpenMNS / other:\n", tables.table(["Work", *map(name, others)], rows)]
    rows = [[label(case), *(_latency(found, case, s) for s in subjects)] for case in cases]
    blocks += ["Latency of a request, or of a receive and its delete, p50 / p99 in ms:\n"]
    blocks += [tables.table(["Work", *names], rows)]
    rows = [[label(case), *(_shares(found, case, s) for s in subjects)] for case in cases]
    blocks += ["Share of one core, server / load generator:\n", tables.table(["Work", *names], rows)]
    rows = [[label(case), *(_spread(found, case, s) for s in subjects)] for case in cases]
    blocks += ["Spread of the repetitions, (highest - lowest) / median; failed requests follow, if any:\n"]
    return [*blocks, tables.table(["Work", *names], rows)]


def _marked(found: results.Results, case: str, subject: str) -> str:
    """The rate, with a mark if it may be the generator's more than the subject's."""
    busy = found.median(case, subject, "generator_cpu") > _BUSY
    return figures.number(_rate(found, case, subject)) + _BUSY_MARK * busy


def _latency(found: results.Results, case: str, subject: str) -> str:
    return " / ".join(figures.number(found.median(case, subject, metric)) for metric in ("p50_ms", "p99_ms"))


def _shares(found: results.Results, case: str, subject: str) -> str:
    return " / ".join(figures.percent(found.median(case, subject, m)) for m in ("server_cpu", "generator_cpu"))


def _spread(found: results.Results, case: str, subject: str) -> str:
    failures = found.total(case, subject, "failures")
    apart = figures.percent(figures.spread(found.values(case, subject, "rate")))
    return f"{apart}, {failures:.0f} failed" if failures > 0 else apart


# --- Backlogs --------------------------------------------------------------------------------------------------------


def backlogs(found: results.Results, subject: str) -> list[int]:
    """The backlogs that a subject was measured with, rising."""
    return sorted(
        int(case.removeprefix("backlog-")) for case in found.cases("backlog-") if subject in found.measured(case)
    )


def _by_size(found: results.Results, subject: str, phase: str, sizes: list[int]) -> list[float]:
    return [found.median(backlog.case(size), subject, phase) for size in sizes]


def _memory(found: results.Results, subject: str, size: int) -> float:
    values = found.values(backlog.case(size), subject, backlog.MEMORY)
    return max(values, default=math.nan)


def _backlogs(found: results.Results) -> list[str]:
    subjects = [subject for subject in found.subjects if backlogs(found, subject)]
    blocks = []
    for subject in subjects:
        sizes = backlogs(found, subject)
        rows = []
        for phase in jobs.PHASES:
            measured = _by_size(found, subject, phase, sizes)
            if not all(map(math.isnan, measured)):
                rows.append([phase, *map(figures.number, measured), figures.percent(figures.change(measured))])
        head = [f"{name(subject)}, requests/s", *(figures.count(size) for size in sizes), "largest change"]
        blocks.append(tables.table(head, rows))
    if subjects:
        every = sorted({size for subject in subjects for size in backlogs(found, subject)})
        rows = [
            [
                name(subject),
                figures.number(found.median(backlog.IDLE, subject, backlog.MEMORY)),
                *(figures.number(_memory(found, subject, size)) for size in every),
            ]
            for subject in subjects
        ]
        blocks += [tables.table(["Memory, MB resident", "idle", *map(figures.count, every)], rows)]
    return blocks


# --- The rest --------------------------------------------------------------------------------------------------------


def _parked(found: results.Results) -> list[str]:
    rows = [
        [
            name(subject),
            figures.number(found.median(parked.CASE, subject, "parked")),
            figures.number(found.total(parked.CASE, subject, "failures")),
            figures.percent(found.median(parked.CASE, subject, "idle_cpu")),
            figures.number(found.median(parked.CASE, subject, "p50_ms")),
            figures.number(found.median(parked.CASE, subject, "p99_ms")),
        ]
        for subject in found.measured(parked.CASE)
    ]
    head = ["Subject", "Parked", "Failures", "Share of a core while idle", "Send to receive p50, ms", "p99, ms"]
    asked = f"{found.options.get('waiters', 0):,} long polls at the same time:\n"
    return [asked, tables.table(head, rows)] if rows else []


def _topics(found: results.Results) -> list[str]:
    rows = [
        [
            name(subject),
            figures.number(found.median(topics.WIDE, subject, "all_ms")),
            figures.number(found.median(topics.WIDE, subject, "worst_ms")),
            figures.number(found.median(topics.SUSTAINED, subject, "published")),
            figures.number(found.median(topics.SUSTAINED, subject, "rate")),
            figures.number(found.median(topics.PUSHED, subject, "p50_ms")),
            figures.number(found.median(topics.PUSHED, subject, "p99_ms")),
            figures.number(sum(found.total(case, subject, "failures") for case in found.cases(topics.CASE))),
        ]
        for subject in found.measured(topics.WIDE)
    ]
    head = [
        "Subject",
        f"One publication at {topics.QUEUES} queues, ms",
        "worst of 20, ms",
        f"Published to {topics.FEW} queues, /s",
        "delivered, /s",
        "Push to healthy endpoints p50, ms",
        "p99, ms",
        "Failures",
    ]
    said = (
        f"Pushes go to {topics.ENDPOINTS} HTTP endpoints, of which {topics.DEAD} take connections and never answer:\n"
    )
    return [said, tables.table(head, rows)] if rows else []


def _starts(found: results.Results) -> list[str]:
    size = figures.count(int(found.options.get("existing", 0)))
    words = {
        startup.EMPTY: "empty",
        startup.EXISTING: f"{size} messages",
        startup.KILLED: f"{size} messages, after kill -9",
    }
    rows = [
        [name(subject), words[case], figures.number(found.median(case, subject, "seconds"))]
        for case in words
        for subject in found.measured(case)
    ]
    said = "From the process to the first answered request; PostgreSQL has its folder made before:\n"
    return [said, tables.table(["Subject", "State", "s"], rows, texts=2)] if rows else []


def _kills(found: results.Results) -> list[str]:
    if OURS not in found.measured(kills.CASE):
        return []
    words = {
        "kills": "kill -9 in the middle of the load",
        "sent": "messages whose 201 arrived",
        "received": "receives answered",
        "deleted": "deletes whose 204 arrived",
        "lost": "messages lost",
        "delivered_again": "messages delivered after their 204",
        "shared": "messages delivered while hidden",
        "failures": "requests answered with an error",
    }
    rows = [[text, f"{found.median(kills.CASE, OURS, metric):,.0f}"] for metric, text in words.items()]
    return [tables.table(["8 producers + 8 consumers, the same file throughout", "OpenMNS"], rows)]


# --- FIFO queues -----------------------------------------------------------------------------------------------------

_FIFO_WORDS = {
    "send": "send, 8 connections",
    "receive": "receive + delete, 8 connections",
    "pipeline": "pipeline, 8 producers + 8 consumers",
}


def _fifo_ratio(found: results.Results, phase: str) -> float:
    ordinary, ordered = (found.median(fifo.case(phase, kind), OURS, "rate") for kind in fifo.KINDS)
    return figures.ratio(ordered, ordinary)


def _fifo(found: results.Results) -> list[str]:
    blocks = []
    if OURS in found.measured(fifo.case("send", "fifo")):
        rows = [
            [
                _FIFO_WORDS[phase],
                *(figures.number(found.median(fifo.case(phase, kind), OURS, "rate")) for kind in fifo.KINDS),
                figures.times(_fifo_ratio(found, phase)),
            ]
            for phase in fifo.PHASES
        ]
        said = f"Messages per second, with {dialects.GROUPS:,} message groups and without:\n"
        blocks += [said, tables.table(["Work", "Ordinary queue", "FIFO queue", "FIFO / ordinary"], rows)]
    if OURS in found.measured(order.CASE):
        words = {
            "kills": "kill -9 in the middle of the load",
            "sent": "messages whose 201 arrived",
            "groups": "message groups",
            "received": "messages received",
            "deleted": "messages whose delete was answered",
            "lost": "messages lost",
            "overtaking": "messages received before an earlier one of their group was over",
            "delivered_again": "messages delivered after their 204",
            "shared": "messages delivered while hidden",
        }
        rows = [[text, f"{found.median(order.CASE, OURS, metric):,.0f}"] for metric, text in words.items()]
        title = "8 producers + 8 consumers, with time-outs and messages given back"
        blocks += [tables.table([title, "OpenMNS"], rows)]
    return blocks

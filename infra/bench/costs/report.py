"""The report: tables for a terminal and for `docs/costs.md`, and every figure as JSON.

What stands in the file below the line `KEPT` was written by hand and is kept when the rest is written anew.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from chalicelib import settings
from infra.bench import tables
from infra.bench.costs import bill, measure, prices

KEPT = "<!-- Written by hand from here on; `make costs` keeps it. -->"


def text(counted: measure.Counted) -> str:
    """The whole report in Markdown."""
    return "\n".join(_blocks(counted))


def write(counted: measure.Counted, path: Path) -> None:
    """Write the report; what was written by hand stays."""
    kept = path.read_text().partition(KEPT)[2] if path.exists() else "\n\nNothing has been written here yet.\n"
    path.write_text(f"{text(counted)}\n{KEPT}{kept}")


def to_json(counted: measure.Counted) -> dict[str, object]:
    """Every figure: what was counted, the prices, and the bills."""
    return {
        "counted": dataclasses.asdict(counted),
        "prices": [dataclasses.asdict(price) for price in prices.EVERY],
        "bills": [
            dataclasses.asdict(one) | {"totals": {door.name: one.total(door) for door in bill.DOORS}}
            for one in [*_bills(counted), *_fifo_bills(counted)]
        ],
        "idle": [dataclasses.asdict(bill.idle(poll)) for poll in counted.polls],
        "idle_queues_a_month": bill.resting(counted),
    }


def _bills(counted: measure.Counted) -> list[bill.Bill]:
    return [bill.bill(counted, size, batched=batched) for size in counted.single for batched in (False, True)]


def _fifo_bills(counted: measure.Counted) -> list[bill.Bill]:
    return [bill.in_order(counted, size, way) for size in measure.SIZES for way in measure.WAYS]


def _blocks(counted: measure.Counted) -> Iterator[str]:
    yield (
        "# Costs\n\n"
        "What OpenMNS costs in an AWS account, in US dollars: units that its operations consumed on the embedded engine"
        "\ntimes public prices.\n`make costs` counts and writes this page; it comes out the same each time.\n"
        "Nothing of it was read from an AWS bill.\n"
    )
    yield "## A million messages, end to end\n"
    yield "Each is sent, received and deleted; in batches, sixteen go together where they fit.\n"
    yield _totals(counted)
    yield "What the totals are made of, behind an HTTP API:\n"
    yield _parts(counted)
    yield "## A million messages of a FIFO queue\n"
    yield (
        "Order is kept by an item for each message group, which changes with every message of it.\n"
        "What that costs depends on how messages come: a group that becomes empty is made and deleted each time,"
        " and what goes together of one group shares its changes.\n"
    )
    yield _fifo_totals(counted)
    yield "## Idle consumers\n"
    yield (
        "A month of one consumer that polls an empty queue without a pause, by the wait of its polls.\n"
        "On Lambda the wait itself is paid for: the function holds its memory while it waits.\n"
    )
    yield _idle(counted)
    yield "## Idle queues\n"
    days = 365.25 / 12
    yield (
        f"{measure.IDLE_QUEUES} queues in which nothing happens cost {_usd(bill.resting(counted))} a month, for the two"
        f" functions that run each minute; at Alibaba {_usd(measure.IDLE_QUEUES * days * prices.SMQ_QUEUE.usd)},"
        " at SQS nothing.\n"
        "While any message waits to become visible, the release function stays to be exact to the second:"
        f" up to {_usd(bill.waiting_release())} a month more, whatever the number of queues.\n"
    )
    yield "## What each operation consumes\n"
    yield _operations(counted)
    yield "## Topics and what goes on behind the requests\n"
    yield _uses(counted.topics | counted.background)
    yield "## Bodies: with the state, or apart\n"
    yield (
        "One message's life with its body in a table of its own, and with its body in the item that is claimed.\n"
        f"The line is drawn at an item of {settings.Settings.inline_bytes:,} bytes (`OPENMNS_INLINE_BYTES`).\n"
    )
    yield _lines(counted)
    yield "## Prices and assumptions\n"
    yield tables.table(
        ["Price", "US dollars", "per", "Source"],
        [[price.name, f"{price.usd:g}", price.per, price.source] for price in prices.EVERY],
        texts=4,
    )
    yield (
        f"Read in {prices.READ_ON}; us-east-1, without free tiers, data transfer, logs and taxes.\n"
        f"The function of the API has {prices.MEMORY_MB} MB, those behind it {prices.BACKGROUND_MB} MB;"
        f" a warm one takes {prices.HANDLER_SECONDS * 1000:.0f} ms and {prices.TRIP_SECONDS * 1000:.0f} ms for each"
        " round trip to DynamoDB.\n"
        "Attributes of queues and access keys are remembered for 5 s:"
        " a process that is asked less often pays two reads more for each call.\n"
        "A body that stands apart lies in its table for the retention (4 days) and a day more.\n"
    )


def _totals(counted: measure.Counted) -> str:
    rows = [
        [
            _size(one.size),
            one.calls,
            *(_usd(one.total(door)) for door in bill.DOORS),
            _usd(one.sqs_standard),
            _usd(one.sqs_fifo),
            _usd(one.smq),
        ]
        for one in _bills(counted)
    ]
    head = ["Body", "Calls", *(door.name for door in bill.DOORS), "SQS", "SQS FIFO", "Alibaba, requests"]
    return tables.table(head, rows, texts=2)


def _fifo_totals(counted: measure.Counted) -> str:
    rows = [
        [
            _size(one.size),
            one.calls,
            _usd(one.tables),
            *(_usd(one.total(door)) for door in bill.DOORS),
            _usd(one.sqs_fifo),
        ]
        for one in _fifo_bills(counted)
    ]
    head = ["Body", "Calls", "DynamoDB", *(door.name for door in bill.DOORS), "SQS FIFO"]
    return tables.table(head, rows, texts=2)


def _parts(counted: measure.Counted) -> str:
    door = bill.DOORS[1]
    rows = [
        [
            _size(one.size),
            one.calls,
            _usd(one.doors[door.name]),
            _usd(one.function),
            _usd(one.tables),
            _usd(one.storage),
            _usd(one.counting),
        ]
        for one in _bills(counted)
    ]
    return tables.table(["Body", "Calls", "Gateway", "Lambda", "DynamoDB", "Storage", "Counting"], rows, texts=2)


def _idle(counted: measure.Counted) -> str:
    rows = []
    for poll in counted.polls:
        one = bill.idle(poll)
        shared = one.tables + one.function
        rows.append(
            [
                f"{one.wait} s",
                f"{one.polls:,.0f}",
                str(one.looks),
                _usd(one.function),
                _usd(one.tables),
                *(_usd(shared + one.doors[door.name]) for door in bill.DOORS),
                _usd(one.sqs),
            ]
        )
    doors = [f"total, {door.name}" for door in bill.DOORS]
    return tables.table(["Wait", "Polls", "Looks per poll", "Lambda", "DynamoDB", *doors, "SQS"], rows)


def _operations(counted: measure.Counted) -> str:
    rows = [
        [name if not size else f"{name}, {_size(size)}", *_figures(use)]
        for size, uses in [*counted.single.items()]
        for name, use in uses.items()
    ]
    rows += [
        [f"{name}, 16 of {_size(size)}", *_figures(use)]
        for size, uses in counted.batch.items()
        for name, use in uses.items()
        if name.startswith("Batch")
    ]
    rows += [
        [f"{name}, FIFO: {way}", *_figures(use)]
        for way, sizes in counted.fifo.items()
        for name, use in sizes[measure.SMALL].items()
    ]
    return tables.table(_HEAD, rows)


_HEAD = ["Operation", "Calls of DynamoDB", "Round trips", "Write units", "Read units", "DynamoDB, $ per million"]


def _uses(uses: Mapping[str, measure.Use]) -> str:
    return tables.table(_HEAD, [[name, *_figures(use)] for name, use in uses.items()])


def _figures(use: measure.Use) -> list[str]:
    return [
        str(use.calls),
        str(use.rounds),
        f"{use.write_units:g}",
        f"{use.read_units:g}",
        f"{bill.table_price(use):,.2f}",
    ]


def _lines(counted: measure.Counted) -> str:
    rows = []
    for size, (apart, inline) in counted.apart.items():
        rows.append(
            [
                _size(size),
                f"{apart.write_units:g} + {apart.read_units:g}",
                f"{inline.write_units:g} + {inline.read_units:g}",
                str(apart.rounds),
                str(inline.rounds),
                _usd(bill.table_price(apart)),
                _usd(bill.table_price(inline)),
            ]
        )
    head = ["Body", "Units apart", "Units inline", "Trips apart", "Trips inline", "$ apart", "$ inline"]
    return tables.table(head, rows)


def _size(size: int) -> str:
    return f"{size // 1024} KB" if size % 1024 == 0 else f"{size} B"


def _usd(amount: float) -> str:
    return f"{amount:,.2f}"

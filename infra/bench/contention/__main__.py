"""`python -m infra.bench.contention`: run the model and report it."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.bench.contention import report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.bench.contention",
        description="A model of many clients on one queue: the real verbs behind DynamoDB's limits, in virtual time.",
    )
    parser.add_argument("--quick", action="store_true", help="a few small cases")
    parser.add_argument("--seconds", type=float, default=2.0, help="of virtual time, for each case (2)")
    parser.add_argument("--json", action="store_true", help="print every figure as JSON instead of tables")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report here, its plot beside it")
    told = parser.parse_args(arguments)
    found = report.run(
        report.QUICK if told.quick else report.SERIES, told.seconds, lambda line: sys.stderr.write(f"{line}\n")
    )
    shown = json.dumps(report.to_json(found), indent=1) + "\n" if told.json else report.text(found)
    sys.stdout.write(shown)
    if told.report:
        report.write(found, told.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m infra.bench.costs`: count, multiply, report."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.bench.costs import measure, report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.bench.costs",
        description="What OpenMNS costs on AWS: counted units times public prices.",
    )
    parser.add_argument("--json", action="store_true", help="print every figure as JSON instead of tables")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report here")
    told = parser.parse_args(arguments)
    counted = measure.run()
    sys.stdout.write(json.dumps(report.to_json(counted), indent=1) + "\n" if told.json else report.text(counted))
    if told.report:
        report.write(counted, told.report)
    return 0


if __name__ == "__main__":
    sys.exit(main())

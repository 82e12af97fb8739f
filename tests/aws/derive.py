"""What each function has to be granted: the tests of the whole app, run once more under the recorder.

`python -m tests.aws.derive` writes the policies anew; whoever does that reads the difference before it is committed.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from infra.aws import functions
from tests.live import ROOT

Grant = tuple[str, str]  # action; resource, as policy files name it

# Calls that only a race makes, which no test can bring about: another process changed the group of a FIFO queue, and
# the refusal does not tell how.
RACES = {("dynamodb:GetItem", "table/messages")}
_INTO_FIFO_QUEUES = frozenset({functions.API, "release", "fan_out", "deliver", "redeliver", "object_events"})

_SECONDS = 300
_SERVICES = {"ses": "Mails", "sns": "PhonesAndApps"}


def derive() -> dict[str, set[Grant]]:
    """The grants by the functions' names."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "calls.json")
        run = [sys.executable, "-m", "pytest", "-q", "-p", "tests.aws.recorder", "--record", str(record), "tests/api"]
        done = subprocess.run(  # noqa: S603  # our own tests
            [*run, "-k", "not moto"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
        assert done.returncode == 0, done.stdout[-2000:]
        calls = json.loads(record.read_text())
    found = {function.name: _races(function.name) for function in functions.FUNCTIONS}
    for function, action, resource in calls:
        found[function].add((action, resource if resource in ("*", "key") else f"table/{resource}"))
    return found


def _races(function: str) -> set[Grant]:
    return set(RACES) if function in _INTO_FIFO_QUEUES else set()


def write(function: str, grants: set[Grant]) -> None:
    """Write the policy of a function: a statement for each resource."""
    by_resource: dict[tuple[str, str], list[str]] = defaultdict(list)
    for action, resource in sorted(grants):
        by_resource[resource, action.partition(":")[0]].append(action)
    statements = [
        {"Sid": _sid(resource, service), "Effect": "Allow", "Action": actions, "Resource": resource}
        for (resource, service), actions in sorted(by_resource.items())
    ]
    lines = ",\n".join(f"    {json.dumps(statement)}" for statement in statements)
    text = f'{{\n  "Version": "2012-10-17",\n  "Statement": [\n{lines}\n  ]\n}}\n'
    (ROOT / ".chalice" / f"policy-{function}.json").write_text(text)


def _sid(resource: str, service: str) -> str:
    if resource == "*":
        return _SERVICES[service]
    if resource == "key":
        return "Secrets"
    _, table, *index = resource.split("/")
    return "".join(part.capitalize() for part in (table, *index[1:]))


if __name__ == "__main__":
    for name, grants in derive().items():
        write(name, grants)

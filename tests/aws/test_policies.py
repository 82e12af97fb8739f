"""Every function may do what it does, and nothing else.

What it does is derived: the tests of the whole app run once more, in a process of their own, with a recorder between
the app and what it asks. A policy that this finds fault with is in `.chalice/policy-<function>.json`.
"""

import json
import subprocess
import sys
from collections import Counter

import pytest

from chalicelib.storage import schema
from infra.aws import functions, package
from tests.live import ROOT

Grant = tuple[str, str]  # action, resource
_SECONDS = 300


@pytest.fixture(scope="session")
def calls(tmp_path_factory) -> dict[str, set[Grant]]:
    """What each function was seen to ask for."""
    record = tmp_path_factory.mktemp("record") / "calls.json"
    run = [sys.executable, "-m", "pytest", "-q", "-p", "tests.aws.recorder", "--record", str(record), "tests/api"]
    done = subprocess.run(  # noqa: S603  # our own tests
        [*run, "-k", "not moto"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    assert done.returncode == 0, done.stdout[-2000:]
    found: dict[str, set[Grant]] = {function.name: set() for function in functions.FUNCTIONS}
    for function, action, resource in json.loads(record.read_text()):
        found[function].add((action, resource if resource in ("*", "key") else f"table/{resource}"))
    return found


def granted(function: str) -> list[Grant]:
    return [
        (action, statement["Resource"])
        for statement in package.policies()[function]["Statement"]
        for action in statement["Action"]
    ]


@pytest.mark.parametrize("function", [function.name for function in functions.FUNCTIONS])
def test_a_policy_grants_exactly_what_the_function_does(calls, function):
    missing = calls[function] - set(granted(function))
    superfluous = set(granted(function)) - calls[function]
    file = f".chalice/policy-{function}.json"
    assert not missing, f"{file} does not grant {sorted(missing)}"
    assert not superfluous, f"{file} grants {sorted(superfluous)}, which no test in tests/api shows to be needed"


@pytest.mark.parametrize("function", [function.name for function in functions.FUNCTIONS])
def test_a_policy_grants_nothing_twice_nothing_by_pattern_and_names_what_there_is(function):
    grants = granted(function)
    assert [grant for grant, times in Counter(grants).items() if times > 1] == []
    assert all("*" not in action for action, _ in grants)
    tables = {f"table/{table.name}" for table in schema.TABLES}
    indexes = {
        f"table/{table.name}/index/{index.name}"
        for table in schema.TABLES
        for index in (*table.indexes, *table.global_indexes)
    }
    assert {resource for _, resource in grants} <= tables | indexes | {"*", "key"}
    everywhere = {action.partition(":")[0] for action, resource in grants if resource == "*"}
    assert everywhere <= {"ses", "sns"}  # their senders, phones and apps are those of the messages

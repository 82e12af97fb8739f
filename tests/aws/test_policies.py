"""Every function may do what it does, and nothing else; what it does is derived (see derive.py).

A policy that this finds fault with is `.chalice/policy-<function>.json`.
"""

from collections import Counter

import pytest

from chalicelib.storage import schema
from infra.aws import functions, package
from tests.aws import derive


@pytest.fixture(scope="session")
def calls() -> dict[str, set[derive.Grant]]:
    """What each function has to be granted."""
    return derive.derive()


def granted(function: str) -> list[derive.Grant]:
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

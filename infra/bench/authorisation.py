"""What authorising costs: `python -m infra.bench.authorisation`.

A RAM user with fifty statements attached sends messages; measured is what a request costs before its operation runs,
for the account's own key and for the user's, and the judgement of policies alone. Everything is warm; the least of
many runs counts, for others may use the machine.
"""

import argparse
import json
import sys
import timeit
from collections.abc import Callable

from chalicelib import bootstrap, clock, settings
from chalicelib.model import account, policy, ram
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine, vault

STATEMENTS = 50
_MOST_MS = 0.2  # what a warm call may cost (issue 6)
_OWNER = "1234567890123456"
_RUNS, _CALLS = 15, 2_000
_RESOURCE = f"acs:mns:cn-hangzhou:{_OWNER}:/queues/orders/messages"


def documents() -> list[str]:
    """Ten documents of five statements each; the last of all is the one that allows."""

    def statement(number: int) -> dict[str, object]:
        made: dict[str, object] = {
            "Effect": "Deny" if number % 5 == 0 else "Allow",
            "Action": ["mns:Send*", "mns:Batch*", f"mns:Get{number}*"],
            "Resource": [f"acs:mns:*:*:/queues/team-{number}-*", f"acs:mns:cn-*:{_OWNER}:/topics/*/news-{number}"],
            "Condition": {
                "IpAddress": {"acs:SourceIp": [f"10.{number}.0.0/16", "2001:db8::/32"]},
                "DateLessThan": {"acs:CurrentTime": "2099-01-01T00:00:00Z"},
            },
        }
        return made | ({"Effect": "Allow", "Resource": "acs:mns:*:*:/queues/or*"} if number == STATEMENTS - 1 else {})

    all_of_them = [statement(number) for number in range(STATEMENTS)]
    return [
        json.dumps({"Version": "1", "Statement": all_of_them[start : start + 5]}) for start in range(0, STATEMENTS, 5)
    ]


def measure() -> dict[str, float]:
    """Microseconds of each."""
    made = EmbeddedEngine(None, now=clock.SystemClock().now)
    engine.make_tables(made, "openmns-")
    application = bootstrap.build(settings.Settings(), engine=made, vault=vault.in_memory())
    directory, permissions = application.verbs.directory, application.verbs.permissions
    now = clock.SystemClock().now()
    directory.create(_OWNER, ram.User(name="ann", user_id="1", created_at=now, updated_at=now), most=1)
    for number, document in enumerate(documents()):
        directory.create_policy(_OWNER, f"p{number}", document, "")
        directory.attach(_OWNER, ram.User, "ann", ram.CUSTOM, f"p{number}")
    values = {"acs:sourceip": ("10.49.0.1",), "acs:currenttime": ("2026-01-31T12:00:00+00:00",)}

    def asked(_now: int) -> policy.Asked:
        return policy.Asked(actions=("mns:SendMessage",), resource=_RESOURCE, values=lambda key: values.get(key, ()))

    root = account.Caller(account_id=_OWNER, access_key_id="root")
    user = account.Caller(account_id=_OWNER, access_key_id="ann", user="ann")
    return {
        "root": _time(lambda: permissions.authorise(root, _OWNER, asked)),
        "user": _time(lambda: permissions.authorise(user, _OWNER, asked)),
    }


def _time(call: Callable[[], object]) -> float:
    call()
    return min(timeit.repeat(call, number=_CALLS, repeat=_RUNS)) / _CALLS * 1_000_000


def main() -> int:
    """Measure, print, and fail if it is too slow."""
    parser = argparse.ArgumentParser(description="What authorising a warm call costs.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    found = measure()
    if chosen.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name, microseconds in found.items():
            sys.stdout.write(f"{name:5} {microseconds:8.2f} us\n")
    return int(found["user"] > _MOST_MS * 1000)


if __name__ == "__main__":
    sys.exit(main())

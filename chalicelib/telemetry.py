"""Logs: events with fields, as JSON. Never a body, a key or a signature.

`logger` is made when it is first used: Powertools takes a quarter of what a Lambda function needs to start, and a
function that works says nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


def __getattr__(name: str) -> "Logger":
    if name != "logger":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aws_lambda_powertools import Logger  # noqa: PLC0415  # see the module

    made = Logger(service="openmns", use_rfc3339=True)
    globals()[name] = made
    return made

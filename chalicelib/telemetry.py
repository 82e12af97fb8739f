"""Logs: events with fields, as JSON. Never a body, a key or a signature.

`logger` is made when it is first used: Powertools takes a quarter of what a Lambda function needs to start, and a
function that works says nothing.
"""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_making = threading.Lock()


def __getattr__(name: str) -> "Logger":
    if name != "logger":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _making:  # two of them would say everything twice
        if name not in globals():
            from aws_lambda_powertools import Logger  # noqa: PLC0415  # see the module

            globals()[name] = Logger(service="openmns", use_rfc3339=True)
        made: Logger = globals()[name]
        return made

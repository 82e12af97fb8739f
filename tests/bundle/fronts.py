"""What gateways do with a request: an event to a function, its answer back, each with its limit and its own errors."""

import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

from infra.bench import lambdas
from tests import gateways

_REFUSED = frozenset("|{}")  # raw in a query, by REST APIs

Respond = Callable[[gateways.Sent], gateways.Answered]


def rest(function: lambdas.Function, *, stage: str = "", seconds: float = 29) -> Respond:
    """A REST API; with a `stage` it is called by its own host name, without one by a custom domain."""

    def respond(sent: gateways.Sent) -> gateways.Answered:
        if _REFUSED & set(sent.query):
            return gateways.own(400, "Bad Request")
        event = gateways.rest_event(sent, now=_now(), stage=stage)
        if event is None:
            return gateways.own(403, "Missing Authentication Token")
        return _call(function, event, seconds, gateways.own(504, "Endpoint request timed out"))

    return respond


def http_api(function: lambdas.Function, *, stage: str = "$default", seconds: float = 30) -> Respond:
    """An HTTP API."""
    return lambda sent: _call(
        function,
        gateways.http_event(sent, now=_now(), stage=stage),
        seconds,
        gateways.own(503, "Service Unavailable"),
    )


def function_url(function: lambdas.Function, *, seconds: float = 900) -> Respond:
    """A function URL."""
    return lambda sent: _call(
        function, gateways.url_event(sent, now=_now()), seconds, gateways.own(502, "Internal Server Error")
    )


def _now() -> int:
    return time.time_ns() // 1_000_000


def _call(
    function: lambdas.Function, event: dict[str, Any], seconds: float, late: gateways.Answered
) -> gateways.Answered:
    """What the function says in time; nobody tells the function when its time is over."""
    pool = futures.ThreadPoolExecutor(1)
    try:
        return gateways.answer(pool.submit(function.invoke, event).result(seconds))
    except TimeoutError:
        return late
    except (lambdas.FunctionError, KeyError, TypeError):
        return gateways.own(502, "Internal server error")
    finally:
        pool.shutdown(wait=False)

"""Helpers that only a local server has, under `/_local/`: JSON, no signature, nothing of them is ever deployed.

Changes want the content type `application/json`, which a web page of another origin cannot send unasked.
"""

import contextlib
import ipaddress
import json
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib import parse

from chalicelib.api import workers
from chalicelib.model import delivery, errors
from chalicelib.wire import http
from infra.local import clock as clocks
from infra.local import runtime

PREFIX = "/_local/"
_CLOCK = "/_local/clock"
_FAILURES = "/_local/failures"  # stream records that no attempt could do
_DELIVERIES = "/_local/deliveries"  # the log of pushes
_OUTBOX = "/_local/outbox"  # mails, short messages and mobile pushes
_DEVICES = "/_local/devices"  # of mobile apps
_OBJECT_EVENTS = "/_local/object-events"  # of S3, or of whatever tells of its objects as S3 does
_PATHS = (_CLOCK, _FAILURES, _DELIVERIES, _OUTBOX, _DEVICES, _OBJECT_EVENTS)
_MOST_DELIVERIES = 1_000
_LAST = 253_370_764_800_000  # 9999-01-01, ms: later moments have no date in Python
_LONGEST_STEP = 10 * 365 * 86_400  # seconds


class _RefusedError(Exception):
    """The request cannot be; the message says what would do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Work = Generator[None, None, http.Response]


def answer(running: runtime.Runtime, request: http.Request) -> Work:
    """Answer a request under the prefix; yields like `Runtime.moving_clock`."""
    try:
        _check_host(request.headers.get("host", ""))
        if request.path == _CLOCK:
            yield from _run_clock(running, request)
            return _json(200, _show(running.clock))
        return _json(200, _run(running, request))
    except _RefusedError as error:
        return _json(error.status, {"error": str(error)})
    except errors.MnsError as error:
        return _json(error.status, {"error": error.message})


def _check_host(host: str) -> None:
    """Refuse names of the internet: a web page whose name was made to mean this machine must not get in."""
    try:
        name = (parse.urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError as error:
        raise _RefusedError(403, "the helpers are not served to such a host") from error
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name)
        return
    if "." in name and not name.endswith(".localhost"):
        raise _RefusedError(403, f"the helpers are not served to {name}; use localhost, an address or a plain name")


def _run(running: runtime.Runtime, request: http.Request) -> dict[str, Any]:
    if request.path == _DEVICES:
        _add_device(running, request)
        return {}
    if request.path == _OBJECT_EVENTS:
        if request.method != "POST":
            raise _RefusedError(405, f"{_OBJECT_EVENTS} takes POST")
        told: dict[str, Any] = workers.object_events(_json_of(request), None)
        return told
    if request.path not in _PATHS:
        raise _RefusedError(404, f"there is no {request.path}; there are {', '.join(_PATHS)}")
    if request.method != "GET":
        raise _RefusedError(405, f"{request.path} takes GET")
    if request.path == _FAILURES:
        return {"failures": [] if running.driver is None else running.driver.failures()}
    return running.outbox.show() if request.path == _OUTBOX else _deliveries(running, request)


def _add_device(running: runtime.Runtime, request: http.Request) -> None:
    """Give an app a device: `app`, `token` and, for whom it is, `user`."""
    if request.method != "POST":
        raise _RefusedError(405, f"{_DEVICES} takes POST")
    document = _document(request, {"app", "token", "user"})
    app, token, user = (document.get(name, "") for name in ("app", "token", "user"))
    if not all(isinstance(text, str) for text in (app, token, user)) or not app or not token:
        raise _RefusedError(400, "app and token should be texts")
    running.outbox.add_device(app, token, user)


def _deliveries(running: runtime.Runtime, request: http.Request) -> dict[str, Any]:
    """The newest deliveries, newest first; the query may have `topic`, `subscription` and `limit`."""
    asked = request.parameters
    limit = asked.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_DELIVERIES:
        raise _RefusedError(400, f"limit should be a number from 1 to {_MOST_DELIVERIES}")
    found = running.application.log.read(
        topic_name=asked.get("topic"), subscription_name=asked.get("subscription"), limit=int(limit)
    )
    return {"deliveries": [_show_delivery(item) for item in found]}


def _show_delivery(item: delivery.Delivery) -> dict[str, Any]:
    return {
        "account": item.namespace.account_id,
        "topic": item.topic_name,
        "subscription": item.subscription_name,
        "messageId": item.message_id,
        "publishTime": item.published_at,
        "state": item.state.value,
        "nextAttempt": item.due_at,
        "attempts": [{"time": each.started_at, "notifyStatus": each.status} for each in item.attempts],
        "detail": item.detail,
    }


def _run_clock(running: runtime.Runtime, request: http.Request) -> Iterator[None]:
    if request.method == "PUT":
        yield from _put_clock(running, _document(request, {"now", "frozen"}))
    elif request.method == "POST":
        yield from _post_clock(running, _document(request, {"advance"}))
    elif request.method != "GET":
        raise _RefusedError(405, "the clock takes GET, PUT and POST")


def _put_clock(running: runtime.Runtime, document: dict[str, Any]) -> Iterator[None]:
    """Set the clock: `now` in ms or ISO 8601, `frozen` or not; what is not given stays as it is."""
    frozen = document.get("frozen", running.clock.frozen)
    if not isinstance(frozen, bool):
        raise _RefusedError(400, "frozen should be true or false")
    target = _moment(document["now"]) if "now" in document else running.clock.now()
    if target < running.clock.now():
        raise _RefusedError(400, f"time goes forward only; it is {_show(running.clock)['iso']}")
    if target > _LAST:
        raise _RefusedError(400, "time ends with the year 9998 here")
    return running.moving_clock(target, frozen=frozen)


def _post_clock(running: runtime.Runtime, document: dict[str, Any]) -> Iterator[None]:
    """Move the clock on by `advance` seconds."""
    seconds = document.get("advance")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_STEP:
        raise _RefusedError(400, f"advance should be a number of seconds from 0 to {_LONGEST_STEP}")
    target = running.clock.now() + round(seconds * 1000)
    if target > _LAST:
        raise _RefusedError(400, "time ends with the year 9998 here")
    return running.moving_clock(target, frozen=running.clock.frozen)


def _document(request: http.Request, names: set[str]) -> dict[str, Any]:
    document = _json_of(request)
    if not isinstance(document, dict) or not set(document) <= names:
        raise _RefusedError(400, f"the body should be an object with {' and '.join(sorted(names))}")
    return document


def _json_of(request: http.Request) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != http.JSON:
        raise _RefusedError(415, f"the content type should be {http.JSON}")
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, f"the body is not JSON: {error}") from error


def _moment(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise _RefusedError(400, f"now should be milliseconds since the epoch or ISO 8601, not {value!r}") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _show(clock: clocks.LocalClock) -> dict[str, Any]:
    now = clock.now()
    iso = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds")
    return {"now": now, "iso": iso, "frozen": clock.frozen}


def _json(status: int, document: dict[str, Any]) -> http.Response:
    return http.Response(status=status, headers={"Content-Type": http.JSON}, body=json.dumps(document).encode())

"""What every request passes through: health, routing, authentication, the operation, and one gate for errors.

A request is admitted first, which hardly ever needs the engine, and then run; a local server admits those in hand
together before it opens the transaction in which they run.
"""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from chalicelib import telemetry
from chalicelib.api import conditions, operations, table, waiting
from chalicelib.broker import ports
from chalicelib.broker.verbs import Verbs
from chalicelib.model import account, certificate, errors, limits
from chalicelib.rpc import dispatcher
from chalicelib.wire import endpoint, http, signatures
from chalicelib.wire import errors as wire_errors

_NAMESPACES_KEPT = 256
_HEALTH = "/health"
_FOUND = "found"  # what a request's `known` calls it
_Found: TypeAlias = tuple[operations.Operation, Mapping[str, str], account.Caller, account.Namespace]


class Door:
    """Turns requests into responses, or into polls that wait."""

    def __init__(
        self,
        *,
        verbs: Verbs,
        rpc: dispatcher.Dispatcher,
        clock: ports.Clock,
        ids: ports.Ids,
        waiter: waiting.Waiter,
        region: str,
        explain_signatures: bool,
    ) -> None:
        self._verbs = verbs
        self._rpc = rpc
        self._clock = clock
        self._ids = ids
        self._waiter = waiter
        self._region = region
        self._explain = explain_signatures
        self._router = operations.Router(table.TABLE)

    def admit(self, request: http.Request) -> http.Response | Callable[[], operations.Step]:
        """Let a request in, or answer it at once; what is returned to run it never raises, and neither does this."""
        if self._rpc.takes(request):
            return self._rpc.admit(request)
        now = self._clock.now()
        request_id = self._ids.request_id(now)
        try:
            if request.path == _HEALTH and request.method in ("GET", "HEAD"):
                return _finish(_healthy(), request_id)
            if request.path == certificate.PATH and request.method in ("GET", "HEAD"):
                return _finish(self._certificate(), request_id)
            operation, path, caller, namespace = self._known(request, now) or self._find_out(request, now)
            self._verbs.acls.check(namespace, request.address)
            call = operations.Call(
                request=request,
                caller=caller,
                namespace=namespace,
                verbs=self._verbs,
                path=path,
                request_id=request_id,
            )
            self._verbs.permissions.authorise(caller, namespace.account_id, partial(conditions.asked, operation, call))
            self._verbs.calls.admit(namespace, metadata=operation.is_metadata)  # nobody uses up the rate of another
        except Exception as error:  # noqa: BLE001  # the gate: whatever happened, the client gets an MNS error
            return self._failed(request, request_id, error)
        return partial(self._guard, call, operation.run, call)

    def begin(self, request: http.Request) -> operations.Step:
        """Take in a request and run it; never raises."""
        admitted = self.admit(request)
        return admitted if isinstance(admitted, http.Response) else admitted()

    def run(self, request: http.Request, *, until: int | None = None) -> http.Response:
        """Answer a request, waiting in this thread where it waits, but not beyond `until` (ms, of messages' clock)."""
        mark = self._waiter.mark()
        step = self.begin(request)
        looks = 1
        while isinstance(step, operations.Waiting):
            if until is not None and self._verbs.messages.now() >= until:
                return step.give_up()
            waited = step if until is None else replace(step, deadline=min(step.deadline, until))
            self._waiter.wait(waited, mark=mark, looks=looks)
            mark = self._waiter.mark()
            step = waited.resume()
            looks += 1
            if isinstance(step, http.Response):
                self._waiter.pass_on(waited.queue_id)
        return step

    def refuse(self, request: http.Request, error: errors.MnsError) -> http.Response:
        """The response for a request that the door's owner does not let in."""
        if self._rpc.takes(request):
            return self._rpc.refuse(request, error)
        return self._failed(request, self._ids.request_id(self._clock.now()), error)

    def _guard(
        self, call: operations.Call, step: Callable[..., operations.Step], *given: operations.Call
    ) -> operations.Step:
        try:
            outcome = step(*given)
        except Exception as error:  # noqa: BLE001  # the gate: whatever happened, the client gets an MNS error
            return self._failed(call.request, call.request_id, error)
        if isinstance(outcome, operations.Waiting):
            return replace(
                outcome,
                resume=partial(self._guard, call, outcome.resume),
                give_up=partial(self._failed, call.request, call.request_id, errors.MessageNotExist()),
            )
        return _finish(outcome, call.request_id)

    def _failed(self, request: http.Request, request_id: str, error: Exception) -> http.Response:
        known = wire_errors.known(error)
        if isinstance(known, errors.InternalError):
            telemetry.logger.error(
                "request failed",
                request_id=request_id,
                method=request.method,
                path=request.path,
                exc_info=error,
            )
        response = wire_errors.render(known, request_id=request_id, host_id=request.host_url)
        return _finish(response, request_id)

    def _certificate(self) -> http.Response:
        """What receivers of pushes check the signature with; public."""
        found = self._verbs.identities.certificate()
        if found is None:
            raise errors.InvalidRequestURL("No certificate has been set up.")
        headers = {"Content-Type": "application/x-pem-file"}
        return http.Response(status=200, headers=headers, body=found.certificate_pem.encode())

    def _known(self, request: http.Request, now: int) -> _Found | None:
        """What was found out about the same request when it came before, as far as it still holds.

        Only time and the key can have changed it: the key as it is looked up now has to be the very one.
        """
        before = request.known.get(_FOUND)
        if before is None:
            return None
        found, key = before
        signatures.check_date(request, now)
        return found if self._key(request, key.access_key_id) is key else None

    def _find_out(self, request: http.Request, now: int) -> _Found:
        """What is called, by whom, and about what, in the order of checks of section 3.3 of the protocol document."""
        operation, path = self._router.find(request)
        authorization = signatures.read_authorization(request)
        signatures.check_date(request, now)
        signatures.check_version(request)
        key = self._key(request, authorization.access_key_id)
        caller = key.caller
        account_id, region = endpoint.read_host(request.headers.get("host", ""))
        if account_id is not None and account_id != caller.account_id:
            raise errors.AccessDenied
        expected = signatures.verify(request, authorization, key.secret)
        if expected is not None:
            raise errors.SignatureDoesNotMatch(
                f"The signature does not match. The server built this string to sign: {expected}"
                if self._explain
                else ""
            )
        signatures.check_digest(request)
        found = operation, path, caller, _namespace(caller.account_id, region or self._region)
        request.known[_FOUND] = found, key
        return found

    def _key(self, request: http.Request, access_key_id: str) -> account.AccessKey | account.TemporaryKey:
        try:
            return self._verbs.identities.known(access_key_id, request.headers.get("security-token", ""))
        except errors.SecurityToken as error:
            raise errors.AccessDenied(error.message) from error  # MNS has no code of its own for it
        except errors.InactiveAccessKeyId as error:
            raise errors.InvalidAccessKeyId from error  # nor for this


@functools.lru_cache(maxsize=_NAMESPACES_KEPT)
def _namespace(account_id: str, region: str) -> account.Namespace:
    """The same object each time, which makes it quick to look things up by it."""
    return account.Namespace(account_id=account_id, region=region)


def _healthy() -> http.Response:
    return http.Response(status=200, headers={"Content-Type": http.JSON}, body=json.dumps({"status": "ok"}).encode())


def _finish(response: http.Response, request_id: str) -> http.Response:
    """Add what every response has; the lower-case names are how the Java and Python SDKs look them up."""
    headers = {"x-mns-request-id": request_id, "x-mns-version": limits.API_VERSION}
    if response.body:
        headers["Content-Type"] = http.XML
    if response.headers:
        headers.update(response.headers)
    return http.Response(status=response.status, headers=headers, body=response.body)

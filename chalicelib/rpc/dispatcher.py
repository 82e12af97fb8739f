"""What every RPC call passes through: parameters, action, authentication, the action, and one gate for errors.

Order of checks: the parameters can be read; action and version are known; the request is signed, fresh, and by whom it
says; policies allow it; nobody has sent it before. What fails changes nothing.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import partial

from chalicelib import telemetry
from chalicelib.broker import ports
from chalicelib.broker.verbs import Verbs
from chalicelib.model import account, limits
from chalicelib.model.frozen import frozen
from chalicelib.rpc import calls, parameters, signatures, table
from chalicelib.rpc import errors as rpc_errors
from chalicelib.wire import endpoint, http

_HOST = re.compile(r"(?P<product>[a-z-]+?)(?:-vpc|-internal)?\.(?P<region>[a-z0-9]+(?:-[a-z0-9]+)+)[.:].*")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_TOKEN = re.compile(r"[\x20-\x7e]*")
_LONGEST_HOST = 255
_XML_SCHEMES = ("MNS", "APSARA-MNS")  # of the XML API's Authorization
_INTERNAL = 500


@frozen
class _Exchange:
    """A request in hand."""

    request: http.Request
    request_id: str


class Dispatcher:
    """Turns requests into answers of actions."""

    def __init__(
        self, *, verbs: Verbs, clock: ports.Clock, ids: ports.Ids, region: str, explain_signatures: bool
    ) -> None:
        """Set up.

        Args:
            verbs: what actions call.
            clock: by which the dates of requests are checked.
            ids: makes the ids of requests.
            region: of requests that name none.
            explain_signatures: whether a wrong signature is answered with the string that should have been signed.
        """
        self._verbs = verbs
        self._clock = clock
        self._ids = ids
        self._region = region
        self._explain = explain_signatures

    @staticmethod
    def takes(request: http.Request) -> bool:
        """Whether a request is a call: one of the root that is no operation on an account of the XML API."""
        if request.path != "/" or request.method not in ("GET", "POST"):
            return False
        if "x-acs-action" in request.headers or "Action=" in request.query:
            return True
        return request.method == "POST" and not request.headers.get("authorization", "").startswith(_XML_SCHEMES)

    def admit(self, request: http.Request) -> http.Response | Callable[[], http.Response]:
        """Let a call in, or answer it at once; what is returned to run it never raises, and neither does this."""
        exchange = _Exchange(request=request, request_id=self._ids.request_id(self._clock.now()))
        try:
            return self._admit(exchange)
        except Exception as error:  # noqa: BLE001  # the gate: whatever happened, the client gets an RPC error
            return self._failed(exchange, error)

    def refuse(self, request: http.Request, error: Exception) -> http.Response:
        """The response for a call that is not let in."""
        return self._failed(_Exchange(request=request, request_id=self._ids.request_id(self._clock.now())), error)

    def _admit(self, exchange: _Exchange) -> Callable[[], http.Response]:
        request = exchange.request
        given = parameters.read(request)
        product, action = _find(request, given)
        if given.get("Format", "JSON").upper() != "JSON":
            raise rpc_errors.invalid("Format", "answers are in JSON.")
        proof = signatures.read(request, given)
        signatures.check_date(proof, self._clock.now())
        key = self._verbs.identities.known(proof.access_key_id, proof.security_token)
        expected = signatures.verify(proof, request, given, key.secret)
        if expected is not None:
            told = f" The server built this string to sign: {expected}" if self._explain else ""
            raise rpc_errors.RpcError(
                "SignatureDoesNotMatch", f"Specified signature is not matched with our calculation.{told}"
            )
        own = {name: value for name, value in given.items() if name not in parameters.COMMON}
        call = calls.Call(
            parameters=parameters.Parameters(own),
            caller=key.caller,
            namespace=account.Namespace(account_id=key.caller.account_id, region=self._region_of(request, given)),
            verbs=self._verbs,
            request=request,
        )
        for resource in () if action.is_open else action.resources_of(call):
            self._verbs.permissions.authorise(
                call.caller, call.namespace.account_id, partial(product.asked, action, call, resource)
            )
        self._verbs.calls.admit(call.namespace, metadata=True)
        return lambda: self._guard(exchange, lambda: self._run(exchange, product, action, call, proof))

    def _run(
        self,
        exchange: _Exchange,
        product: calls.Product,
        action: calls.Action,
        call: calls.Call,
        proof: signatures.Proof,
    ) -> http.Response:
        nonce = f"nonce#{proof.access_key_id}#{proof.nonce}"
        if not self._verbs.tokens.use(nonce, signed_at=proof.signed_at):
            raise rpc_errors.RpcError("SignatureNonceUsed", "Specified signature nonce was used already.")
        fields = self._once(product, action, call)
        body = {"RequestId": exchange.request_id, **product.wrap(fields)}
        return http.Response(
            status=200,
            headers={"Content-Type": rpc_errors.JSON, "x-acs-request-id": exchange.request_id},
            body=json.dumps(body, ensure_ascii=False).encode(),
        )

    def _once(self, product: calls.Product, action: calls.Action, call: calls.Call) -> calls.Fields:
        """The action's answer; the one of before if the call's ClientToken says that it is the same."""
        token = call.parameters.text("ClientToken")
        if token is None or not product.remembers:
            return action.run(call)
        if len(token) > limits.CLIENT_TOKEN_LENGTH or not _TOKEN.fullmatch(token):
            raise rpc_errors.invalid("ClientToken", f"{limits.CLIENT_TOKEN_LENGTH} ASCII characters are most.")
        where = call.namespace
        name = f"{where.account_id}#{where.region}#{product.version}#{action.name}#{token}"
        digest = hashlib.sha256(json.dumps(sorted(call.parameters.flat.items())).encode()).hexdigest()
        fields: calls.Fields = json.loads(
            self._verbs.tokens.once(name, digest, lambda: json.dumps(action.run(call), ensure_ascii=False))
        )
        return fields

    def _guard(self, exchange: _Exchange, step: Callable[[], http.Response]) -> http.Response:
        try:
            return step()
        except Exception as error:  # noqa: BLE001  # the gate: whatever happened, the client gets an RPC error
            return self._failed(exchange, error)

    def _failed(self, exchange: _Exchange, error: Exception) -> http.Response:
        known = rpc_errors.known(error)
        if known.status == _INTERNAL:
            telemetry.logger.error("call failed", request_id=exchange.request_id, exc_info=error)
        return rpc_errors.render(
            known,
            request_id=exchange.request_id,
            host=exchange.request.headers.get("host", "localhost"),
        )

    def _region_of(self, request: http.Request, given: Mapping[str, str]) -> str:
        """The region of a call: as a parameter says it, or the host, or the deployment."""
        if region := given.get("RegionId"):
            if not _REGION.fullmatch(region):
                raise rpc_errors.invalid("RegionId", "it is not the id of a region.")
            return region
        host = request.headers.get("host", "").lower()[:_LONGEST_HOST]
        found = _HOST.fullmatch(host)
        if found and any(product.code == found["product"] for product in table.PRODUCTS):
            return found["region"]
        return endpoint.read_host(host)[1] or self._region


def _find(request: http.Request, given: Mapping[str, str]) -> tuple[calls.Product, calls.Action]:
    """What is called: named by parameters, or by headers, or by both alike."""
    name, version = (_named(request, given, what) for what in ("Action", "Version"))
    product = next((product for product in table.PRODUCTS if product.version == version), None)
    if product is None:
        raise rpc_errors.RpcError("InvalidVersion", "Specified parameter Version is not valid.")
    action = product.find(name)
    if action is None:
        raise rpc_errors.RpcError(
            "InvalidAction.NotFound", "Specified api is not found, please check your url and method.", status=404
        )
    return product, action


def _named(request: http.Request, given: Mapping[str, str], what: str) -> str:
    header = f"x-acs-{what.lower()}"
    parameter, told = given.get(what, ""), request.headers.get(header, "")
    if not (parameter or told):
        raise rpc_errors.missing(what)
    if parameter and told and parameter != told:
        raise rpc_errors.invalid(what, f"the header {header} says something else.")
    return parameter or told

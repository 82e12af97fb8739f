"""The Chalice routes.

All paths lead to the one door, whose table knows the operations. There is a route per depth with every method, so that
unknown paths and methods get an MNS error too, where Chalice or the gateway would answer in JSON.
"""

from chalice.app import Blueprint, Response

from chalicelib import bootstrap
from chalicelib.api import gateway, waiting

_METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"]
_DEPTH = 8

blueprint = Blueprint(__name__)


def _answer(**_segments: str) -> Response:
    application = bootstrap.application()
    request = gateway.read_event(blueprint.current_request.to_original_event())
    until = waiting.last_moment(blueprint.lambda_context, application.clock)
    response = application.door.run(request, until=until)
    body = "" if request.method == "HEAD" else response.body.decode()
    return Response(body=body, headers=dict(response.headers), status_code=response.status)


def _register() -> None:
    """One route for `/`, `/{s0}`, `/{s0}/{s1}` and so on; `*/*` admits every content type, and none."""
    for depth in range(_DEPTH + 1):
        path = "/" + "/".join(f"{{s{level}}}" for level in range(depth))
        blueprint.route(path, methods=_METHODS, content_types=["*/*"], name=f"depth{depth}")(_answer)


_register()

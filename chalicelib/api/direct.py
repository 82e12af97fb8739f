"""The Lambda function behind an HTTP API or a function URL: the same door as the Chalice routes', without Chalice.

Its handler is named in the template, in place of `app.app`, for stages that have such a front; it takes events of REST
APIs as well.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib import bootstrap
from chalicelib.api import gateway, waiting


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request."""
    application = bootstrap.application()
    request = gateway.read_event(event)
    until = waiting.last_moment(context, application.clock)
    return gateway.render(request, application.door.run(request, until=until))

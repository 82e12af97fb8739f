"""Errors as the client reads them. Every exception passes here: what is no MNS error becomes InternalError."""

from chalicelib.model import errors
from chalicelib.wire import http, xml


def known(error: Exception) -> errors.MnsError:
    """The MNS error to show for any exception."""
    return error if isinstance(error, errors.MnsError) else errors.InternalError()


def render(error: errors.MnsError, *, request_id: str, host_id: str) -> http.Response:
    """The response for an error; all four children are mandatory for the Python SDK."""
    body = xml.write(
        "Error",
        [("Code", error.code), ("Message", error.message), ("RequestId", request_id), ("HostId", host_id)],
    )
    return http.Response(status=error.status, body=body)

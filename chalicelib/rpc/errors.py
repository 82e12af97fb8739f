"""Errors as Alibaba's RPC APIs tell them. What the verbs raise keeps its MNS code, but for what every product shares.

Source: Alibaba Cloud help page "Common error codes"; answers of the service quoted in public issues.
"""

import json
from urllib import parse

from chalicelib.model import errors
from chalicelib.wire import http

JSON = "application/json;charset=utf-8"
_SHARED = {  # what is told by a code of all products, with its status
    errors.InvalidArgument: ("InvalidParameter", 400),
    errors.InvalidAccessKeyId: ("InvalidAccessKeyId.NotFound", 404),
    errors.InactiveAccessKeyId: ("InvalidAccessKeyId.Inactive", 400),
    errors.AccessDenied: ("NoPermission", 403),
    errors.InvalidSecurityToken: ("InvalidSecurityToken.Malformed", 400),
    errors.ExpiredSecurityToken: ("InvalidSecurityToken.Expired", 400),
    errors.MissingSecurityToken: ("MissingSecurityToken", 400),
    errors.TooManyRequests: ("Throttling.User", 429),
}
_NO_KEY = "Specified access key is not found."


class RpcError(Exception):
    """A request that is refused before it reaches the verbs."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def missing(name: str) -> RpcError:
    """A parameter that has to be there."""
    return RpcError(f"Missing{name.replace('.', '')}", f"{name} is mandatory for this action.")


def invalid(name: str, why: str) -> RpcError:
    """A parameter that cannot be what it is."""
    return RpcError("InvalidParameter", f"The specified value of parameter {name} is not valid: {why}")


def known(error: Exception) -> RpcError:
    """The error to show for any exception."""
    if isinstance(error, RpcError):
        return error
    if not isinstance(error, errors.MnsError):
        error = errors.InternalError()
    code, status = _SHARED.get(type(error), (error.code, error.status))
    message = _NO_KEY if type(error) is errors.InvalidAccessKeyId else error.message
    return RpcError(code, message, status=status)


def render(error: RpcError, *, request_id: str, host: str) -> http.Response:
    """The response for an error."""
    query = parse.urlencode({"q": error.code, "requestId": request_id})
    body = {
        "RequestId": request_id,
        "HostId": host,
        "Code": error.code,
        "Message": error.message,
        "Recommend": f"https://api.aliyun.com/troubleshoot?{query}",
    }
    return http.Response(
        status=error.status,
        headers={"Content-Type": JSON, "x-acs-request-id": request_id},
        body=json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace"),  # the gate must not fail itself
    )

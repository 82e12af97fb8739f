"""The condition keys that every request has: acs:SourceIp, acs:CurrentTime, acs:SecureTransport, acs:MFAPresent."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from chalicelib.model import policy, resource
from chalicelib.wire import http


def values(request: http.Request, now: int, own: policy.Values = lambda _key: ()) -> policy.Values:
    """What a request has of each condition key, found when a policy asks for it.

    Args:
        request: the request.
        now: when it is judged (ms).
        own: the keys of its operation.
    """

    def find(key: str) -> Sequence[str]:
        general = _GENERAL.get(key)
        return own(key) if general is None else general(request, now)

    return find


def _source_ip(request: http.Request, _now: int) -> Sequence[str]:
    return (request.address,) if request.address else ()


def _current_time(_request: http.Request, now: int) -> Sequence[str]:
    return (datetime.fromtimestamp(now / 1000, UTC).isoformat(),)


def _secure_transport(request: http.Request, _now: int) -> Sequence[str]:
    return ("true" if request.scheme == "https" else "false",)


def _mfa_present(_request: http.Request, _now: int) -> Sequence[str]:
    return ("false",)  # access keys never come with a second factor


_GENERAL: Mapping[str, Callable[[http.Request, int], Sequence[str]]] = {
    "acs:sourceip": _source_ip,
    "acs:currenttime": _current_time,
    "acs:securetransport": _secure_transport,
    "acs:mfapresent": _mfa_present,
}


RESOURCE_TAG, REQUEST_TAG = "acs:resourcetag/", "acs:requesttag/"


def tag(key: str, prefix: str, tags: Iterable[resource.Tag]) -> Sequence[str]:
    """The value of the tag that a condition key names, after its prefix."""
    return [found.value for found in tags if prefix + found.key == key]

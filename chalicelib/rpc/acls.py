"""Actions on the access to the account's endpoint. They stay within reach however narrow the access is made."""

from chalicelib.model import errors
from chalicelib.rpc.calls import Call, Fields

_STRATEGY = "allow"


def enable(call: Call) -> Fields:
    """EnableEndpoint."""
    _check_type(call)
    call.verbs.acls.enable(call.namespace, on=True)
    return {}


def disable(call: Call) -> Fields:
    """DisableEndpoint."""
    _check_type(call)
    call.verbs.acls.enable(call.namespace, on=False)
    return {}


def authorize(call: Call) -> Fields:
    """AuthorizeEndpointAcl."""
    call.verbs.acls.authorize(call.namespace, _parse_list(call))
    return {}


def revoke(call: Call) -> Fields:
    """RevokeEndpointAcl."""
    call.verbs.acls.revoke(call.namespace, _parse_list(call))
    return {}


def get_attribute(call: Call) -> Fields:
    """GetEndpointAttribute."""
    _check_type(call)
    found = call.verbs.acls.get(call.namespace)
    entries = [
        {"Cidr": entry.cidr, "AclStrategy": _STRATEGY, "CreateTime": entry.created_at} for entry in found.entries
    ]
    return {"Data": {"EndpointEnabled": found.enabled, "CidrList": entries}}


def _check_type(call: Call) -> None:
    if call.parameters.required("EndpointType").lower() != "public":
        raise errors.InvalidArgument("The value of EndpointType should be public.")


def _parse_list(call: Call) -> tuple[str, ...]:
    _check_type(call)
    if call.parameters.required("AclStrategy").lower() != _STRATEGY:
        raise errors.InvalidArgument(f"The value of AclStrategy should be {_STRATEGY}.")
    call.parameters.required("CidrList")
    return call.parameters.strings("CidrList")

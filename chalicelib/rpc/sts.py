"""STS, version 2015-04-01: taking on a role, and asking who one is."""

from collections.abc import Sequence
from datetime import UTC, datetime

from chalicelib.model import account, limits, ram
from chalicelib.rpc.calls import Action, Call, Fields, Product
from chalicelib.wire import conditions


def assume_role(call: Call) -> Fields:
    """AssumeRole: a key for a while, with what the role may do, within the policy given."""
    given = call.parameters
    _checked_external_id(call)
    now = call.verbs.sessions.now()
    key = call.verbs.sessions.assume(
        call.caller,
        given.required("RoleArn"),
        given.required("RoleSessionName"),
        seconds=given.integer("DurationSeconds"),
        document=given.text("Policy"),
        values=conditions.values(call.request, now, lambda key: _external_id(call, key)),
    )
    who = key.caller
    return {
        "AssumedRoleUser": {"Arn": who.arn, "AssumedRoleId": f"{who.role_id}:{who.session}"},
        "Credentials": {
            "AccessKeyId": key.access_key_id,
            "AccessKeySecret": key.secret,
            "SecurityToken": key.token,
            "Expiration": f"{datetime.fromtimestamp(key.expires_at // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}",
        },
    }


def get_caller_identity(call: Call) -> Fields:
    """GetCallerIdentity."""
    who = call.caller
    found: dict[str, str] = {"AccountId": who.account_id, "Arn": who.arn, "IdentityType": _identity_type(who)}
    if who.role:
        return found | {"RoleId": who.role_id, "PrincipalId": f"{who.role_id}:{who.session}"}
    user_id = call.verbs.directory.user_id(who.account_id, who.user) if who.user else who.account_id
    return found | {"UserId": user_id, "PrincipalId": user_id}


def _identity_type(who: account.Caller) -> str:
    return "AssumedRoleUser" if who.role else "RAMUser" if who.user else "Account"


def _external_id(call: Call, key: str) -> Sequence[str]:
    if key != "sts:externalid":
        return ()
    given = _checked_external_id(call)
    return (given,) if given else ()


def _checked_external_id(call: Call) -> str:
    """The ExternalId, empty if none is given; of any length it could keep a policy's wildcards busy for long."""
    return ram.check_length("ExternalId", call.parameters.text("ExternalId") or "", limits.EXTERNAL_ID_LENGTH)


PRODUCT = Product(
    code="sts",
    service="sts",
    version="2015-04-01",
    prefix="acs:ram::{account}:",
    values=lambda _action, call, key: _external_id(call, key),
    actions=(
        Action(name="AssumeRole", run=assume_role, resource="{RoleArn}"),
        Action(name="GetCallerIdentity", run=get_caller_identity, is_open=True),
    ),
)

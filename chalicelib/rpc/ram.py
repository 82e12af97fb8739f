"""RAM, version 2015-05-01: users, access keys, groups, roles, policies, and what is attached to whom."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from chalicelib.broker import directory
from chalicelib.model import account, errors, limits, policy, ram
from chalicelib.rpc import errors as rpc_errors
from chalicelib.rpc.calls import Action, Call, Fields, Product

E = TypeVar("E", bound=ram.Entity)
_USER, _GROUP, _ROLE, _POLICY = "user/{UserName}", "group/{GroupName}", "role/{RoleName}", "policy/{PolicyName}"
_STATUSES = {"Active": True, "Inactive": False}


def _moment(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _owner(call: Call) -> str:
    return call.namespace.account_id


# --- Users -----------------------------------------------------------------------------------------------------------


def create_user(call: Call) -> Fields:
    """CreateUser."""
    now, given = call.verbs.directory.now(), call.parameters
    name = ram.check_name("UserName", given.required("UserName"))
    new = ram.User(
        name=name,
        user_id=call.verbs.directory.new_id(),
        created_at=now,
        updated_at=now,
        **_user_fields(call, "", {"display_name": name}),
    )
    made = call.verbs.directory.create(_owner(call), new, most=limits.USERS_PER_ACCOUNT)
    return {"User": _without(_user(made), "UpdateDate")}


def get_user(call: Call) -> Fields:
    """GetUser."""
    return {"User": _user(call.verbs.directory.get(_owner(call), ram.User, call.parameters.required("UserName")))}


def update_user(call: Call) -> Fields:
    """UpdateUser; a name cannot be changed."""
    name, now = call.parameters.required("UserName"), call.verbs.directory.now()
    _check_same_name(call, "NewUserName", name)
    changes = _user_fields(call, "New", {})
    changed = call.verbs.directory.change(_owner(call), ram.User, name, lambda found: found.evolve(now, **changes))
    return {"User": _user(changed)}


def delete_user(call: Call) -> Fields:
    """DeleteUser."""
    call.verbs.directory.delete(_owner(call), ram.User, call.parameters.required("UserName"))
    return {}


def list_users(call: Call) -> Fields:
    """ListUsers."""
    return _page(call, ram.User, "Users", "User", _user)


def _user_fields(call: Call, prefix: str, defaults: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a user that a call gives."""
    found = dict(defaults)
    for field, parameter, check in (
        ("display_name", f"{prefix}DisplayName", partial(_limited, most=limits.DISPLAY_NAME_LENGTH)),
        ("comments", f"{prefix}Comments", partial(_limited, most=limits.COMMENTS_LENGTH)),
        ("email", f"{prefix}Email", ram.check_mail),
        ("mobile_phone", f"{prefix}MobilePhone", ram.check_phone),
    ):
        value = call.parameters.text(parameter)
        if value is not None:
            found[field] = check(parameter, value)
    return found


def _limited(parameter: str, text: str, *, most: int) -> str:
    return ram.check_length(parameter, text, most)


def _user(found: Any) -> dict[str, str]:
    return {
        "UserId": found.user_id,
        "UserName": found.name,
        "DisplayName": found.display_name,
        "MobilePhone": found.mobile_phone,
        "Email": found.email,
        "Comments": found.comments,
        "CreateDate": _moment(found.created_at),
        "UpdateDate": _moment(found.updated_at),
    }


# --- Access keys -----------------------------------------------------------------------------------------------------


def create_access_key(call: Call) -> Fields:
    """CreateAccessKey; the secret is told here and never again."""
    key = call.verbs.directory.create_key(_owner(call), _key_user(call))
    return {"AccessKey": _key(key) | {"AccessKeySecret": key.secret}}


def update_access_key(call: Call) -> Fields:
    """UpdateAccessKey."""
    key_id, status = call.parameters.required("UserAccessKeyId"), call.parameters.required("Status")
    if status not in _STATUSES:
        raise errors.InvalidParameter(f"Status should be {' or '.join(_STATUSES)}.", of="Status")
    call.verbs.directory.enable_key(_owner(call), _key_user(call), key_id, enabled=_STATUSES[status])
    return {}


def delete_access_key(call: Call) -> Fields:
    """DeleteAccessKey."""
    call.verbs.directory.delete_key(_owner(call), _key_user(call), call.parameters.required("UserAccessKeyId"))
    return {}


def list_access_keys(call: Call) -> Fields:
    """ListAccessKeys."""
    return {
        "AccessKeys": {"AccessKey": [_key(key) for key in call.verbs.directory.keys(_owner(call), _key_user(call))]}
    }


def _key_user(call: Call) -> str:
    """Whose key it is about: the user's that is named, else the caller's own."""
    name = call.parameters.text("UserName") or call.caller.user
    if not name:
        raise rpc_errors.missing("UserName")
    return name


def _key(key: account.AccessKey) -> dict[str, str]:
    status = "Active" if key.enabled else "Inactive"
    return {"AccessKeyId": key.access_key_id, "Status": status, "CreateDate": _moment(key.created_at)}


# --- Groups ----------------------------------------------------------------------------------------------------------


def create_group(call: Call) -> Fields:
    """CreateGroup."""
    now, given = call.verbs.directory.now(), call.parameters
    new = ram.Group(
        name=ram.check_name("GroupName", given.required("GroupName")),
        group_id=call.verbs.directory.new_id(),
        comments=_limited("Comments", given.text("Comments") or "", most=limits.COMMENTS_LENGTH),
        created_at=now,
        updated_at=now,
    )
    made = call.verbs.directory.create(_owner(call), new, most=limits.GROUPS_PER_ACCOUNT)
    return {"Group": _without(_group(made), "UpdateDate")}


def get_group(call: Call) -> Fields:
    """GetGroup."""
    return {"Group": _group(call.verbs.directory.get(_owner(call), ram.Group, call.parameters.required("GroupName")))}


def update_group(call: Call) -> Fields:
    """UpdateGroup; a name cannot be changed."""
    name, now = call.parameters.required("GroupName"), call.verbs.directory.now()
    _check_same_name(call, "NewGroupName", name)
    comments = call.parameters.text("NewComments")
    changes = {} if comments is None else {"comments": _limited("NewComments", comments, most=limits.COMMENTS_LENGTH)}
    changed = call.verbs.directory.change(_owner(call), ram.Group, name, lambda found: found.evolve(now, **changes))
    return {"Group": _group(changed)}


def delete_group(call: Call) -> Fields:
    """DeleteGroup."""
    call.verbs.directory.delete(_owner(call), ram.Group, call.parameters.required("GroupName"))
    return {}


def list_groups(call: Call) -> Fields:
    """ListGroups."""
    return _page(call, ram.Group, "Groups", "Group", _group)


def add_user_to_group(call: Call) -> Fields:
    """AddUserToGroup."""
    call.verbs.directory.join(_owner(call), call.parameters.required("UserName"), call.parameters.required("GroupName"))
    return {}


def remove_user_from_group(call: Call) -> Fields:
    """RemoveUserFromGroup."""
    call.verbs.directory.leave(
        _owner(call), call.parameters.required("UserName"), call.parameters.required("GroupName")
    )
    return {}


def list_groups_for_user(call: Call) -> Fields:
    """ListGroupsForUser."""
    found = call.verbs.directory.groups_of(_owner(call), call.parameters.required("UserName"))
    return {
        "Groups": {"Group": [_since(_without(_group(item.entity), "CreateDate"), item, "JoinDate") for item in found]}
    }


def list_users_for_group(call: Call) -> Fields:
    """ListUsersForGroup; a group's users are one page."""
    found = call.verbs.directory.users_of(_owner(call), call.parameters.required("GroupName"))
    users = [_since(_without(_user(item.entity), "CreateDate"), item, "JoinDate") for item in found]
    return {"Users": {"User": users}, "IsTruncated": False}


def _group(found: Any) -> dict[str, str]:
    return {
        "GroupId": found.group_id,
        "GroupName": found.name,
        "Comments": found.comments,
        "CreateDate": _moment(found.created_at),
        "UpdateDate": _moment(found.updated_at),
    }


# --- Roles -----------------------------------------------------------------------------------------------------------


def create_role(call: Call) -> Fields:
    """CreateRole."""
    now, given = call.verbs.directory.now(), call.parameters
    new = ram.Role(
        name=ram.check_name("RoleName", given.required("RoleName")),
        role_id=call.verbs.directory.new_id(),
        description=_limited("Description", given.text("Description") or "", most=limits.DESCRIPTION_LENGTH),
        trust=_trust(given.required("AssumeRolePolicyDocument")),
        max_session_seconds=_session_seconds(given.integer("MaxSessionDuration")) or limits.SESSION_SECONDS.default,
        created_at=now,
        updated_at=now,
    )
    made = call.verbs.directory.create(_owner(call), new, most=limits.ROLES_PER_ACCOUNT)
    return {"Role": _without(_role(_owner(call), made), "UpdateDate")}


def get_role(call: Call) -> Fields:
    """GetRole."""
    found = call.verbs.directory.get(_owner(call), ram.Role, call.parameters.required("RoleName"))
    return {"Role": _role(_owner(call), found)}


def update_role(call: Call) -> Fields:
    """UpdateRole."""
    name, now, given = call.parameters.required("RoleName"), call.verbs.directory.now(), call.parameters
    changes: dict[str, Any] = {}
    if (trust := given.text("NewAssumeRolePolicyDocument")) is not None:
        changes["trust"] = _trust(trust)
    if (description := given.text("NewDescription")) is not None:
        changes["description"] = _limited("NewDescription", description, most=limits.DESCRIPTION_LENGTH)
    if (seconds := _session_seconds(given.integer("NewMaxSessionDuration"))) is not None:
        changes["max_session_seconds"] = seconds
    changed = call.verbs.directory.change(_owner(call), ram.Role, name, lambda found: found.evolve(now, **changes))
    return {"Role": _role(_owner(call), changed)}


def delete_role(call: Call) -> Fields:
    """DeleteRole."""
    call.verbs.directory.delete(_owner(call), ram.Role, call.parameters.required("RoleName"))
    return {}


def list_roles(call: Call) -> Fields:
    """ListRoles."""
    render = partial(_role, _owner(call))
    return _page(call, ram.Role, "Roles", "Role", lambda found: _without(render(found), "AssumeRolePolicyDocument"))


def _trust(document: str) -> str:
    policy.parse_trust(document)
    return document


def _session_seconds(given: int | None) -> int | None:
    return None if given is None else limits.SESSION_SECONDS.check(given)


def _role(owner: str, found: Any) -> dict[str, Any]:
    return {
        "RoleId": found.role_id,
        "RoleName": found.name,
        "Arn": f"acs:ram::{owner}:role/{found.name}",
        "Description": found.description,
        "AssumeRolePolicyDocument": found.trust,
        "MaxSessionDuration": found.max_session_seconds,
        "CreateDate": _moment(found.created_at),
        "UpdateDate": _moment(found.updated_at),
    }


# --- Policies --------------------------------------------------------------------------------------------------------


def create_policy(call: Call) -> Fields:
    """CreatePolicy."""
    given = call.parameters
    made = call.verbs.directory.create_policy(
        _owner(call),
        ram.check_policy_name("PolicyName", given.required("PolicyName")),
        given.required("PolicyDocument"),
        _limited("Description", given.text("Description") or "", most=limits.DESCRIPTION_LENGTH),
    )
    return {"Policy": _without(_policy(made), "UpdateDate", "AttachmentCount")}


def get_policy(call: Call) -> Fields:
    """GetPolicy."""
    found = _named_policy(call)
    version = _version(found, found.version(found.default_version))
    return {"Policy": _policy(found) | {"PolicyDocument": found.document}, "DefaultPolicyVersion": version}


def delete_policy(call: Call) -> Fields:
    """DeletePolicy; with CascadingDelete, it is detached first, and its versions go with it."""
    name = call.parameters.required("PolicyName")
    if call.parameters.boolean("CascadingDelete"):
        call.verbs.directory.clear_policy(_owner(call), name)
    call.verbs.directory.delete(_owner(call), ram.ManagedPolicy, name)
    return {}


def list_policies(call: Call) -> Fields:
    """ListPolicies: system policies first."""
    kind = call.parameters.text("PolicyType")
    kinds = (ram.SYSTEM, ram.CUSTOM) if kind is None else (ram.check_policy_type(kind),)
    found = call.verbs.directory.policies(_owner(call), kinds)
    limit, marker = _page_asked(call)
    names = [item.reference for item in found]
    if marker is not None and marker not in names:
        raise errors.InvalidParameter("Marker should be one that was answered.", of="Marker")
    start = 0 if marker is None else names.index(marker) + 1
    shown = found[start : start + limit]
    more = {"Marker": shown[-1].reference} if start + limit < len(found) else {}
    return {"Policies": {"Policy": [_policy(item) for item in shown]}, "IsTruncated": bool(more), **more}


def update_policy_description(call: Call) -> Fields:
    """UpdatePolicyDescription."""
    name, now = call.parameters.required("PolicyName"), call.verbs.directory.now()
    description = _limited("NewDescription", call.parameters.required("NewDescription"), most=limits.DESCRIPTION_LENGTH)
    changed = call.verbs.directory.change(
        _owner(call), ram.ManagedPolicy, name, lambda found: found.evolve(now, description=description)
    )
    return {"Policy": _policy(changed)}


def create_policy_version(call: Call) -> Fields:
    """CreatePolicyVersion; with RotateStrategy, the oldest one that is not in force makes room."""
    given, now = call.parameters, call.verbs.directory.now()
    document, default = given.required("PolicyDocument"), given.boolean("SetAsDefault") or False
    policy.parse(document)
    rotate = (given.text("RotateStrategy") or "None") == "DeleteOldestNonDefaultVersionWhenLimitExceeded"
    changed = call.verbs.directory.change(
        _owner(call),
        ram.ManagedPolicy,
        given.required("PolicyName"),
        lambda found: found.add_version(document, now, default=default, rotate=rotate),
    )
    return {"PolicyVersion": _version(changed, changed.versions[-1])}


def get_policy_version(call: Call) -> Fields:
    """GetPolicyVersion."""
    found = _named_policy(call)
    return {"PolicyVersion": _version(found, found.version(call.parameters.required("VersionId")))}


def delete_policy_version(call: Call) -> Fields:
    """DeletePolicyVersion."""
    _change_version(call, lambda found, version, now: found.remove_version(version, now))
    return {}


def set_default_policy_version(call: Call) -> Fields:
    """SetDefaultPolicyVersion."""
    _change_version(call, lambda found, version, now: found.choose_version(version, now))
    return {}


def list_policy_versions(call: Call) -> Fields:
    """ListPolicyVersions."""
    found = _named_policy(call)
    return {"PolicyVersions": {"PolicyVersion": [_version(found, version) for version in found.versions]}}


def list_entities_for_policy(call: Call) -> Fields:
    """ListEntitiesForPolicy."""
    kind = ram.check_policy_type(call.parameters.required("PolicyType"))
    found = call.verbs.directory.holders(_owner(call), kind, call.parameters.required("PolicyName"))

    def shown(wanted: type[ram.Entity], render: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
        return [_since(render(item.entity), item, "AttachDate") for item in found if isinstance(item.entity, wanted)]

    return {
        "Users": {"User": shown(ram.User, _user)},
        "Groups": {"Group": shown(ram.Group, _group)},
        "Roles": {"Role": shown(ram.Role, partial(_role, _owner(call)))},
    }


def _attach(kind: type[ram.Holder], call: Call) -> Fields:
    """AttachPolicyToUser, AttachPolicyToGroup, AttachPolicyToRole."""
    call.verbs.directory.attach(_owner(call), kind, *_attachment(kind, call))
    return {}


def _detach(kind: type[ram.Holder], call: Call) -> Fields:
    """DetachPolicyFromUser, DetachPolicyFromGroup, DetachPolicyFromRole."""
    call.verbs.directory.detach(_owner(call), kind, *_attachment(kind, call))
    return {}


def _attached(kind: type[ram.Holder], call: Call) -> Fields:
    """ListPoliciesForUser, ListPoliciesForGroup, ListPoliciesForRole."""
    found = call.verbs.directory.attached(_owner(call), kind, call.parameters.required(f"{kind.KIND}Name"))
    return {"Policies": {"Policy": [_attached_policy(item) for item in found]}}


def _attachment(kind: type[ram.Holder], call: Call) -> tuple[str, str, str]:
    given = call.parameters
    return (
        given.required(f"{kind.KIND}Name"),
        ram.check_policy_type(given.required("PolicyType")),
        given.required("PolicyName"),
    )


def _named_policy(call: Call) -> ram.ManagedPolicy:
    kind = ram.check_policy_type(call.parameters.required("PolicyType"))
    return call.verbs.directory.policy(_owner(call), kind, call.parameters.required("PolicyName"))


def _change_version(call: Call, change: Callable[[ram.ManagedPolicy, str, int], ram.ManagedPolicy]) -> None:
    version, now = call.parameters.required("VersionId"), call.verbs.directory.now()
    name = call.parameters.required("PolicyName")
    call.verbs.directory.change(_owner(call), ram.ManagedPolicy, name, lambda found: change(found, version, now))


def _policy(found: ram.ManagedPolicy) -> dict[str, Any]:
    return {
        "PolicyName": found.name,
        "PolicyType": found.type,
        "Description": found.description,
        "DefaultVersion": found.default_version,
        "AttachmentCount": len(found.holders),
        "CreateDate": _moment(found.created_at),
        "UpdateDate": _moment(found.updated_at),
    }


def _attached_policy(item: directory.Attached) -> dict[str, Any]:
    shown = _without(_policy(item.policy), "AttachmentCount", "CreateDate", "UpdateDate")
    return shown | {"AttachDate": _moment(item.attached_at)}


def _version(of: ram.ManagedPolicy, version: ram.PolicyVersion) -> dict[str, Any]:
    return {
        "VersionId": version.version_id,
        "IsDefaultVersion": version.version_id == of.default_version,
        "PolicyDocument": version.document,
        "CreateDate": _moment(version.created_at),
    }


# --- What they share -------------------------------------------------------------------------------------------------


def _page(call: Call, kind: type[E], wrapper: str, name: str, render: Callable[[Any], dict[str, Any]]) -> Fields:
    limit, marker = _page_asked(call)
    page = call.verbs.directory.list(_owner(call), kind, after=marker, limit=limit)
    more = {} if page.marker is None else {"Marker": page.marker}
    return {wrapper: {name: [render(entity) for entity in page.entities]}, "IsTruncated": bool(more), **more}


def _page_asked(call: Call) -> tuple[int, str | None]:
    given, marker = call.parameters.integer("MaxItems"), call.parameters.text("Marker")
    ram.check_length("Marker", marker or "", limits.MARKER_LENGTH)
    return limits.MAX_ITEMS.check(limits.MAX_ITEMS.default if given is None else given), marker


def _check_same_name(call: Call, parameter: str, name: str) -> None:
    if call.parameters.text(parameter) not in (None, name):
        raise errors.InvalidParameter("A name cannot be changed; make another one.", of=parameter)


def _since(shown: dict[str, Any], item: directory.Named, name: str) -> dict[str, Any]:
    return shown | {name: _moment(item.since)}


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _holder_actions(kind: type[ram.Holder]) -> Iterable[Action]:
    noun = kind.KIND
    resource = f"{noun.lower()}/{{{noun}Name}}"
    both = f"{resource} {_POLICY}"
    return (
        Action(name=f"AttachPolicyTo{noun}", run=partial(_attach, kind), resource=both),
        Action(name=f"DetachPolicyFrom{noun}", run=partial(_detach, kind), resource=both),
        Action(name=f"ListPoliciesFor{noun}", run=partial(_attached, kind), resource=resource),
    )


PRODUCT = Product(
    code="ram",
    service="ram",
    version="2015-05-01",
    prefix="acs:ram::{account}:",  # policies may write a star for the region, or nothing, as ARNs do
    actions=(
        Action(name="CreateUser", run=create_user, resource=_USER),
        Action(name="GetUser", run=get_user, resource=_USER),
        Action(name="UpdateUser", run=update_user, resource=_USER),
        Action(name="DeleteUser", run=delete_user, resource=_USER),
        Action(name="ListUsers", run=list_users, resource="user/*"),
        Action(name="CreateAccessKey", run=create_access_key, resource=_USER),
        Action(name="UpdateAccessKey", run=update_access_key, resource=_USER),
        Action(name="DeleteAccessKey", run=delete_access_key, resource=_USER),
        Action(name="ListAccessKeys", run=list_access_keys, resource=_USER),
        Action(name="CreateGroup", run=create_group, resource=_GROUP),
        Action(name="GetGroup", run=get_group, resource=_GROUP),
        Action(name="UpdateGroup", run=update_group, resource=_GROUP),
        Action(name="DeleteGroup", run=delete_group, resource=_GROUP),
        Action(name="ListGroups", run=list_groups, resource="group/*"),
        Action(name="AddUserToGroup", run=add_user_to_group, resource=f"{_GROUP} {_USER}"),
        Action(name="RemoveUserFromGroup", run=remove_user_from_group, resource=f"{_GROUP} {_USER}"),
        Action(name="ListGroupsForUser", run=list_groups_for_user, resource=_USER),
        Action(name="ListUsersForGroup", run=list_users_for_group, resource=_GROUP),
        Action(name="CreateRole", run=create_role, resource=_ROLE),
        Action(name="GetRole", run=get_role, resource=_ROLE),
        Action(name="UpdateRole", run=update_role, resource=_ROLE),
        Action(name="DeleteRole", run=delete_role, resource=_ROLE),
        Action(name="ListRoles", run=list_roles, resource="role/*"),
        Action(name="CreatePolicy", run=create_policy, resource=_POLICY),
        Action(name="GetPolicy", run=get_policy, resource=_POLICY),
        Action(name="DeletePolicy", run=delete_policy, resource=_POLICY),
        Action(name="ListPolicies", run=list_policies, resource="policy/*"),
        Action(name="UpdatePolicyDescription", run=update_policy_description, resource=_POLICY),
        Action(name="CreatePolicyVersion", run=create_policy_version, resource=_POLICY),
        Action(name="GetPolicyVersion", run=get_policy_version, resource=_POLICY),
        Action(name="DeletePolicyVersion", run=delete_policy_version, resource=_POLICY),
        Action(name="SetDefaultPolicyVersion", run=set_default_policy_version, resource=_POLICY),
        Action(name="ListPolicyVersions", run=list_policy_versions, resource=_POLICY),
        Action(name="ListEntitiesForPolicy", run=list_entities_for_policy, resource=_POLICY),
        *_holder_actions(ram.User),
        *_holder_actions(ram.Group),
        *_holder_actions(ram.Role),
    ),
)

"""The official clients of RAM and STS over every action that is served, with both signatures."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import live

if not os.environ.get("CI"):
    pytest.importorskip("alibabacloud_ram20150501")
    pytest.importorskip("alibabacloud_sts20150401")

from chalicelib.rpc import ram as served
from tests.sdk import ram
from tests.sdk.ram import allow, document, trust, unique

MOMENT = "%Y-%m-%dT%H:%M:%SZ"
SEND = document(allow("mns:SendMessage"))
PEEK = document(allow("mns:PeekMessage"))


@pytest.fixture(params=[None, "v2"], ids=["ACS3", "V1"])
def algorithm(request):
    return request.param


@pytest.fixture
def api(server, algorithm):
    return ram.connect_ram(server, algorithm=algorithm)


def recent(moment):
    return abs(datetime.strptime(moment, MOMENT).replace(tzinfo=UTC).timestamp() - datetime.now(UTC).timestamp()) < 60


def dropping(fields, *names):
    """The fields without those that differ each time, which are as they should be."""
    left = dict(fields)
    for name in names:
        value = left.pop(name)
        assert recent(value) if name.endswith("Date") else value, name
    return left


def names(page, wrapper, name):
    return [item[f"{name}Name"] for item in page[wrapper][name]]


def test_users(api):
    name = unique("user")
    made = api(
        "create_user", user_name=name, comments="a test", email="ann@example.test", mobile_phone="86-13800000000"
    )
    shown = {"UserName": name, "DisplayName": name, "Comments": "a test"}
    reached = {"Email": "ann@example.test", "MobilePhone": "86-13800000000"}
    assert dropping(made["User"], "UserId", "CreateDate") == shown | reached
    assert api.refused("create_user", user_name=name) == (409, "EntityAlreadyExists.User")
    got = api("get_user", user_name=name)["User"]
    assert dropping(got, "CreateDate", "UpdateDate") == shown | reached | {"UserId": made["User"]["UserId"]}
    changed = api("update_user", user_name=name, new_display_name="Ann", new_comments="still a test")["User"]
    assert (changed["DisplayName"], changed["Comments"], changed["Email"]) == (
        "Ann",
        "still a test",
        "ann@example.test",
    )
    assert api.refused("update_user", user_name=name, new_user_name="x") == (400, "InvalidParameter.NewUserName")
    assert api("delete_user", user_name=name) == {}
    assert api.refused("get_user", user_name=name) == (404, "EntityNotExist.User")
    assert api.refused("delete_user", user_name=name) == (404, "EntityNotExist.User")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"user_name": "a b"}, "InvalidParameter.UserName.InvalidChars"),
        ({"user_name": "a" * 65}, "InvalidParameter.UserName.Length"),
        ({"user_name": "ann", "email": "nobody"}, "InvalidParameter.Email.Format"),
        ({"user_name": "ann", "mobile_phone": "call me"}, "InvalidParameter.MobilePhone.Format"),
        ({"user_name": "ann", "comments": "x" * 129}, "InvalidParameter.Comments.Length"),
        ({"user_name": ""}, "MissingUserName"),
    ],
)
def test_what_a_user_cannot_be(server, parameters, code):
    assert ram.connect_ram(server).refused("create_user", **parameters) == (400, code)


def test_what_is_longer_than_any_name_is_there_no_more_than_another(api):
    name = "a" * 3_000
    for action, parameters, code in (
        ("get_user", {"user_name": name}, "EntityNotExist.User"),
        ("delete_user", {"user_name": name}, "EntityNotExist.User"),
        ("get_group", {"group_name": name}, "EntityNotExist.Group"),
        ("get_role", {"role_name": name}, "EntityNotExist.Role"),
        ("get_policy", {"policy_name": name, "policy_type": "Custom"}, "EntityNotExist.Policy"),
        ("add_user_to_group", {"user_name": name, "group_name": name}, "EntityNotExist.User"),
    ):
        assert api.refused(action, **parameters) == (404, code)
    assert api.refused("list_users", marker=name) == (400, "InvalidParameter.Marker.Length")


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_lists_come_in_pages(api, kind):
    wanted = sorted(unique(kind) for _ in range(3))
    more = {"assume_role_policy_document": trust("acs:ram::1:root")} if kind == "role" else {}
    for name in wanted:
        api(f"create_{kind}", **{f"{kind}_name": name}, **more)
    found, marker = [], None
    while True:
        page = api(f"list_{kind}s", max_items=2, marker=marker)
        shown = names(page, f"{kind.capitalize()}s", kind.capitalize())
        assert len(shown) <= 2
        found += shown
        if not page["IsTruncated"]:
            break
        marker = page["Marker"]
    assert sorted(found) == found
    assert set(wanted) <= set(found)


def test_access_keys(server, api):
    name, other = unique("user"), unique("user")
    for each in (name, other):
        api("create_user", user_name=each)
    first, second = (api("create_access_key", user_name=name)["AccessKey"] for _ in range(2))
    assert dropping(first, "AccessKeyId", "AccessKeySecret", "CreateDate") == {"Status": "Active"}
    assert api.refused("create_access_key", user_name=name) == (409, "LimitExceeded.User.AccessKey")
    who = ram.Credentials(access_key_id=first["AccessKeyId"], secret=first["AccessKeySecret"])
    assert ram.connect_sts(server, who)("get_caller_identity")["IdentityType"] == "RAMUser"
    listed = api("list_access_keys", user_name=name)["AccessKeys"]["AccessKey"]
    assert sorted(key["AccessKeyId"] for key in listed) == sorted([first["AccessKeyId"], second["AccessKeyId"]])
    assert not any("AccessKeySecret" in key for key in listed)  # it was told once
    change = {"user_access_key_id": first["AccessKeyId"], "user_name": name}
    assert api.refused("update_access_key", **change, status="Off") == (400, "InvalidParameter.Status")
    api("update_access_key", **change, status="Inactive")
    assert ram.connect_sts(server, who).refused("get_caller_identity") == (400, "InvalidAccessKeyId.Inactive")
    api("update_access_key", **change, status="Active")
    assert ram.connect_sts(server, who)("get_caller_identity")["IdentityType"] == "RAMUser"
    assert api.refused("delete_user", user_name=name) == (409, "DeleteConflict.User.AccessKey")
    theirs = {"user_access_key_id": first["AccessKeyId"], "user_name": other}  # a key is its user's only
    assert api.refused("delete_access_key", **theirs) == (404, "EntityNotExist.User.AccessKey")
    for key in (first, second):
        api("delete_access_key", user_access_key_id=key["AccessKeyId"], user_name=name)
    assert ram.connect_sts(server, who).refused("get_caller_identity") == (404, "InvalidAccessKeyId.NotFound")
    assert api("list_access_keys", user_name=name) == {"AccessKeys": {"AccessKey": []}}
    api("delete_user", user_name=name)


def test_groups(api):
    user, name = unique("user"), unique("group")
    api("create_user", user_name=user)
    made = api("create_group", group_name=name, comments="a test")["Group"]
    assert dropping(made, "GroupId", "CreateDate") == {"GroupName": name, "Comments": "a test"}
    assert api.refused("create_group", group_name=name) == (409, "EntityAlreadyExists.Group")
    assert api("update_group", group_name=name, new_comments="more")["Group"]["Comments"] == "more"
    assert api("get_group", group_name=name)["Group"]["Comments"] == "more"
    both = {"user_name": user, "group_name": name}
    api("add_user_to_group", **both)
    assert api.refused("add_user_to_group", **both) == (409, "EntityAlreadyExists.User.Group")
    assert api.refused("add_user_to_group", user_name="nobody", group_name=name) == (404, "EntityNotExist.User")
    assert api.refused("add_user_to_group", user_name=user, group_name="none") == (404, "EntityNotExist.Group")
    [shown] = api("list_groups_for_user", user_name=user)["Groups"]["Group"]
    assert (shown["GroupName"], recent(shown["JoinDate"])) == (name, True)
    [member] = api("list_users_for_group", group_name=name)["Users"]["User"]
    assert (member["UserName"], recent(member["JoinDate"])) == (user, True)
    assert api.refused("delete_group", group_name=name) == (409, "DeleteConflict.Group.User")
    assert api.refused("delete_user", user_name=user) == (409, "DeleteConflict.User.Group")
    api("remove_user_from_group", **both)
    assert api.refused("remove_user_from_group", **both) == (404, "EntityNotExist.User.Group")
    api("delete_group", group_name=name)
    api("delete_user", user_name=user)


def test_roles(api):
    name = unique("role")
    trusted = trust(f"acs:ram::{live.OTHER.account_id}:root")
    made = api("create_role", role_name=name, assume_role_policy_document=trusted, description="a test")["Role"]
    arn = f"acs:ram::{live.OWNER.account_id}:role/{name}"
    shown = {"RoleName": name, "Arn": arn, "Description": "a test", "AssumeRolePolicyDocument": trusted}
    assert dropping(made, "RoleId", "CreateDate") == shown | {"MaxSessionDuration": 3600}
    wider = trust(f"acs:ram::{live.OTHER.account_id}:root", f"acs:ram::{live.OWNER.account_id}:root")
    changed = api(
        "update_role",
        role_name=name,
        new_assume_role_policy_document=wider,
        new_max_session_duration=7200,
        new_description="more",
    )["Role"]
    assert dropping(changed, "RoleId", "CreateDate", "UpdateDate") == shown | {
        "AssumeRolePolicyDocument": wider,
        "Description": "more",
        "MaxSessionDuration": 7200,
    }
    assert api("get_role", role_name=name)["Role"]["MaxSessionDuration"] == 7200
    bad = {"role_name": unique("role"), "assume_role_policy_document": SEND}
    assert api.refused("create_role", **bad) == (400, "MalformedPolicyDocument")
    api("delete_role", role_name=name)
    assert api.refused("get_role", role_name=name) == (404, "EntityNotExist.Role")


def test_policies_and_their_versions(api):
    name = unique("policy")
    made = api("create_policy", policy_name=name, policy_document=SEND, description="a test")["Policy"]
    shown = {"PolicyName": name, "PolicyType": "Custom", "Description": "a test", "DefaultVersion": "v1"}
    assert dropping(made, "CreateDate") == shown
    assert api.refused("create_policy", policy_name=name, policy_document=SEND) == (409, "EntityAlreadyExists.Policy")
    of = {"policy_name": name, "policy_type": "Custom"}
    got = api("get_policy", **of)
    assert dropping(got["Policy"], "CreateDate", "UpdateDate", "PolicyDocument") == shown | {"AttachmentCount": 0}
    first = {"VersionId": "v1", "IsDefaultVersion": True, "PolicyDocument": SEND}
    assert dropping(got["DefaultPolicyVersion"], "CreateDate") == first
    second = api("create_policy_version", policy_name=name, policy_document=PEEK)["PolicyVersion"]
    assert dropping(second, "CreateDate") == {"VersionId": "v2", "IsDefaultVersion": False, "PolicyDocument": PEEK}
    api("set_default_policy_version", policy_name=name, version_id="v2")
    assert api("get_policy", **of)["Policy"]["DefaultVersion"] == "v2"
    deleting = {"policy_name": name, "version_id": "v2"}
    assert api.refused("delete_policy_version", **deleting) == (409, "DeleteConflict.Policy.Version.Default")
    for _ in range(3):
        api("create_policy_version", policy_name=name, policy_document=SEND, set_as_default=True)
    one_more = {"policy_name": name, "policy_document": PEEK}
    assert api.refused("create_policy_version", **one_more) == (409, "LimitExceeded.Policy.Version")
    rotated = api("create_policy_version", **one_more, rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded")
    assert rotated["PolicyVersion"]["VersionId"] == "v6"
    versions = api("list_policy_versions", **of)["PolicyVersions"]["PolicyVersion"]
    assert [(version["VersionId"], version["IsDefaultVersion"]) for version in versions] == [
        *(("v2", False), ("v3", False), ("v4", False), ("v5", True), ("v6", False)),
    ]
    assert api("get_policy_version", **of, version_id="v6")["PolicyVersion"]["PolicyDocument"] == PEEK
    assert api.refused("get_policy_version", **of, version_id="v1") == (404, "EntityNotExist.Policy.Version")
    assert api("update_policy_description", policy_name=name, new_description="b")["Policy"]["Description"] == "b"
    assert api.refused("delete_policy", policy_name=name) == (409, "DeleteConflict.Policy.Version")
    for version in ("v2", "v3", "v4", "v6"):
        api("delete_policy_version", policy_name=name, version_id=version)
    api("delete_policy", policy_name=name)
    assert api.refused("get_policy", **of) == (404, "EntityNotExist.Policy")


def test_a_bad_document_is_refused_and_changes_nothing(api):
    name = unique("policy")
    bad = {"policy_name": name, "policy_document": document({"Effect": "Allow"})}
    assert api.refused("create_policy", **bad) == (400, "MalformedPolicyDocument")
    assert api.refused("get_policy", policy_name=name, policy_type="Custom") == (404, "EntityNotExist.Policy")
    api("create_policy", policy_name=name, policy_document=SEND)
    assert api.refused("create_policy_version", **bad) == (400, "MalformedPolicyDocument")
    versions = api("list_policy_versions", policy_name=name, policy_type="Custom")["PolicyVersions"]["PolicyVersion"]
    assert len(versions) == 1


@pytest.mark.parametrize("kind", ["user", "group", "role"])
@pytest.mark.parametrize("policy_type", ["System", "Custom"])
def test_attachments(api, kind, policy_type):
    name = unique(kind)
    noun = kind.capitalize()
    more = {"assume_role_policy_document": trust("acs:ram::1:root")} if kind == "role" else {}
    api(f"create_{kind}", **{f"{kind}_name": name}, **more)
    policy = "AliyunMNSReadOnlyAccess" if policy_type == "System" else unique("policy")
    if policy_type == "Custom":
        api("create_policy", policy_name=policy, policy_document=SEND, description="d")
    of = {"policy_type": policy_type, "policy_name": policy}
    both = of | {f"{kind}_name": name}
    before = api("get_policy", **of)["Policy"]["AttachmentCount"]
    api(f"attach_policy_to_{kind}", **both)
    assert api.refused(f"attach_policy_to_{kind}", **both) == (409, f"EntityAlreadyExists.{noun}.Policy")
    nobody = both | {f"{kind}_name": "nobody"}
    assert api.refused(f"attach_policy_to_{kind}", **nobody) == (404, f"EntityNotExist.{noun}")
    nothing = both | {"policy_name": "nothing"}
    assert api.refused(f"attach_policy_to_{kind}", **nothing) == (404, "EntityNotExist.Policy")
    [attached] = api(f"list_policies_for_{kind}", **{f"{kind}_name": name})["Policies"]["Policy"]
    assert (attached["PolicyName"], attached["PolicyType"], recent(attached["AttachDate"])) == (
        policy,
        policy_type,
        True,
    )
    assert api("get_policy", **of)["Policy"]["AttachmentCount"] == before + 1
    holders = api("list_entities_for_policy", **of)
    assert name in names(holders, f"{noun}s", noun)
    assert api.refused(f"delete_{kind}", **{f"{kind}_name": name}) == (409, f"DeleteConflict.{noun}.Policy")
    if policy_type == "Custom":
        assert api.refused("delete_policy", policy_name=policy) == (409, f"DeleteConflict.Policy.{noun}")
    api(f"detach_policy_from_{kind}", **both)
    assert api.refused(f"detach_policy_from_{kind}", **both) == (404, f"EntityNotExist.{noun}.Policy")
    assert name not in names(api("list_entities_for_policy", **of), f"{noun}s", noun)
    api(f"delete_{kind}", **{f"{kind}_name": name})


def test_a_policy_goes_with_its_attachments_and_versions_if_told_so(api):
    user, name = unique("user"), unique("policy")
    api("create_user", user_name=user)
    api("create_policy", policy_name=name, policy_document=SEND)
    api("create_policy_version", policy_name=name, policy_document=PEEK, set_as_default=True)
    api("attach_policy_to_user", policy_type="Custom", policy_name=name, user_name=user)
    api("delete_policy", policy_name=name, cascading_delete=True)
    assert api("list_policies_for_user", user_name=user) == {"Policies": {"Policy": []}}


def test_system_policies_are_listed_first_and_cannot_be_made_or_deleted(api):
    custom = unique("policy")
    api("create_policy", policy_name=custom, policy_document=SEND)
    system = names(api("list_policies", policy_type="System"), "Policies", "Policy")
    assert {"AdministratorAccess", "AliyunMNSFullAccess", "AliyunMNSReadOnlyAccess"} <= set(system)
    assert custom in names(api("list_policies", policy_type="Custom", max_items=1000), "Policies", "Policy")
    page = api("list_policies", max_items=1)
    assert (names(page, "Policies", "Policy"), page["IsTruncated"]) == (system[:1], True)
    rest = api("list_policies", max_items=1000, marker=page["Marker"])
    assert names(rest, "Policies", "Policy")[: len(system) - 1] == system[1:]
    assert api.refused("create_policy", policy_name="AdministratorAccess", policy_document=SEND) == (
        *(409, "EntityAlreadyExists.Policy"),
    )
    assert api.refused("delete_policy", policy_name="AdministratorAccess") == (404, "EntityNotExist.Policy")
    assert api.refused("list_policies", policy_type="Other") == (400, "InvalidParameter.PolicyType")


def test_every_action_that_is_served_is_tried_here():
    text = Path(__file__).read_text()
    untried = set()
    for action in served.PRODUCT.actions:
        snake = re.sub("(?!^)([A-Z])", r"_\1", action.name).lower()
        if f'"{snake}"' not in text and re.sub("user|group|role", "{kind}", snake) not in text:
            untried.add(action.name)
    assert untried == set()


# --- STS -------------------------------------------------------------------------------------------------------------


def test_who_somebody_is(server, algorithm):
    root = ram.connect_sts(server, live.OWNER, algorithm)("get_caller_identity")
    owner = live.OWNER.account_id
    assert root == {
        "AccountId": owner,
        "Arn": f"acs:ram::{owner}:root",
        "IdentityType": "Account",
        "PrincipalId": owner,
        "UserId": owner,
    }
    name, who = ram.make_user(server, live.OWNER)
    user_id = ram.connect_ram(server)("get_user", user_name=name)["User"]["UserId"]
    assert ram.connect_sts(server, who, algorithm)("get_caller_identity") == {
        "AccountId": owner,
        "Arn": f"acs:ram::{owner}:user/{name}",
        "IdentityType": "RAMUser",
        "PrincipalId": user_id,
        "UserId": user_id,
    }


def test_a_role_is_assumed(server, algorithm):
    _, who = ram.make_user(server, live.OWNER, allow("sts:AssumeRole"))
    role, arn = ram.make_role(server, live.OWNER, trust(f"acs:ram::{live.OWNER.account_id}:root"), allow("mns:*"))
    role_id = ram.connect_ram(server)("get_role", role_name=role)["Role"]["RoleId"]
    answer = ram.connect_sts(server, who, algorithm)(
        "assume_role", role_arn=arn, role_session_name="ann@work", duration_seconds=900
    )
    session = f"acs:ram::{live.OWNER.account_id}:assumed-role/{role}/ann@work"
    assert answer["AssumedRoleUser"] == {"Arn": session, "AssumedRoleId": f"{role_id}:ann@work"}
    given = answer["Credentials"]
    left = datetime.strptime(given["Expiration"], MOMENT).replace(tzinfo=UTC) - datetime.now(UTC)
    assert 880 < left.total_seconds() <= 900
    temporary = ram.Credentials(
        access_key_id=given["AccessKeyId"], secret=given["AccessKeySecret"], token=given["SecurityToken"]
    )
    assert ram.connect_sts(server, temporary, algorithm)("get_caller_identity") == {
        "AccountId": live.OWNER.account_id,
        "Arn": session,
        "IdentityType": "AssumedRoleUser",
        "PrincipalId": f"{role_id}:ann@work",
        "RoleId": role_id,
    }


def test_what_a_role_is_not_assumed_with(server):
    name, who = ram.make_user(server, live.OWNER, allow("sts:AssumeRole"))
    mine = trust(f"acs:ram::{live.OWNER.account_id}:user/{name}")
    _, arn = ram.make_role(server, live.OWNER, mine, allow("mns:*"))
    sts = ram.connect_sts(server, who)
    right = {"role_arn": arn, "role_session_name": "session"}
    assert sts("assume_role", **right)
    for wrong, expected in (
        ({"role_arn": "nonsense"}, (400, "InvalidParameter.RoleArn")),
        ({"role_arn": arn + "x"}, (404, "EntityNotExist.Role")),
        ({"role_session_name": "x"}, (400, "InvalidParameter.RoleSessionName")),
        ({"role_session_name": "x y"}, (400, "InvalidParameter.RoleSessionName")),
        ({"duration_seconds": 899}, (400, "InvalidParameter.DurationSeconds")),
        ({"duration_seconds": 3601}, (400, "InvalidParameter.DurationSeconds")),
        ({"policy": "{}"}, (400, "InvalidParameter.PolicyGrammar")),
        ({"external_id": "x" * 1225}, (400, "InvalidParameter.ExternalId.Length")),
        ({"policy": document(*[allow("mns:SendMessage")] * 60)}, (400, "InvalidParameter.PolicySize")),
    ):
        assert sts.refused("assume_role", **right | wrong) == expected, wrong
    _, stranger = ram.make_user(server, live.OWNER, allow("sts:AssumeRole"))  # the role does not trust this one
    assert ram.connect_sts(server, stranger).refused("assume_role", **right) == (403, "NoPermission")
    _, powerless = ram.make_user(server, live.OWNER)  # this one's own policies do not allow it
    assert ram.connect_sts(server, powerless).refused("assume_role", **right) == (403, "NoPermission")
    assert ram.connect_sts(server, live.OWNER).refused("assume_role", **right) == (403, "NoPermission")

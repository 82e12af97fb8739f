"""Who may do what, through the whole application: every operation, every condition key, every kind of caller."""

import json

import pytest

from chalicelib.api import table
from chalicelib.model import limits, ram
from chalicelib.rpc import table as rpc_table
from tests.api import signing
from tests.api.identities import OTHER_ROOT, ROOT, Accounts, Caller, Who, allow, code, deny, document, trust

QUEUE, MESSAGES = "/queues/orders", "/queues/orders/messages"
MESSAGE = "<Message><MessageBody>hi</MessageBody></Message>"
BATCH = f"<Messages>{MESSAGE}</Messages>"
HANDLES = "<ReceiptHandles><ReceiptHandle>x</ReceiptHandle></ReceiptHandles>"
SUBSCRIPTION = "<Subscription><Endpoint>http://example.test/</Endpoint></Subscription>"
ARN = f"acs:mns:cn-hangzhou:{signing.ACCOUNT}:"

# Section 15 of the protocol document: operation, request, its actions, its resource.
OPERATIONS = [
    ("OpenService", "POST", "/commonbuy/openservice", "", ["OpenService"], "/commonbuy/openservice"),
    ("ListQueue", "GET", "/queues", "", ["ListQueue"], "/queues"),
    ("CreateQueue", "PUT", QUEUE, "<Queue/>", ["CreateQueue"], QUEUE),
    ("SetQueueAttributes", "PUT", f"{QUEUE}?metaoverride=true", "<Queue/>", ["SetQueueAttributes"], QUEUE),
    ("GetQueueAttributes", "GET", QUEUE, "", ["GetQueueAttributes"], QUEUE),
    ("DeleteQueue", "DELETE", QUEUE, "", ["DeleteQueue"], QUEUE),
    ("SendMessage", "POST", MESSAGES, MESSAGE, ["SendMessage"], MESSAGES),
    ("BatchSendMessage", "POST", MESSAGES, BATCH, ["SendMessage", "BatchSendMessage"], MESSAGES),
    ("ReceiveMessage", "GET", MESSAGES, "", ["ReceiveMessage"], MESSAGES),
    *[
        (f"Batch{name}", "GET", f"{MESSAGES}?numOfMessages=2{more}", "", [name, f"Batch{name}"], MESSAGES)
        for name, more in (("ReceiveMessage", ""), ("PeekMessage", "&peekonly=true"))
    ],
    ("PeekMessage", "GET", f"{MESSAGES}?peekonly=true", "", ["PeekMessage"], MESSAGES),
    ("DeleteMessage", "DELETE", f"{MESSAGES}?ReceiptHandle=x", "", ["DeleteMessage"], MESSAGES),
    ("BatchDeleteMessage", "DELETE", MESSAGES, HANDLES, ["DeleteMessage", "BatchDeleteMessage"], MESSAGES),
    (
        *("ChangeMessageVisibility", "PUT", f"{MESSAGES}?ReceiptHandle=x&VisibilityTimeout=5", ""),
        *(["ChangeMessageVisibility"], MESSAGES),
    ),
    ("ListTopic", "GET", "/topics", "", ["ListTopic"], "/topics"),
    ("CreateTopic", "PUT", "/topics/news", "<Topic/>", ["CreateTopic"], "/topics/news"),
    (
        *("SetTopicAttributes", "PUT", "/topics/news?metaoverride=true", "<Topic/>"),
        *(["SetTopicAttributes"], "/topics/news"),
    ),
    ("GetTopicAttributes", "GET", "/topics/news", "", ["GetTopicAttributes"], "/topics/news"),
    ("DeleteTopic", "DELETE", "/topics/news", "", ["DeleteTopic"], "/topics/news"),
    ("PublishMessage", "POST", "/topics/news/messages", MESSAGE, ["PublishMessage"], "/topics/news/messages"),
    (
        *("ListSubscriptionByTopic", "GET", "/topics/news/subscriptions", ""),
        *(["ListSubscriptionByTopic"], "/topics/news/subscriptions"),
    ),
    *[
        (name, method, f"/topics/news/subscriptions/s{query}", body, [name], "/topics/news/subscriptions/s")
        for name, method, query, body in (
            ("Subscribe", "PUT", "", SUBSCRIPTION),
            ("SetSubscriptionAttributes", "PUT", "?metaoverride=true", "<Subscription/>"),
            ("GetSubscriptionAttributes", "GET", "", ""),
            ("Unsubscribe", "DELETE", "", ""),
        )
    ],
    ("GetAccountAttributes", "GET", "/?accountmeta=true", "", ["GetAccountAttributes"], "/"),
    ("SetAccountAttributes", "PUT", "/?accountmeta=true", "<Account/>", ["SetAccountAttributes"], "/"),
]


@pytest.fixture
def accounts(application):
    return Accounts(application)


@pytest.fixture
def caller(application, clock):
    return Caller(application, clock)


def denied(caller, who, method, target, body="", **more):
    return caller.code(who, method, target, body, **more) == "AccessDenied"


def test_every_operation_of_the_table_is_among_those_tried_here():
    names = {name for row in table.TABLE for name in row.name.split(", ")}
    assert names == {operation[0] for operation in OPERATIONS}


@pytest.mark.parametrize(
    ("method", "target", "body", "actions", "resource"),
    [operation[1:] for operation in OPERATIONS],
    ids=[operation[0] for operation in OPERATIONS],
)
def test_an_operation_needs_its_action_on_its_resource(accounts, caller, method, target, body, actions, resource):
    ask = (method, target, body)
    assert denied(caller, accounts.user(), *ask)
    for action in actions:
        assert not denied(caller, accounts.user(allow(f"mns:{action}", resource=ARN + resource)), *ask), action
        assert denied(caller, accounts.user(allow("mns:*"), deny(f"mns:{action}", resource=ARN + resource)), *ask)
    everything_else = {"Effect": "Allow", "NotAction": [f"mns:{action}" for action in actions], "Resource": "*"}
    assert denied(caller, accounts.user(everything_else), *ask)
    assert denied(caller, accounts.user(allow("mns:*", resource=f"{ARN}{resource}x")), *ask)
    elsewhere = ARN.replace(signing.ACCOUNT, signing.OTHER_ACCOUNT) + resource
    assert denied(caller, accounts.user(allow("mns:*", resource=elsewhere)), *ask)
    assert not denied(caller, accounts.user(allow("*")), *ask)
    assert not denied(caller, ROOT, *ask)


def test_the_single_form_is_not_allowed_by_the_name_of_the_batch(accounts, caller):
    who = accounts.user(allow("mns:Batch*"))
    caller.xml(ROOT, "PUT", QUEUE, "<Queue/>")
    assert denied(caller, who, "POST", MESSAGES, MESSAGE)
    assert caller.xml(who, "POST", MESSAGES, BATCH).status == 201
    assert denied(caller, who, "GET", MESSAGES)
    assert caller.xml(who, "GET", f"{MESSAGES}?numOfMessages=1").status == 200


def test_the_batch_of_what_is_excepted_is_excepted(accounts, caller):
    caller.xml(ROOT, "PUT", QUEUE, "<Queue/>")
    everything_but = {"NotAction": ["mns:SendMessage", "mns:DeleteMessage"], "Resource": "*"}
    who = accounts.user({"Effect": "Allow", **everything_but})
    assert denied(caller, who, "POST", MESSAGES, BATCH)
    assert denied(caller, who, "DELETE", MESSAGES, HANDLES)
    who = accounts.user(allow("mns:*"), {"Effect": "Deny", **everything_but})
    assert caller.xml(who, "POST", MESSAGES, BATCH).status == 201
    assert denied(caller, who, "GET", MESSAGES)


def test_a_denial_says_who_and_what_and_reaches_nothing(accounts, caller):
    who = accounts.user(allow("mns:GetQueueAttributes"), name="ann")
    caller.xml(ROOT, "PUT", QUEUE, "<Queue/>")
    refused = caller.xml(who, "DELETE", QUEUE)
    assert (refused.status, signing.texts(refused)["Message"]) == (
        403,
        f"acs:ram::{signing.ACCOUNT}:user/ann is not allowed to do mns:DeleteQueue on {ARN}/queues/orders.",
    )
    assert caller.xml(who, "GET", QUEUE).status == 200


def test_a_user_acts_in_the_account_that_owns_it_and_in_no_other(accounts, caller):
    who = accounts.user(allow("*"))
    own, foreign = (f"{name}.mns.cn-hangzhou.aliyuncs.com" for name in (signing.ACCOUNT, signing.OTHER_ACCOUNT))
    assert caller.xml(who, "PUT", QUEUE, "<Queue/>", host=own).status == 201
    assert denied(caller, who, "GET", QUEUE, host=foreign)
    assert caller.code(OTHER_ROOT, "GET", QUEUE) == "QueueNotExist"


def test_policies_of_groups_count_and_so_do_their_denials(accounts, caller):
    directory = accounts.verbs.directory
    who = accounts.user(allow("mns:ListQueue"), name="ann")
    group = ram.Group(name="team", group_id="g", created_at=0, updated_at=0)
    directory.create(signing.ACCOUNT, group, most=50)
    accounts.grant(ram.Group, "team", allow("mns:ListTopic"), deny("mns:ListQueue"))
    assert (denied(caller, who, "GET", "/queues"), denied(caller, who, "GET", "/topics")) == (False, True)
    directory.join(signing.ACCOUNT, "ann", "team")
    assert (denied(caller, who, "GET", "/queues"), denied(caller, who, "GET", "/topics")) == (True, False)
    directory.leave(signing.ACCOUNT, "ann", "team")
    assert (denied(caller, who, "GET", "/queues"), denied(caller, who, "GET", "/topics")) == (False, True)


@pytest.mark.parametrize(
    ("policy", "reads", "writes"),
    [
        ("AliyunMNSFullAccess", True, True),
        ("AliyunMNSReadOnlyAccess", True, False),
        ("AdministratorAccess", True, True),
    ],
)
def test_system_policies(accounts, caller, policy, reads, writes):
    who = accounts.user(name="ann")
    accounts.verbs.directory.attach(signing.ACCOUNT, ram.User, "ann", ram.SYSTEM, policy)
    caller.xml(ROOT, "PUT", QUEUE, "<Queue/>")
    assert denied(caller, who, "GET", QUEUE) is not reads
    assert denied(caller, who, "GET", f"{MESSAGES}?peekonly=true") is not reads
    assert denied(caller, who, "POST", MESSAGES, MESSAGE) is not writes
    assert denied(caller, who, "GET", MESSAGES) is not writes  # receiving changes the message


def test_the_version_in_force_decides_and_a_detached_policy_no_more(accounts, caller):
    directory = accounts.verbs.directory
    who = accounts.user(name="ann")
    name = accounts.grant(ram.User, "ann", allow("mns:ListQueue"))
    assert not denied(caller, who, "GET", "/queues")
    topics = document(allow("mns:ListTopic"))
    directory.change(
        signing.ACCOUNT, ram.ManagedPolicy, name, lambda found: found.add_version(topics, 0, default=True, rotate=False)
    )
    assert (denied(caller, who, "GET", "/queues"), denied(caller, who, "GET", "/topics")) == (True, False)
    directory.detach(signing.ACCOUNT, ram.User, "ann", ram.CUSTOM, name)
    assert denied(caller, who, "GET", "/topics")


# --- Conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "right", "wrong"),
    [
        ({"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}}, {"address": "10.1.1.1"}, {"address": "11.1.1.1"}),
        ({"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}}, {"address": "10.1.1.1"}, {"address": ""}),
        ({"NotIpAddress": {"acs:SourceIp": "10.0.0.0/8"}}, {"address": "2001:db8::1"}, {"address": "10.1.1.1"}),
        ({"Bool": {"acs:SecureTransport": "true"}}, {"scheme": "https"}, {"scheme": "http"}),
    ],
)
def test_conditions_on_the_connection(accounts, caller, condition, right, wrong):
    who = accounts.user(allow("mns:*", **condition))
    assert caller.xml(who, "GET", "/queues", **right).status == 200
    assert denied(caller, who, "GET", "/queues", **wrong)
    answered = [caller.rpc(who, "mns", "ListQueue", **given).status for given in (right, wrong)]
    assert answered == [200, 403]


def test_a_condition_on_the_time(accounts, caller, clock):
    until = "2024-01-02T04:04:05Z"  # an hour from now
    who = accounts.user(allow("mns:*", DateLessThan={"acs:CurrentTime": until}))
    assert caller.xml(who, "GET", "/queues").status == 200
    clock.advance(3600)
    assert denied(caller, who, "GET", "/queues")


def test_keys_come_without_a_second_factor(accounts, caller):
    assert denied(caller, accounts.user(allow("mns:*", Bool={"acs:MFAPresent": "true"})), "GET", "/queues")
    assert not denied(caller, accounts.user(allow("mns:*", Bool={"acs:MFAPresent": "false"})), "GET", "/queues")


def test_a_condition_on_logging(accounts, caller):
    who = accounts.user(allow("mns:*", StringEquals={"mns:EnableLogging": "true"}))
    logged = "<Queue><LoggingEnabled>True</LoggingEnabled></Queue>"
    assert denied(caller, who, "PUT", QUEUE, "<Queue/>")
    assert denied(caller, who, "PUT", QUEUE, logged.replace("True", "False"))
    assert denied(caller, who, "PUT", QUEUE, "<Queue>")  # what cannot be read has no keys
    assert caller.xml(who, "PUT", QUEUE, logged).status == 201
    assert caller.rpc_code(who, "mns", "CreateQueue", {"QueueName": "other"}) == "NoPermission"
    assert caller.rpc_code(who, "mns", "CreateQueue", {"QueueName": "other", "EnableLogging": "True"}) == ""


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("http", "http://example.test/"),
        ("queue", f"acs:mns:cn-hangzhou:{signing.ACCOUNT}:queues/orders"),
        ("mail", "mail:directmail:ann@example.test"),
        ("sms", "sms:directsms:13800000000"),
        ("push", "push:24680"),
    ],
)
def test_a_condition_on_the_kind_of_endpoint(accounts, caller, kind, endpoint):
    caller.xml(ROOT, "PUT", "/topics/news", "<Topic/>")
    who = accounts.user(allow("mns:Subscribe", StringEquals={"mns:PushType": kind}))
    body = f"<Subscription><Endpoint>{endpoint}</Endpoint></Subscription>"
    assert caller.xml(who, "PUT", "/topics/news/subscriptions/s", body).status == 201
    others = accounts.user(allow("mns:Subscribe", StringNotEquals={"mns:PushType": kind}))
    assert denied(caller, others, "PUT", "/topics/news/subscriptions/t", body)


def test_conditions_on_tags(accounts, caller):
    for name, team in (("mine", "dev"), ("theirs", "ops")):
        tagged = {"QueueName": name, "Tag.1.Key": "Team", "Tag.1.Value": team}
        assert caller.rpc_code(ROOT, "mns", "CreateQueue", tagged) == ""
    who = accounts.user(
        allow("mns:*", StringEquals={"acs:ResourceTag/Team": "dev"}),
        allow("mns:CreateQueue", StringLike={"acs:RequestTag/Team": "d*"}),
    )
    assert caller.xml(who, "POST", "/queues/mine/messages", MESSAGE).status == 201
    assert denied(caller, who, "POST", "/queues/theirs/messages", MESSAGE)
    assert denied(caller, who, "POST", "/queues/nothing/messages", MESSAGE)
    assert caller.rpc_code(who, "mns", "GetQueueAttributes", {"QueueName": "mine"}) == ""
    assert caller.rpc_code(who, "mns", "GetQueueAttributes", {"QueueName": "theirs"}) == "NoPermission"
    wanted = {"QueueName": "third", "Tag.1.Key": "Team"}
    assert caller.rpc_code(who, "mns", "CreateQueue", wanted | {"Tag.1.Value": "ops"}) == "NoPermission"
    assert caller.rpc_code(who, "mns", "CreateQueue", wanted | {"Tag.1.Value": "dev"}) == ""


def test_a_parameter_that_an_action_passes_over_meets_no_condition(accounts, caller):
    caller.rpc_code(ROOT, "mns", "CreateQueue", {"QueueName": "theirs"})
    caller.rpc_code(ROOT, "mns", "CreateTopic", {"TopicName": "mine", "Tag.1.Key": "Team", "Tag.1.Value": "dev"})
    who = accounts.user(
        allow("mns:*", StringEquals={"acs:ResourceTag/Team": "dev"}),
        allow("mns:*", StringEquals={"acs:RequestTag/Team": "dev"}),
        allow("mns:*", StringEquals={"mns:PushType": "http"}),
        allow("mns:*", StringEquals={"mns:EnableLogging": "true"}),
    )
    beside = {"TopicName": "mine", "PushType": "http", "EnableLogging": "true"}
    beside |= {"Tag.1.Key": "Team", "Tag.1.Value": "dev"}
    for action in ("GetQueueAttributes", "DeleteQueue"):
        assert caller.rpc_code(who, "mns", action, {"QueueName": "theirs"} | beside) == "NoPermission"
    assert caller.rpc_code(who, "mns", "ListQueue", {"QueueName": "mine"} | beside) == "NoPermission"
    assert caller.rpc_code(who, "mns", "GetTopicAttributes", {"TopicName": "mine", "QueueName": "theirs"}) == ""
    assert caller.xml(ROOT, "GET", "/queues/theirs").status == 200


@pytest.mark.parametrize("denied_as", ["dm", "email", "mail"])
def test_a_kind_of_endpoint_is_denied_by_any_of_its_names_in_both_apis(accounts, caller, denied_as):
    caller.xml(ROOT, "PUT", "/topics/news", "<Topic/>")
    who = accounts.user(allow("mns:*"), deny("mns:Subscribe", StringEquals={"mns:PushType": denied_as}))
    address = "mail:directmail:ann@example.test"
    body = f"<Subscription><Endpoint>{address}</Endpoint></Subscription>"
    assert denied(caller, who, "PUT", "/topics/news/subscriptions/s", body)
    for kind in ("dm", "email"):
        wanted = {"TopicName": "news", "SubscriptionName": "s", "PushType": kind, "Endpoint": address}
        assert caller.rpc_code(who, "mns", "Subscribe", wanted) == "NoPermission"
        assert caller.rpc_code(who, "mns", "Subscribe", wanted | {"Endpoint": "http://example.test/"}) == "NoPermission"


# --- Temporary keys --------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(accounts):
    """A session of a role that may look at queues and topics."""
    who = accounts.user(allow("sts:AssumeRole"))
    arn = accounts.role(trust(f"acs:ram::{signing.ACCOUNT}:root"), allow("mns:List*"))
    return accounts.assume(who, arn)


def test_a_session_may_do_what_its_role_may(reader, caller):
    assert caller.xml(reader, "GET", "/queues").status == 200
    assert caller.rpc_code(reader, "mns", "ListQueue") == ""
    assert denied(caller, reader, "PUT", QUEUE, "<Queue/>")
    assert caller.rpc_code(reader, "mns", "CreateQueue", {"QueueName": "x"}) == "NoPermission"


def test_a_session_policy_takes_away_and_adds_nothing(accounts, caller):
    who = accounts.user(allow("sts:AssumeRole"))
    arn = accounts.role(trust(f"acs:ram::{signing.ACCOUNT}:root"), allow("mns:List*"))
    session = accounts.assume(who, arn, document=document(allow("mns:ListQueue", "mns:CreateQueue")))
    assert caller.xml(session, "GET", "/queues").status == 200
    assert denied(caller, session, "GET", "/topics")  # the role may
    assert denied(caller, session, "PUT", QUEUE, "<Queue/>")  # the session policy would let it


def test_a_temporary_key_is_nothing_without_its_own_token(reader, accounts, caller):
    who = accounts.user(allow("sts:AssumeRole"))
    arn = accounts.role(trust(f"acs:ram::{signing.ACCOUNT}:root"), allow("mns:*"))
    other = accounts.assume(who, arn)
    for token, rpc in (
        ("", "MissingSecurityToken"),
        ("nonsense", "InvalidSecurityToken.Malformed"),
        (other.token, "InvalidSecurityToken.Malformed"),
        (reader.token[:-2], "InvalidSecurityToken.Malformed"),
        (reader.token.swapcase(), "InvalidSecurityToken.Malformed"),
    ):
        bent = Who(key=reader.key, secret=reader.secret, token=token)
        assert denied(caller, bent, "GET", "/queues"), token
        assert caller.rpc_code(bent, "mns", "ListQueue") == rpc
    stolen = Who(key=reader.key, secret="guessed", token=reader.token)
    assert caller.code(stolen, "GET", "/queues") == "SignatureDoesNotMatch"
    assert caller.rpc_code(stolen, "mns", "ListQueue") == "SignatureDoesNotMatch"


def test_a_temporary_key_ends(reader, caller, clock):
    clock.advance(3599)
    assert caller.xml(reader, "GET", "/queues").status == 200
    clock.advance(1)
    assert denied(caller, reader, "GET", "/queues")
    assert caller.rpc_code(reader, "mns", "ListQueue") == "InvalidSecurityToken.Expired"


def test_a_session_ends_with_its_role_and_is_not_the_next_one_of_that_name(accounts, caller):
    who = accounts.user(allow("sts:AssumeRole"))
    arn = accounts.role(trust(f"acs:ram::{signing.ACCOUNT}:root"))
    name = arn.rpartition("/")[2]
    accounts.verbs.directory.attach(signing.ACCOUNT, ram.Role, name, ram.SYSTEM, "AliyunMNSFullAccess")
    session = accounts.assume(who, arn)
    assert caller.xml(session, "GET", "/queues").status == 200
    accounts.verbs.directory.detach(signing.ACCOUNT, ram.Role, name, ram.SYSTEM, "AliyunMNSFullAccess")
    accounts.verbs.directory.delete(signing.ACCOUNT, ram.Role, name)
    assert denied(caller, session, "GET", "/queues")
    again = ram.Role(name=name, role_id="another", trust=trust("acs:ram::1:root"), created_at=0, updated_at=0)
    accounts.verbs.directory.create(signing.ACCOUNT, again, most=1000)
    accounts.verbs.directory.attach(signing.ACCOUNT, ram.Role, name, ram.SYSTEM, "AliyunMNSFullAccess")
    assert denied(caller, session, "GET", "/queues")


def test_another_process_knows_the_session_from_its_token_alone(reader, application, clock):
    application.forget()
    assert Caller(application, clock).xml(reader, "GET", "/queues").status == 200


def test_a_disabled_key_of_a_user_is_as_good_as_none(accounts, caller):
    who = accounts.user(allow("*"), name="ann")
    assert caller.xml(who, "GET", "/queues").status == 200
    accounts.verbs.directory.enable_key(signing.ACCOUNT, "ann", who.key, enabled=False)
    assert caller.code(who, "GET", "/queues") == "InvalidAccessKeyId"
    assert caller.rpc_code(who, "mns", "ListQueue") == "InvalidAccessKeyId.Inactive"


# --- The control plane and RAM itself --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "action"),
    [
        pytest.param(product, action, id=f"{product.service}:{action.name}")
        for product in rpc_table.PRODUCTS
        for action in product.actions
        if not action.is_open
    ],
)
def test_every_action_needs_a_policy_that_allows_it(accounts, caller, product, action):
    names = dict.fromkeys(("QueueName", "TopicName", "SubscriptionName", "UserName", "GroupName"), "given")
    names |= {"RoleName": "given", "PolicyName": "given", "RoleArn": f"acs:ram::{signing.ACCOUNT}:role/given"}
    ask = (product.service, action.name, names)
    assert caller.rpc_code(accounts.user(), *ask) == "NoPermission"
    wanted = f"{product.service}:{action.name}"
    assert caller.rpc_code(accounts.user(allow("*"), deny(wanted)), *ask) == "NoPermission"
    others = {"Effect": "Allow", "NotAction": wanted, "Resource": "*"}
    assert caller.rpc_code(accounts.user(others), *ask) == "NoPermission"
    if action.name != "AssumeRole":  # which the role has to allow as well
        assert caller.rpc_code(accounts.user(allow(wanted)), *ask) != "NoPermission"


def test_attaching_needs_the_user_and_the_policy(accounts, caller):
    accounts.user(name="ann")
    policy = accounts.grant(ram.User, "ann", allow("mns:*"))
    prefix = f"acs:ram:*:{signing.ACCOUNT}:"
    ask = ("ram", "DetachPolicyFromUser", {"UserName": "ann", "PolicyName": policy, "PolicyType": "Custom"})
    for resource in (f"{prefix}user/ann", f"{prefix}policy/{policy}"):
        assert caller.rpc_code(accounts.user(allow("ram:*", resource=resource)), *ask) == "NoPermission"
    both = [f"{prefix}user/ann", f"{prefix}policy/{policy}"]
    assert caller.rpc_code(accounts.user(allow("ram:*", resource=both)), *ask) == ""


@pytest.mark.parametrize("region", ["", "*"])
def test_an_entity_of_ram_is_named_in_policies_as_in_its_arn_or_with_a_star_for_the_region(accounts, caller, region):
    accounts.user(name="boss")
    boss = f"acs:ram:{region}:{signing.ACCOUNT}:user/boss"
    ask = ("ram", "GetUser", {"UserName": "boss"})
    assert caller.rpc_code(accounts.user(allow("ram:*", resource=boss)), *ask) == ""
    assert caller.rpc_code(accounts.user(allow("ram:*"), deny("ram:*", resource=boss)), *ask) == "NoPermission"


def test_policies_are_not_asked_about_what_is_longer_than_any_resource(accounts, caller):
    who = accounts.user(allow("*", resource=f"acs:mns:*:*:*{'a' * 3000}"), allow("mns:GetQueueAttributes"))
    assert caller.code(who, "GET", f"/queues/{'a' * 900}") == "QueueNotExist"
    assert denied(caller, who, "GET", f"/queues/{'a' * 60_000}")
    assert caller.code(ROOT, "GET", f"/queues/{'a' * 60_000}") == "QueueNotExist"


def test_a_user_may_be_let_to_keep_its_own_keys(accounts, caller):
    own = f"acs:ram:*:{signing.ACCOUNT}:user/ann"
    who = accounts.user(allow("ram:*AccessKey*", resource=own), name="ann")
    accounts.user(name="bob")
    assert caller.rpc_code(who, "ram", "ListAccessKeys") == ""
    assert caller.rpc_code(who, "ram", "CreateAccessKey", {"UserName": "ann"}) == ""
    assert caller.rpc_code(who, "ram", "CreateAccessKey", {"UserName": "bob"}) == "NoPermission"


def test_the_secret_of_a_key_is_told_once_even_if_the_call_is_repeated(accounts, caller):
    accounts.user(name="ann")
    again = {"UserName": "ann", "ClientToken": "again"}
    told = caller.rpc(ROOT, "ram", "CreateAccessKey", again)
    secret = json.loads(told.body)["AccessKey"]["AccessKeySecret"]
    repeated = caller.rpc(ROOT, "ram", "CreateAccessKey", again)
    assert secret not in repeated.body.decode()


# --- Cost ------------------------------------------------------------------------------------------------------------


def test_fifty_statements_cost_no_round_trip_when_they_are_known(engine, prefix, clock, recorded):
    application, recorder = recorded
    accounts, caller = Accounts(application), Caller(application, clock)
    who = accounts.user(name="ann")
    for number in range(limits.CUSTOM_POLICIES_ATTACHED["User"]):
        accounts.grant(ram.User, "ann", *[allow(f"mns:Get{number}x{each}") for each in range(4)], allow("mns:Put"))
    accounts.verbs.directory.attach(signing.ACCOUNT, ram.User, "ann", ram.SYSTEM, "AliyunMNSFullAccess")
    assert caller.xml(who, "PUT", QUEUE, "<Queue/>").status == 201
    assert caller.xml(who, "POST", MESSAGES, MESSAGE).status == 201
    recorder.reset()
    assert caller.xml(who, "POST", MESSAGES, MESSAGE).status == 201
    assert recorder.calls == ["put_item"]  # the message
    clock.advance(limits.CACHE_SECONDS)
    recorder.reset()
    assert caller.xml(who, "GET", "/nonsense").status == 400
    assert recorder.calls == []
    assert code(caller.xml(who, "DELETE", f"{MESSAGES}?ReceiptHandle=x")) == "ReceiptHandleError"
    # the key, the endpoint's settings, the user, all its policies, and the queue
    assert recorder.calls == ["get_item"] * 3 + ["batch_get_item", "get_item"]

"""The official client of the control plane, over every action and both signatures; effects seen through the XML API."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import live
from tests.sdk import clients, topics
from tests.sdk.clients import Draft

if not os.environ.get("CI"):
    pytest.importorskip("alibabacloud_mns_open20220119")
    pytest.importorskip("mns")

from alibabacloud_mns_open20220119 import client as sdk
from alibabacloud_mns_open20220119 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config

from chalicelib.rpc import mns_open

DONE = {"Message": "operation success", "Success": True}
NEW, THERE, OK = ({"Code": code, **DONE} for code in (201, 204, 200))
pytestmark = pytest.mark.filterwarnings(  # of the client of the XML API, wherever it reads its own counts
    "ignore:Call to deprecated .* (active|inactive|delay)_messages:DeprecationWarning"
)


class Control:
    """The official client: an action by its name in Python, its parameters by keyword, the answer's `Data`."""

    def __init__(self, server: live.Server, key: live.Key, algorithm: str | None) -> None:
        self.client = sdk.Client(
            Config(
                access_key_id=key.access_key_id,
                access_key_secret=key.secret,
                endpoint=server.host,
                protocol="HTTP",
                region_id="cn-hangzhou",
                signature_algorithm=algorithm,
            )
        )

    def __call__(self, action: str, **parameters: Any) -> Any:
        name = "".join(word.capitalize() for word in action.split("_"))
        request = getattr(models, f"{name}Request", None)
        asked = (request(**parameters),) if request else ()
        body = getattr(self.client, action)(*asked).body.to_map()
        envelope = {part: body.pop(part) for part in ("Code", "Status", "Message", "Success")}
        assert envelope == {"Code": 200, "Status": "Success", "Message": "operation success", "Success": True}
        assert len(body.pop("RequestId")) == 24
        return body.pop("Data", None)

    def refused(self, action: str, **parameters: Any) -> tuple[int, str]:
        """Status and code of the error that an action ends with."""
        with pytest.raises(AlibabaCloudException) as raised:
            self(action, **parameters)
        return raised.value.status_code, raised.value.code


@pytest.fixture(params=[None, "v2"], ids=["ACS3", "V1"])
def connect(request: pytest.FixtureRequest, server: live.Server) -> Callable[..., Control]:
    return lambda key=live.OWNER: Control(server, key, request.param)


@pytest.fixture
def control(connect) -> Control:
    return connect()


@pytest.fixture
def xml(server: live.Server) -> Iterator[clients.PythonClient]:
    made = clients.PythonClient(server.endpoint, live.OWNER, encoding=False)
    yield made
    made.close()


@pytest.fixture
def topic(control, name) -> str:
    control("create_topic", topic_name=name)
    return name


def tags(**values: str) -> Callable[[type], list[Any]]:
    return lambda kind: [kind(key=key, value=value or None) for key, value in values.items()]


def test_the_table_has_every_action_of_the_client():
    actions = {
        "".join(word.capitalize() for word in name.removesuffix("_with_options").split("_"))
        for name in dir(sdk.Client)
        if name.endswith("_with_options")
        and hasattr(models, f"{''.join(w.capitalize() for w in name.removesuffix('_with_options').split('_'))}Response")
    }
    assert len(actions) == 26
    assert {action.name for action in mns_open.PRODUCT.actions} == actions


# --- Queues -----------------------------------------------------------------------------------------------------------


def test_a_queue_has_all_that_it_was_created_with(control, xml, name):
    control("create_queue", queue_name=f"{name}-dead", queue_type="fifo")
    asked = {
        "queue_name": name,
        "queue_type": "fifo",
        "delay_seconds": 0,
        "maximum_message_size": 2048,
        "message_retention_period": 3600,
        "visibility_timeout": 60,
        "polling_wait_seconds": 2,
        "enable_logging": True,
        "dlq_policy": models.CreateQueueRequestDlqPolicy(
            enabled=True, dead_letter_target_queue=f"{name}-dead", max_receive_count=3
        ),
        "tenant_rate_limit_policy": models.CreateQueueRequestTenantRateLimitPolicy(
            enabled=True, max_receives_per_second=100
        ),
        "tag": tags(team="orders", stage="")(models.CreateQueueRequestTag),
    }
    assert control("create_queue", **asked) == NEW
    assert control("create_queue", **asked) == THERE
    got = control("get_queue_attributes", queue_name=name)
    assert got.pop("CreateTime") == got.pop("LastModifyTime") > 1_700_000_000
    assert got == {
        "QueueName": name,
        "QueueType": "fifo",
        "DelaySeconds": 0,
        "MaximumMessageSize": 2048,
        "MessageRetentionPeriod": 3600,
        "VisibilityTimeout": 60,
        "PollingWaitSeconds": 2,
        "ActiveMessages": 0,
        "InactiveMessages": 0,
        "DelayMessages": 0,
        "LoggingEnabled": True,
        "DlqPolicy": {"Enabled": True, "DeadLetterTargetQueue": f"{name}-dead", "MaxReceiveCount": 3},
        "TenantRateLimitPolicy": {"Enabled": True, "MaxReceivesPerSecond": 100},
        "EnableSSE": False,
        "EncryptionEnabled": False,
        "SseType": "SMQ",
        "SseAlgorithm": "AES-256-GCM",
        "Tags": [{"TagKey": "stage", "TagValue": ""}, {"TagKey": "team", "TagValue": "orders"}],
    }
    seen = xml.get_attributes(name)
    assert (seen["DelaySeconds"], seen["LoggingEnabled"], seen["VisibilityTimeout"]) == (0, True, 60)
    assert control.refused("create_queue", **asked | {"visibility_timeout": 61}) == (409, "QueueAlreadyExist")
    new = asked | {"queue_name": f"{name}-new"}
    assert control.refused("create_queue", **new | {"delay_seconds": 1}) == (400, "InvalidParameter")
    assert control.refused("create_queue", **new | {"queue_type": "normal"}) == (400, "InvalidParameter")
    assert control.refused("create_queue", **asked | {"queue_type": "normal"}) == (409, "QueueAlreadyExist")


def test_the_xml_api_finds_a_queue_of_the_control_plane_as_if_it_had_made_it(control, xml, name):
    control(
        "create_queue",
        queue_name=name,
        visibility_timeout=60,
        tenant_rate_limit_policy=models.CreateQueueRequestTenantRateLimitPolicy(
            enabled=True, max_receives_per_second=100
        ),
    )
    xml.create_queue(name, VisibilityTimeout=60)
    xml.send(name, Draft(body="hello"))
    assert xml.receive(name).body == "hello"
    assert control("get_queue_attributes", queue_name=name)["InactiveMessages"] == 1


def test_setting_attributes_changes_what_is_named(control, xml, name):
    control("create_queue", queue_name=name, visibility_timeout=60, delay_seconds=5)
    limit = models.SetQueueAttributesRequestTenantRateLimitPolicy(enabled=True, max_receives_per_second=7)
    assert control("set_queue_attributes", queue_name=name, delay_seconds=6, tenant_rate_limit_policy=limit) == OK
    got = control("get_queue_attributes", queue_name=name)
    assert (got["DelaySeconds"], got["VisibilityTimeout"]) == (6, 60)
    assert got["TenantRateLimitPolicy"] == {"Enabled": True, "MaxReceivesPerSecond": 7}
    assert xml.get_attributes(name)["DelaySeconds"] == 6
    off = models.SetQueueAttributesRequestTenantRateLimitPolicy(enabled=False)
    control("set_queue_attributes", queue_name=name, tenant_rate_limit_policy=off)
    assert control("get_queue_attributes", queue_name=name)["TenantRateLimitPolicy"] == {"Enabled": False}
    assert control.refused("set_queue_attributes", queue_name=name, delay_seconds=-1) == (400, "InvalidParameter")
    assert control.refused("set_queue_attributes", queue_name="missing", delay_seconds=1) == (404, "QueueNotExist")
    assert xml.get_attributes(name)["DelaySeconds"] == 6


def test_dead_letters_may_be_named_by_the_resource_name_of_a_queue(control, name):
    control("create_queue", queue_name=f"{name}-dead")
    arn = f"acs:mns:cn-hangzhou:{live.OWNER.account_id}:/queues/{name}-dead"
    for target, outcome in ((arn, None), (arn.replace("queues", "topics"), 400), (arn.replace("123", "321"), 400)):
        policy = models.CreateQueueRequestDlqPolicy(enabled=True, dead_letter_target_queue=target)
        asked = {"queue_name": f"{name}-{outcome}", "dlq_policy": policy}
        if outcome:
            assert control.refused("create_queue", **asked)[0] == outcome
        else:
            control("create_queue", **asked)
            got = control("get_queue_attributes", queue_name=f"{name}-{outcome}")
            assert got["DlqPolicy"] == {
                "Enabled": True,
                "DeadLetterTargetQueue": f"{name}-dead",
                "MaxReceiveCount": 16,
            }


def test_a_queue_is_deleted_for_both(control, xml, name):
    xml.create_queue(name)
    assert [control("delete_queue", queue_name=name) for _ in range(2)] == [OK, OK]
    assert control.refused("get_queue_attributes", queue_name=name) == (404, "QueueNotExist")
    with pytest.raises(clients.RefusedError):
        xml.get_attributes(name)


def test_queues_are_listed_in_pages_whose_bounds_are_clamped(control, xml, name):
    for number in range(12):
        xml.create_queue(f"{name}-{number:02}")
    first = control("list_queue", queue_name=name, page_num=-5, page_size=1)
    assert [entry["QueueName"] for entry in first.pop("PageData")] == [f"{name}-{number:02}" for number in range(10)]
    assert first == {"PageNum": 1, "PageSize": 10, "Pages": 2, "Size": 10, "Total": 12}
    second = control("list_queue", queue_name=name, page_num=2, page_size=10)
    assert [entry["QueueName"] for entry in second["PageData"]] == [f"{name}-10", f"{name}-11"]
    everything = control("list_queue", queue_name=name, page_size=1000)
    assert (everything["PageSize"], everything["Size"], everything["Pages"]) == (50, 12, 1)
    beyond = control("list_queue", queue_name=name, page_num=2_000_000_000)
    assert (beyond["PageNum"], beyond["PageData"], beyond["Total"]) == (100_000_000, [], 12)


def test_queues_are_filtered_by_a_part_of_the_name_by_type_and_by_tags(control, name):
    labels = {"a": tags(team="x", stage="dev"), "b": tags(team="x", stage="prod"), "c": tags(team="y")}
    for suffix, label in labels.items():
        control(
            "create_queue",
            queue_name=f"{name}-{suffix}",
            queue_type="fifo" if suffix == "c" else None,
            tag=label(models.CreateQueueRequestTag),
        )

    def found(**wanted: Any) -> list[str]:
        if "tag" in wanted:
            wanted["tag"] = wanted["tag"](models.ListQueueRequestTag)
        page = control("list_queue", **{"queue_name": name} | wanted)
        return [entry["QueueName"][-1] for entry in page["PageData"]]

    assert found(queue_name=name[2:]) == ["a", "b", "c"]
    assert found(queue_name=f"{name[4:]}-b") == ["b"]
    assert (found(queue_type="fifo"), found(queue_type="normal")) == (["c"], ["a", "b"])
    assert (found(tag=tags(team="x")), found(tag=tags(team=""))) == (["a", "b"], ["a", "b", "c"])
    assert (found(tag=tags(team="x", stage="prod")), found(tag=tags(team="y", stage=""))) == (["b"], [])


# --- Topics -----------------------------------------------------------------------------------------------------------


def test_a_topic_has_all_that_it_was_created_with(control, xml, server, name):
    asked = {
        "topic_name": name,
        "topic_type": "fifo",
        "max_message_size": 2048,
        "enable_logging": True,
        "tag": tags(team="news")(models.CreateTopicRequestTag),
    }
    assert [control("create_topic", **asked), control("create_topic", **asked)] == [NEW, THERE]
    got = control("get_topic_attributes", topic_name=name)
    assert got.pop("CreateTime") == got.pop("LastModifyTime") > 1_700_000_000
    assert got == {
        "TopicName": name,
        "TopicType": "fifo",
        "MaxMessageSize": 2048,
        "MessageRetentionPeriod": 86_400,
        "MessageCount": 0,
        "LoggingEnabled": True,
        "TopicUrl": f"{server.endpoint}/topics/{name}",
        "TopicInnerUrl": f"{server.endpoint}/topics/{name}",
        "EnableSSE": False,
        "EncryptionEnabled": False,
        "SseType": "SMQ",
        "SseAlgorithm": "AES-256-GCM",
        "Tags": [{"TagKey": "team", "TagValue": "news"}],
    }
    seen = topics.of(xml).get_topic(name)
    assert (seen["MaximumMessageSize"], seen["LoggingEnabled"]) == ("2048", "True")
    assert control.refused("create_topic", **asked | {"topic_type": "normal"}) == (409, "TopicAlreadyExist")
    assert control.refused("create_topic", topic_name="a_b") == (400, "TopicNameInvalid")


def test_a_topic_is_changed_and_deleted_for_both(control, xml, topic):
    assert control("set_topic_attributes", topic_name=topic, max_message_size=1024, enable_logging=True) == OK
    assert topics.of(xml).get_topic(topic)["MaximumMessageSize"] == "1024"
    assert control.refused("set_topic_attributes", topic_name=topic, max_message_size=1) == (400, "InvalidParameter")
    assert control.refused("set_topic_attributes", topic_name="missing") == (404, "TopicNotExist")
    assert control("delete_topic", topic_name=topic) == OK
    assert control.refused("get_topic_attributes", topic_name=topic) == (404, "TopicNotExist")


def test_topics_are_listed_by_name_type_and_tags(control, name):
    for suffix, kind, label in (("a", None, tags(team="x")), ("b", "fifo", tags(team="y"))):
        control("create_topic", topic_name=f"{name}-{suffix}", topic_type=kind, tag=label(models.CreateTopicRequestTag))

    def found(**wanted: Any) -> list[str]:
        return [entry["TopicName"][-1] for entry in control("list_topic", topic_name=name, **wanted)["PageData"]]

    assert (found(), found(topic_type="fifo")) == (["a", "b"], ["b"])
    assert found(tag=tags(team="x")(models.ListTopicRequestTag)) == ["a"]
    page = control("list_topic", topic_name=name)
    assert (page["PageNum"], page["PageSize"], page["Total"]) == (1, 10, 2)


# --- Subscriptions ----------------------------------------------------------------------------------------------------


def test_a_subscription_to_a_queue_delivers_what_the_xml_api_publishes(control, xml, topic):
    control("create_queue", queue_name=topic)
    endpoint = f"acs:mns:cn-hangzhou:{live.OWNER.account_id}:queues/{topic}"
    asked = {
        "topic_name": topic,
        "subscription_name": "sub",
        "push_type": "queue",
        "endpoint": endpoint,
        "message_tag": "important",
        "notify_content_format": "SIMPLIFIED",
        "notify_strategy": "EXPONENTIAL_DECAY_RETRY",
        "dlq_policy": models.SubscribeRequestDlqPolicy(enabled=True, dead_letter_target_queue="dead"),
        "tenant_rate_limit_policy": models.SubscribeRequestTenantRateLimitPolicy(
            enabled=True, max_receives_per_second=50
        ),
        "sts_role_arn": f"acs:ram::{live.OWNER.account_id}:role/pusher",
    }
    assert [control("subscribe", **asked) for _ in range(2)] == ["sub", "sub"]
    got = control("get_subscription_attributes", topic_name=topic, subscription_name="sub")
    assert got.pop("CreateTime") == got.pop("LastModifyTime") > 1_700_000_000
    assert got == {
        "TopicOwner": live.OWNER.account_id,
        "TopicName": topic,
        "SubscriptionName": "sub",
        "Endpoint": endpoint,
        "FilterTag": "important",
        "NotifyStrategy": "EXPONENTIAL_DECAY_RETRY",
        "NotifyContentFormat": "SIMPLIFIED",
        "DlqPolicy": {"Enabled": True, "DeadLetterTargetQueue": "dead"},
        "TenantRateLimitPolicy": {"Enabled": True, "MaxReceivesPerSecond": 50},
    }
    assert topics.of(xml).get_subscription(topic, "sub")["FilterTag"] == "important"
    topics.of(xml).publish(topic, "dull", tag="dull")
    topics.of(xml).publish(topic, "news", tag="important")
    assert xml.receive(topic, wait=5).body == "news"
    assert control.refused("subscribe", **asked | {"message_tag": "other"}) == (409, "SubscriptionAlreadyExist")


def test_a_subscription_is_changed_and_ended(control, xml, topic):
    where = {"topic_name": topic, "subscription_name": "sub"}
    control("subscribe", **where, push_type="http", endpoint="http://example.test/")
    changed = control(
        "set_subscription_attributes",
        **where,
        notify_strategy="EXPONENTIAL_DECAY_RETRY",
        dlq_policy=models.SetSubscriptionAttributesRequestDlqPolicy(enabled=True, dead_letter_target_queue="dead"),
        tenant_rate_limit_policy=models.SetSubscriptionAttributesRequestTenantRateLimitPolicy(
            enabled=True, max_receives_per_second=3
        ),
    )
    got = control("get_subscription_attributes", **where)
    assert (changed, got["NotifyStrategy"]) == (OK, "EXPONENTIAL_DECAY_RETRY")
    assert got["DlqPolicy"] == {"Enabled": True, "DeadLetterTargetQueue": "dead"}
    assert got["TenantRateLimitPolicy"] == {"Enabled": True, "MaxReceivesPerSecond": 3}
    assert topics.of(xml).get_subscription(topic, "sub")["NotifyStrategy"] == "EXPONENTIAL_DECAY_RETRY"
    assert [control("unsubscribe", **where) for _ in range(2)] == [OK, OK]
    assert control.refused("get_subscription_attributes", **where) == (404, "SubscriptionNotExist")
    assert control.refused("set_subscription_attributes", **where) == (404, "SubscriptionNotExist")


def test_subscriptions_of_every_served_push_type_are_listed_by_name_type_and_address(control, topic):
    owner = live.OWNER.account_id
    endpoints = {
        "http": "http://example.test/",
        "queue": f"acs:mns:cn-hangzhou:{owner}:queues/any",
        "dm": f"smq-ep:dm:{owner}:__dynamic",
        "dysms": f"smq-ep:dysms:{owner}:13800000000",
        "mpush": "push:12345",
    }
    mail = models.SubscribeRequestDmAttributes(account_name="news@example.test", subject="News")
    phone = models.SubscribeRequestDysmsAttributes(sign_name="OpenMNS", template_code="SMS_1")
    for kind, address in endpoints.items():
        control(
            "subscribe",
            topic_name=topic,
            subscription_name=f"to-{kind}",
            push_type=kind,
            endpoint=address,
            dm_attributes=mail if kind == "dm" else None,
            dysms_attributes=phone if kind == "dysms" else None,
        )

    def found(**wanted: Any) -> list[str]:
        page = control("list_subscription_by_topic", topic_name=topic, **wanted)
        return [entry["SubscriptionName"].removeprefix("to-") for entry in page["PageData"]]

    assert found() == sorted(endpoints)
    assert (found(endpoint_type="http"), found(endpoint_value="example.test")) == (["http"], ["http"])
    assert (found(endpoint_type="dm"), found(subscription_name="dys")) == (["dm"], ["dysms"])
    page = control("list_subscription_by_topic", topic_name=topic, page_num=2)
    assert (page["PageData"], page["PageNum"], page["Total"], page["Pages"]) == ([], 2, 5, 1)


@pytest.mark.parametrize(
    ("push_type", "endpoint", "outcome"),
    [
        ("queue", "http://example.test/", (400, "EndpointInvalid")),
        ("http", "nowhere", (400, "EndpointInvalid")),
        ("fc", "acs:fc:cn-hangzhou:1:services/s/functions/f", (400, "EndpointInvalid")),
        ("pigeon", "http://example.test/", (400, "InvalidParameter")),
        (None, "http://example.test/", (400, "MissingPushType")),
        ("http", None, (400, "MissingEndpoint")),
    ],
)
def test_a_push_type_goes_with_its_endpoints(control, topic, push_type, endpoint, outcome):
    refused = control.refused(
        "subscribe", topic_name=topic, subscription_name="sub", push_type=push_type, endpoint=endpoint
    )
    assert refused == outcome


# --- The account ------------------------------------------------------------------------------------------------------


def test_the_log_settings_are_those_of_the_xml_api(connect, server):
    control = connect(live.OTHER)
    xml = clients.PythonClient(server.endpoint, live.OTHER)
    xml.set_logging_bucket("")
    control(
        "set_account_attributes",
        log_enabled=True,
        project_name="logs",
        log_store_name="store",
        message_trace_enabled=True,
        client_token=live.unique("token"),
    )
    assert control("get_account_attributes") == {
        "LogEnabled": True,
        "ProjectName": "logs",
        "LogStoreName": "store",
        "MessageTraceEnabled": True,
    }
    assert xml.get_logging_bucket() == "logs"
    control("set_account_attributes", log_enabled=False, message_trace_enabled=False)
    assert xml.get_logging_bucket() == ""
    xml.set_logging_bucket("elsewhere")
    got = control("get_account_attributes")
    assert (got["LogEnabled"], got["ProjectName"]) == (True, "elsewhere")
    xml.set_logging_bucket("")
    xml.close()


def test_the_same_client_token_makes_one_change_of_the_account(connect):
    control, token = connect(live.OTHER), live.unique("token")
    control("set_account_attributes", project_name="first", client_token=token)
    control("set_account_attributes", project_name="second")
    control("set_account_attributes", project_name="first", client_token=token)
    assert control("get_account_attributes")["ProjectName"] == "second"
    refused = control.refused("set_account_attributes", project_name="third", client_token=token)
    assert refused == (400, "IdempotentParameterMismatch")


@pytest.fixture
def guarded(connect) -> Iterator[Control]:
    """The other account, whose endpoint is open again in the end."""
    control = connect(live.OTHER)
    yield control
    control("enable_endpoint", endpoint_type="public")
    there = [entry["Cidr"] for entry in control("get_endpoint_attribute", endpoint_type="public")["CidrList"]]
    if there:
        control("revoke_endpoint_acl", endpoint_type="public", acl_strategy="allow", cidr_list=there)


def reach(server: live.Server, key: live.Key = live.OTHER) -> str | None:
    """What a data plane call ends with: None, or the error's code and message."""
    made = clients.PythonClient(server.endpoint, key)
    try:
        made.get_logging_bucket()
    except clients.RefusedError as error:
        return f"{error.code}: {error.message}"
    finally:
        made.close()
    return None


def test_a_disabled_endpoint_refuses_the_data_plane_and_can_be_enabled_again(guarded, server):
    assert guarded("disable_endpoint", endpoint_type="public") is None
    assert guarded("get_endpoint_attribute", endpoint_type="public") == {"EndpointEnabled": False, "CidrList": []}
    assert reach(server) == "AccessDenied: The public endpoint of the account is disabled in this region."
    assert reach(server, live.OWNER) is None
    guarded("enable_endpoint", endpoint_type="public")
    assert guarded("get_endpoint_attribute", endpoint_type="public")["EndpointEnabled"] is True
    assert reach(server) is None


def test_an_access_control_list_lets_in_its_addresses_only(guarded, server):
    asked = {"endpoint_type": "public", "acl_strategy": "allow"}
    guarded("authorize_endpoint_acl", **asked, cidr_list=["203.0.113.0/24", "2001:db8::/32"])
    assert reach(server) == (
        "AccessDenied: The address 127.0.0.1 is not in the access control list of the public endpoint."
    )
    guarded("authorize_endpoint_acl", **asked, cidr_list=["127.0.0.0/8"])
    assert reach(server) is None
    there = guarded("get_endpoint_attribute", endpoint_type="public")
    assert [(entry["Cidr"], entry["AclStrategy"]) for entry in there["CidrList"]] == [
        ("203.0.113.0/24", "allow"),
        ("2001:db8::/32", "allow"),
        ("127.0.0.0/8", "allow"),
    ]
    assert all(entry["CreateTime"] > 1_700_000_000_000 for entry in there["CidrList"])
    guarded("revoke_endpoint_acl", **asked, cidr_list=["127.0.0.0/8"])
    assert reach(server) is not None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cidr_list": ["300.0.0.0/8"]}, "InvalidParameter"),
        ({"cidr_list": ["10.0.0.1/8"]}, "InvalidParameter"),
        ({"acl_strategy": "deny"}, "InvalidParameter"),
        ({"endpoint_type": "vpc"}, "InvalidParameter"),
        ({"cidr_list": None}, "MissingCidrList"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_changes_nothing(guarded, server, change, code):
    asked = {"endpoint_type": "public", "acl_strategy": "allow", "cidr_list": ["203.0.113.0/24"]} | change
    for action in ("authorize_endpoint_acl", "revoke_endpoint_acl"):
        assert guarded.refused(action, **asked) == (400, code)
    assert reach(server) is None

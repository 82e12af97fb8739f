"""The topic operations of the official clients, behind one face as in `clients`.

The Node client has no functions for subscriptions; its users call its generic `get`, `put` and `delete`.
"""

import base64
from collections.abc import Mapping
from typing import Any
from xml.sax import saxutils

from tests.sdk import clients

Values = dict[str, str]


def of(client: clients.Client) -> "PythonTopics | NodeTopics":
    """The topic operations of a client."""
    return PythonTopics(client) if isinstance(client, clients.PythonClient) else NodeTopics(client)


class PythonTopics:
    """PyPI `aliyun-mns-sdk`."""

    def __init__(self, client: clients.PythonClient) -> None:
        self._account = client._account

    def create_topic(self, name: str, **attributes: Any) -> str:
        """The topic's URL."""
        return str(clients._python_call(self._account.get_topic(name).create, _python_meta(attributes)))

    def set_topic(self, name: str, **attributes: Any) -> None:
        clients._python_call(self._account.get_topic(name).set_attributes, _python_meta(attributes))

    def get_topic(self, name: str) -> Values:
        meta = clients._python_call(self._account.get_topic(name).get_attributes)
        fields = {
            "TopicName": meta.topic_name,
            "CreateTime": meta.create_time,
            "LastModifyTime": meta.last_modify_time,
            "MaximumMessageSize": meta.maximum_message_size,
            "MessageRetentionPeriod": meta.message_retention_period,
            "MessageCount": meta.message_count,
            "LoggingEnabled": meta.logging_enabled,
        }
        return {key: str(value) for key, value in fields.items()}

    def delete_topic(self, name: str) -> None:
        clients._python_call(self._account.get_topic(name).delete)

    def list_topics(self, prefix: str, limit: int, marker: str) -> tuple[list[str], str]:
        """URLs and the marker of the next page."""
        urls, marker = clients._python_call(self._account.list_topic, prefix, limit, marker)
        return urls, marker

    def subscribe(self, topic: str, name: str, endpoint: str, **more: str) -> str:
        """The subscription's URL."""
        from mns import subscription  # noqa: PLC0415  # see `clients`

        meta = subscription.SubscriptionMeta(
            endpoint, more.get("NotifyStrategy", ""), more.get("NotifyContentFormat", ""), more.get("FilterTag", "")
        )
        return str(clients._python_call(self._subscription(topic, name).subscribe, meta))

    def set_subscription(self, topic: str, name: str, strategy: str) -> None:
        from mns import subscription  # noqa: PLC0415

        meta = subscription.SubscriptionMeta(notify_strategy=strategy)
        clients._python_call(self._subscription(topic, name).set_attributes, meta)

    def get_subscription(self, topic: str, name: str) -> Values:
        meta = clients._python_call(self._subscription(topic, name).get_attributes)
        fields = {
            "TopicOwner": meta.topic_owner,
            "TopicName": meta.topic_name,
            "SubscriptionName": meta.subscription_name,
            "Endpoint": meta.endpoint,
            "FilterTag": meta.filter_tag,
            "NotifyStrategy": meta.notify_strategy,
            "NotifyContentFormat": meta.notify_content_format,
            "CreateTime": meta.create_time,
            "LastModifyTime": meta.last_modify_time,
        }
        return {key: str(value) for key, value in fields.items() if value}

    def unsubscribe(self, topic: str, name: str) -> None:
        clients._python_call(self._subscription(topic, name).unsubscribe)

    def list_subscriptions(self, topic: str, limit: int, marker: str) -> tuple[list[str], str]:
        """URLs and the marker of the next page."""
        urls, marker = clients._python_call(self._account.get_topic(topic).list_subscription, "", limit, marker)
        return urls, marker

    def publish(
        self,
        topic: str,
        body: str,
        tag: str = "",
        properties: clients.Properties | None = None,
        group_id: str | None = None,
    ) -> Values:
        from mns import message_property  # noqa: PLC0415
        from mns import topic as topics  # noqa: PLC0415

        message = topics.TopicMessage(body, tag, message_group_id=group_id or "")
        for key, (kind, value) in (properties or {}).items():
            given = base64.b64decode(value) if kind == "BINARY" else value
            message.add_user_property(key, message_property.MessagePropertyValue(kind, given))
        sent = clients._python_call(self._account.get_topic(topic).publish_message, message)
        return {"MessageId": sent.message_id, "MessageBodyMD5": sent.message_body_md5}

    def _subscription(self, topic: str, name: str) -> Any:
        return self._account.get_topic(topic).get_subscription(name)


def _python_meta(attributes: Mapping[str, Any]) -> Any:
    from mns import topic  # noqa: PLC0415

    return topic.TopicMeta(attributes.get("MaximumMessageSize", -1), attributes.get("LoggingEnabled"))


class NodeTopics:
    """npm `@alicloud/mns`."""

    def __init__(self, client: clients.NodeClient) -> None:
        self._call = client._call

    def create_topic(self, name: str, **attributes: Any) -> str:
        return str(self._call("createTopic", name, attributes)["headers"]["location"])

    def set_topic(self, name: str, **attributes: Any) -> None:
        self._call("setTopicAttributes", name, attributes)

    def get_topic(self, name: str) -> Values:
        return dict(self._call("getTopicAttributes", name)["body"])

    def delete_topic(self, name: str) -> None:
        self._call("delete", f"/topics/{name}", "Topic", "")

    def list_topics(self, prefix: str, limit: int, marker: str) -> tuple[list[str], str]:
        listed = self._call("listTopic", marker, limit, prefix).get("body", [])
        headers = {"x-mns-prefix": prefix, "x-mns-ret-number": limit, "x-mns-marker": marker}
        page = self._call("get", "/topics", "Topics", {"headers": headers})["body"]
        return [item["TopicURL"] for item in listed], page.get("NextMarker", "")

    def subscribe(self, topic: str, name: str, endpoint: str, **more: str) -> str:
        answer = self._put(f"/topics/{topic}/subscriptions/{name}", {"Endpoint": endpoint, **more})
        return str(answer["headers"]["location"])

    def set_subscription(self, topic: str, name: str, strategy: str) -> None:
        self._put(f"/topics/{topic}/subscriptions/{name}?metaoverride=true", {"NotifyStrategy": strategy})

    def get_subscription(self, topic: str, name: str) -> Values:
        return dict(self._call("get", f"/topics/{topic}/subscriptions/{name}", "Subscription")["body"])

    def unsubscribe(self, topic: str, name: str) -> None:
        self._call("delete", f"/topics/{topic}/subscriptions/{name}", "Subscription", "")

    def list_subscriptions(self, topic: str, limit: int, marker: str) -> tuple[list[str], str]:
        headers = {"x-mns-ret-number": limit, "x-mns-marker": marker}
        page = self._call("get", f"/topics/{topic}/subscriptions", "Subscriptions", {"headers": headers})["body"]
        return [item["SubscriptionURL"] for item in page.get("Subscription", [])], page.get("NextMarker", "")

    def publish(self, topic: str, body: str, tag: str = "", properties: clients.Properties | None = None) -> Values:
        message = {
            "MessageBody": saxutils.escape(body),
            "MessageTag": tag,
            "UserProperties": clients._node_properties("PropertyValue", properties or {}),
        }
        sent = self._call("publishMessage", topic, {key: value for key, value in message.items() if value})
        return dict(sent["body"])

    def _put(self, path: str, elements: Mapping[str, str]) -> Any:
        inside = "".join(f"<{key}>{saxutils.escape(value)}</{key}>" for key, value in elements.items())
        return self._call("put", path, "Subscription", f"<Subscription>{inside}</Subscription>", ["location"])


Topics = PythonTopics | NodeTopics

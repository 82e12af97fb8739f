"""The operations of API version 2015-06-06, as section 1 of the protocol document lists them."""

from chalicelib.api import accounts, messages, queues, subscriptions, topics
from chalicelib.api.operations import Operation
from chalicelib.wire import http


def _overrides(request: http.Request) -> bool:
    return request.flag("metaoverride")


def _creates(request: http.Request) -> bool:
    return not request.flag("metaoverride")


def _peeks(request: http.Request) -> bool:
    return request.flag("peekonly")


def _is_single(request: http.Request) -> bool:
    return "receipthandle" in request.parameters


def _asks_for_account(request: http.Request) -> bool:
    return request.flag("accountmeta")


_QUEUE = "/queues/{queue}"
_MESSAGES = "/queues/{queue}/messages"
_TOPIC = "/topics/{topic}"
_SUBSCRIPTIONS = "/topics/{topic}/subscriptions"
_SUBSCRIPTION = "/topics/{topic}/subscriptions/{subscription}"

TABLE = (
    Operation(name="ListQueue", method="GET", path="/queues", run=queues.list_queues),
    Operation(name="CreateQueue", method="PUT", path=_QUEUE, run=queues.create, when=_creates),
    Operation(name="SetQueueAttributes", method="PUT", path=_QUEUE, run=queues.set_attributes, when=_overrides),
    Operation(name="GetQueueAttributes", method="GET", path=_QUEUE, run=queues.get_attributes),
    Operation(name="DeleteQueue", method="DELETE", path=_QUEUE, run=queues.delete),
    Operation(name="SendMessage, BatchSendMessage", method="POST", path=_MESSAGES, run=messages.send),
    Operation(name="PeekMessage, BatchPeekMessage", method="GET", path=_MESSAGES, run=messages.peek, when=_peeks),
    Operation(name="ReceiveMessage, BatchReceiveMessage", method="GET", path=_MESSAGES, run=messages.receive),
    Operation(name="DeleteMessage", method="DELETE", path=_MESSAGES, run=messages.delete, when=_is_single),
    Operation(name="BatchDeleteMessage", method="DELETE", path=_MESSAGES, run=messages.delete_batch),
    Operation(name="ChangeMessageVisibility", method="PUT", path=_MESSAGES, run=messages.change_visibility),
    Operation(name="ListTopic", method="GET", path="/topics", run=topics.list_topics),
    Operation(name="CreateTopic", method="PUT", path=_TOPIC, run=topics.create, when=_creates),
    Operation(name="SetTopicAttributes", method="PUT", path=_TOPIC, run=topics.set_attributes, when=_overrides),
    Operation(name="GetTopicAttributes", method="GET", path=_TOPIC, run=topics.get_attributes),
    Operation(name="DeleteTopic", method="DELETE", path=_TOPIC, run=topics.delete),
    Operation(name="ListSubscriptionByTopic", method="GET", path=_SUBSCRIPTIONS, run=subscriptions.list_subscriptions),
    Operation(name="Subscribe", method="PUT", path=_SUBSCRIPTION, run=subscriptions.subscribe, when=_creates),
    Operation(
        name="SetSubscriptionAttributes",
        method="PUT",
        path=_SUBSCRIPTION,
        run=subscriptions.set_attributes,
        when=_overrides,
    ),
    Operation(name="GetSubscriptionAttributes", method="GET", path=_SUBSCRIPTION, run=subscriptions.get_attributes),
    Operation(name="Unsubscribe", method="DELETE", path=_SUBSCRIPTION, run=subscriptions.unsubscribe),
    Operation(name="PublishMessage", method="POST", path="/topics/{topic}/messages", run=topics.publish),
    Operation(name="GetAccountAttributes", method="GET", path="/", run=accounts.get_attributes, when=_asks_for_account),
    Operation(name="SetAccountAttributes", method="PUT", path="/", run=accounts.set_attributes, when=_asks_for_account),
    Operation(name="OpenService", method="POST", path="/commonbuy/openservice", run=accounts.open_service),
)

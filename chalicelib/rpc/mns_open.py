"""MNS-open, version 2022-01-19: the actions, as section 21 of the protocol document lists them."""

from chalicelib.rpc import accounts, acls, queues, shapes, subscriptions, topics
from chalicelib.rpc.calls import Action, Fields, Product

_QUEUE = "/queues/{QueueName}"
_TOPIC = "/topics/{TopicName}"
_SUBSCRIPTIONS = "/topics/{TopicName}/subscriptions"
_SUBSCRIPTION = "/topics/{TopicName}/subscriptions/{SubscriptionName}"


def _wrap(fields: Fields) -> Fields:
    """The envelope of every answer."""
    return {"Code": 200, "Status": "Success", "Message": shapes.SUCCESS, "Success": True, **fields}


PRODUCT = Product(
    code="mns-open",
    service="mns",
    version="2022-01-19",
    wrap=_wrap,
    actions=(
        Action(name="CreateQueue", run=queues.create, resource=_QUEUE),
        Action(name="SetQueueAttributes", run=queues.set_attributes, resource=_QUEUE),
        Action(name="GetQueueAttributes", run=queues.get_attributes, resource=_QUEUE),
        Action(name="DeleteQueue", run=queues.delete, resource=_QUEUE),
        Action(name="ListQueue", run=queues.list_queues, resource="/queues"),
        Action(name="CreateTopic", run=topics.create, resource=_TOPIC),
        Action(name="SetTopicAttributes", run=topics.set_attributes, resource=_TOPIC),
        Action(name="GetTopicAttributes", run=topics.get_attributes, resource=_TOPIC),
        Action(name="DeleteTopic", run=topics.delete, resource=_TOPIC),
        Action(name="ListTopic", run=topics.list_topics, resource="/topics"),
        Action(name="Subscribe", run=subscriptions.subscribe, resource=_SUBSCRIPTION),
        Action(name="SetSubscriptionAttributes", run=subscriptions.set_attributes, resource=_SUBSCRIPTION),
        Action(name="GetSubscriptionAttributes", run=subscriptions.get_attributes, resource=_SUBSCRIPTION),
        Action(name="Unsubscribe", run=subscriptions.unsubscribe, resource=_SUBSCRIPTION),
        Action(name="ListSubscriptionByTopic", run=subscriptions.list_subscriptions, resource=_SUBSCRIPTIONS),
        Action(name="GetAccountAttributes", run=accounts.get_attributes),
        Action(name="SetAccountAttributes", run=accounts.set_attributes),
        Action(name="EnableEndpoint", run=acls.enable),
        Action(name="DisableEndpoint", run=acls.disable),
        Action(name="GetEndpointAttribute", run=acls.get_attribute),
        Action(name="AuthorizeEndpointAcl", run=acls.authorize),
        Action(name="RevokeEndpointAcl", run=acls.revoke),
    ),
)

"""MNS-open, version 2022-01-19: the actions, as section 21 of the protocol document lists them."""

import contextlib
from collections.abc import Sequence

from chalicelib.model import errors, resource
from chalicelib.rpc import accounts, acls, event_rules, queues, shapes, subscriptions, topics
from chalicelib.rpc import errors as rpc_errors
from chalicelib.rpc.calls import Action, Call, Fields, Product
from chalicelib.wire import conditions

_CREATING = ("CreateQueue", "CreateTopic")
_SETTING = ("SetQueueAttributes", "SetTopicAttributes")
_QUEUE = "/queues/{QueueName}"
_TOPIC = "/topics/{TopicName}"
_SUBSCRIPTIONS = "/topics/{TopicName}/subscriptions"
_SUBSCRIPTION = "/topics/{TopicName}/subscriptions/{SubscriptionName}"
_RULES = "/products/{ProductName}/rules"


def _wrap(fields: Fields) -> Fields:
    """The envelope of every answer."""
    return {"Code": 200, "Status": "Success", "Message": shapes.SUCCESS, "Success": True, **fields}


def _values(action: Action, call: Call, key: str) -> Sequence[str]:
    """The condition keys of Message Service: section 15 of the protocol document, and tags.

    A parameter counts only where the action reads it: one that it passes over must not open a door.
    """
    given = call.parameters
    with contextlib.suppress(errors.MnsError, rpc_errors.RpcError):  # what is wrong with it, the action says
        if key == "mns:enablelogging" and action.name in _CREATING + _SETTING:
            value = given.text("EnableLogging")
            return () if value is None else (value.lower(),)
        if key == "mns:pushtype" and action.name == "Subscribe":
            return subscriptions.push_types(call)
        if key.startswith(conditions.REQUEST_TAG) and action.name in _CREATING:
            return conditions.tag(key, conditions.REQUEST_TAG, shapes.parse_tags(given))
        if key.startswith(conditions.RESOURCE_TAG):
            return conditions.tag(key, conditions.RESOURCE_TAG, _tags(action, call))
    return ()


def _tags(action: Action, call: Call) -> Sequence[resource.Tag]:
    """The tags of the queue or topic that a call is about, whatever else it names."""
    given, verbs = call.parameters, call.verbs
    if "{QueueName}" in action.resource:
        return verbs.queues.find(call.namespace, given.required("QueueName")).tags
    if "{TopicName}" in action.resource:
        return verbs.topics.find(call.namespace, given.required("TopicName")).tags
    return ()


PRODUCT = Product(
    values=_values,
    code="mns-open",
    service="mns",
    version="2022-01-19",
    remembers=True,
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
        Action(name="CreateEventRule", run=event_rules.create, resource=_RULES),
        Action(name="GetEventRule", run=event_rules.get, resource=_RULES),
        Action(name="DeleteEventRule", run=event_rules.delete, resource=_RULES),
        Action(name="ListEventRules", run=event_rules.list_rules, resource=_RULES),
    ),
)

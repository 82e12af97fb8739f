"""Operations as policies see them: section 15 of the protocol document."""

import contextlib
from collections.abc import Sequence

from chalicelib.api.operations import Call, Operation
from chalicelib.model import endpoint, errors, policy, resource
from chalicelib.wire import conditions, http, messages, queues, subscriptions, topics


def asked(operation: Operation, call: Call, now: int) -> policy.Asked:
    """What a call asks for, for policies to judge."""
    namespace = call.namespace
    relative = operation.path.format(**call.path)
    return policy.Asked(
        actions=_actions(operation, call.request),
        resource=f"acs:mns:{namespace.region}:{namespace.account_id}:{relative}",
        values=conditions.values(call.request, now, lambda key: _own(operation, call, key)),
    )


def _actions(operation: Operation, request: http.Request) -> tuple[str, ...]:
    """The names of the operation; of a batch the single form as well, for either may be allowed or denied."""
    single, _, batch = operation.name.partition(", ")
    if single == "BatchDeleteMessage":
        return ("mns:DeleteMessage", "mns:BatchDeleteMessage")
    return (f"mns:{single}", f"mns:{batch}") if batch and _is_batch(request) else (f"mns:{single}",)


def _is_batch(request: http.Request) -> bool:
    """Whether messages are sent, received or looked at by the batch."""
    if request.method != "POST":
        return "numofmessages" in request.parameters
    with contextlib.suppress(errors.MnsError):
        return isinstance(messages.parse_messages(request.body), list)
    return False  # the operation says what is wrong with it


def _own(operation: Operation, call: Call, key: str) -> Sequence[str]:
    """The condition keys of single operations; what the body does not say is not there."""
    with contextlib.suppress(errors.MnsError):
        match operation.name, key:
            case "CreateQueue" | "SetQueueAttributes", "mns:enablelogging":
                return _truth(queues.parse_queue(call.request.body).logging_enabled)
            case "CreateTopic" | "SetTopicAttributes", "mns:enablelogging":
                return _truth(topics.parse_topic(call.request.body).logging_enabled)
            case _ if key.startswith(conditions.RESOURCE_TAG):
                return conditions.tag(key, conditions.RESOURCE_TAG, _tags(call))
            case "Subscribe", "mns:pushtype":
                wanted = subscriptions.parse_subscription(call.request.body, call.namespace)
                return endpoint.PUSH_TYPES[wanted.target.kind]
    return ()


def _tags(call: Call) -> Sequence[resource.Tag]:
    """The tags of the queue or topic that a call is about; it is remembered anyway."""
    if name := call.path.get("queue"):
        return call.verbs.queues.find(call.namespace, name).tags
    if name := call.path.get("topic"):
        return call.verbs.topics.find(call.namespace, name).tags
    return ()


def _truth(value: bool | None) -> Sequence[str]:  # noqa: FBT001  # what is asked about
    return () if value is None else ("true" if value else "false",)

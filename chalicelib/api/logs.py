"""Operation logs: an event per message, of queues and topics with `LoggingEnabled` in accounts that keep logs.

The names of the fields are those of section 17 of the protocol document. Events go where the deployment's log goes,
with the account's project and store to sort them by; that a queue's operations are not to be logged costs a look into a
cache, unless the verb has told.
"""

from collections.abc import Iterable

from chalicelib import telemetry
from chalicelib.api.operations import Call
from chalicelib.broker import accounts
from chalicelib.model import account, delivery, message, publication, receipt

Fields = dict[str, str | int]


def messages(call: Call, action: str, entries: Iterable[Fields]) -> None:
    """Log what an operation did to messages of a queue; `entries` are looked at only if it is to be logged."""
    name = call.path["queue"]
    if call.verbs.queues.find(call.namespace, name).attributes.logging_enabled:
        _write(call, action, {"QueueName": name}, entries)


def published(call: Call, new: publication.Publication) -> None:
    """Log a PublishMessage."""
    if new.logged:
        _write(call, "PublishMessage", {"TopicName": new.topic_name}, [{"MessageId": new.message_id}])


def notified(
    attributes: accounts.Accounts, what: publication.Notification, outcome: delivery.Outcome, now: int
) -> None:
    """Log a push at a moment (ms), of a publication that is to be logged."""
    new = what.publication
    kept = attributes.known(new.namespace)
    if kept.log_enabled:
        fields: Fields = {
            "Action": "Notify",
            "Time": now,
            "AccountId": new.namespace.account_id,
            "TopicName": new.topic_name,
            "SubscriptionName": what.subscription.name,
            "MessageId": new.message_id,
            "NotifyStatus": outcome.status,
        }
        telemetry.logger.info("operation", extra=fields | _place(kept))


def sent(new: message.Message) -> Fields:
    """What is logged of a message that was sent."""
    return {"MessageId": new.message_id, "NextVisibleTime": new.visible_at}


def received(one: message.Received) -> Fields:
    """What is logged of a message that was received."""
    return {**sent(one.message), "ReceiptHandleInResponse": one.receipt_handle}


def handled(call: Call, handle: str) -> Fields:
    """What is logged of a message that a receipt handle stands for."""
    of = call.verbs.queues.find(call.namespace, call.path["queue"])
    return {"MessageId": receipt.decode(handle, of.queue_id).message_id, "ReceiptHandleInRequest": handle}


def postponed(call: Call, handle: str, what: message.Postponed) -> Fields:
    """What is logged of a message whose visibility was changed."""
    return {
        **handled(call, handle),
        "NextVisibleTime": what.next_visible_at,
        "ReceiptHandleInResponse": what.receipt_handle,
    }


def _write(call: Call, action: str, resource: Fields, entries: Iterable[Fields]) -> None:
    kept = call.verbs.accounts.known(call.namespace)
    if not kept.log_enabled:
        return
    now = call.verbs.messages.now()
    request = call.request
    common: Fields = {
        "Action": action,
        "Time": now,
        "AccountId": call.namespace.account_id,
        "RequestId": call.request_id,
        "RemoteAddress": request.address,
        "ProcessTime": now - (now if request.arrived_at is None else request.arrived_at),
        **_place(kept),
        **resource,
    }
    for entry in entries:
        telemetry.logger.info("operation", extra=common | entry)


def _place(kept: account.AccountAttributes) -> Fields:
    return {"Project": kept.log_project, "LogStore": kept.log_store}

"""Operations on messages."""

from functools import partial

from chalicelib.api import logs
from chalicelib.api.operations import Call, Step, Waiting
from chalicelib.broker import messages as verbs
from chalicelib.model import message
from chalicelib.wire import http
from chalicelib.wire import messages as wire


def send(call: Call) -> http.Response:
    """SendMessage or BatchSendMessage, as the root element says."""
    parsed = wire.parse_messages(call.request.body)
    if isinstance(parsed, message.Draft):
        sent = call.verbs.messages.send(call.namespace, call.path["queue"], parsed)
        if sent.logged:
            logs.messages(call, "SendMessage", map(logs.sent, [sent.message]))
        return wire.render_sent(sent)
    call.verbs.calls.charge(call.namespace, len(parsed))
    outcomes = call.verbs.messages.send_batch(call.namespace, call.path["queue"], parsed)
    stored = (logs.sent(each.message) for each in outcomes if isinstance(each, message.Sent))
    logs.messages(call, "BatchSendMessage", stored)
    return wire.render_batch(outcomes)


def receive(call: Call) -> Step:
    """ReceiveMessage or BatchReceiveMessage."""
    count, wait = wire.parse_receive(call.request)
    poll = call.verbs.messages.poll(
        call.namespace, call.path["queue"], limit=count or 1, wait_seconds=wait, since=call.request.arrived_at
    )
    return _look(call, poll, count)


def peek(call: Call) -> http.Response:
    """PeekMessage or BatchPeekMessage."""
    count = wire.parse_batch_size(call.request)
    peeked = call.verbs.messages.peek(call.namespace, call.path["queue"], limit=count or 1)
    action = "PeekMessage" if count is None else "BatchPeekMessage"
    logs.messages(call, action, ({"MessageId": each.message_id} for each in peeked))
    return wire.render_peeked(peeked, batch=count is not None)


def delete(call: Call) -> http.Response:
    """DeleteMessage."""
    handle = wire.parse_receipt_handle(call.request)
    is_logged = call.verbs.messages.delete(call.namespace, call.path["queue"], handle)
    if is_logged:
        logs.messages(call, "DeleteMessage", (logs.handled(call, each) for each in [handle]))
    return http.Response(status=204)


def delete_batch(call: Call) -> http.Response:
    """BatchDeleteMessage."""
    handles = wire.parse_receipt_handles(call.request.body)
    failures = call.verbs.messages.delete_batch(call.namespace, call.path["queue"], handles)
    deleted = (logs.handled(call, each) for each in handles if each not in {handle for handle, _ in failures})
    logs.messages(call, "BatchDeleteMessage", deleted)
    return wire.render_delete_failures(failures)


def change_visibility(call: Call) -> http.Response:
    """ChangeMessageVisibility."""
    handle = wire.parse_receipt_handle(call.request)
    seconds = wire.parse_visibility_timeout(call.request)
    postponed = call.verbs.messages.change_visibility(call.namespace, call.path["queue"], handle, seconds)
    logs.messages(call, "ChangeMessageVisibility", (logs.postponed(call, handle, each) for each in [postponed]))
    return wire.render_postponed(postponed)


def _look(call: Call, poll: verbs.Poll, count: int | None) -> Step:
    """Answer what there is, as a batch if a `count` was asked for; if there is nothing, wait."""
    received = poll.look()
    if received:
        call.verbs.calls.charge(call.namespace, len(received))
        if poll.logged:
            action = "ReceiveMessage" if count is None else "BatchReceiveMessage"
            logs.messages(call, action, map(logs.received, received))
        return wire.render_received(received, batch=count is not None)
    return Waiting(
        queue_id=poll.queue_id,
        deadline=poll.deadline,
        next_due=poll.next_due,
        held_until=poll.held_until,
        resume=partial(_look, call, poll, count),
    )

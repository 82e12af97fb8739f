"""Operations on messages."""

from collections.abc import Callable, Sequence
from functools import partial

from chalicelib.api.operations import Call, Step, Waiting
from chalicelib.broker import messages as verbs
from chalicelib.model import message
from chalicelib.wire import http
from chalicelib.wire import messages as wire


def send(call: Call) -> http.Response:
    """SendMessage or BatchSendMessage, as the root element says."""
    parsed = wire.parse_messages(call.request.body)
    if isinstance(parsed, message.Draft):
        return wire.render_sent(call.verbs.messages.send(call.namespace, call.path["queue"], parsed))
    call.verbs.calls.charge(call.namespace, len(parsed))
    return wire.render_batch(call.verbs.messages.send_batch(call.namespace, call.path["queue"], parsed))


def receive(call: Call) -> Step:
    """ReceiveMessage or BatchReceiveMessage."""
    count, wait = wire.parse_batch_size(call.request), wire.parse_wait(call.request)
    poll = call.verbs.messages.poll(
        call.namespace, call.path["queue"], limit=count or 1, wait_seconds=wait, since=call.request.arrived_at
    )
    return _look(call, poll, partial(wire.render_received, batch=count is not None))


def peek(call: Call) -> http.Response:
    """PeekMessage or BatchPeekMessage."""
    count = wire.parse_batch_size(call.request)
    peeked = call.verbs.messages.peek(call.namespace, call.path["queue"], limit=count or 1)
    return wire.render_peeked(peeked, batch=count is not None)


def delete(call: Call) -> http.Response:
    """DeleteMessage."""
    call.verbs.messages.delete(call.namespace, call.path["queue"], wire.parse_receipt_handle(call.request))
    return http.Response(status=204)


def delete_batch(call: Call) -> http.Response:
    """BatchDeleteMessage."""
    handles = wire.parse_receipt_handles(call.request.body)
    return wire.render_delete_failures(call.verbs.messages.delete_batch(call.namespace, call.path["queue"], handles))


def change_visibility(call: Call) -> http.Response:
    """ChangeMessageVisibility."""
    handle = wire.parse_receipt_handle(call.request)
    seconds = wire.parse_visibility_timeout(call.request)
    return wire.render_postponed(
        call.verbs.messages.change_visibility(call.namespace, call.path["queue"], handle, seconds)
    )


def _look(call: Call, poll: verbs.Poll, render: Callable[[Sequence[message.Received]], http.Response]) -> Step:
    received = poll.look()
    if received:
        call.verbs.calls.charge(call.namespace, len(received))
        return render(received)
    return Waiting(
        queue_id=poll.queue_id,
        deadline=poll.deadline,
        next_due=poll.next_due,
        held_until=poll.held_until,
        resume=partial(_look, call, poll, render),
    )

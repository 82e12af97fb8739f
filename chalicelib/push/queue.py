"""Push into queues of the same account: a write that finds itself again when it is made twice."""

from collections.abc import Callable

from chalicelib.broker import ports
from chalicelib.model import account, delivery, endpoint, errors, message, publication, queue

_OK = delivery.Outcome(status=delivery.Status.OK)


class QueueChannel:
    """The port `Channel` to queues."""

    def __init__(
        self,
        *,
        find: Callable[[account.Namespace, str], queue.Queue],
        messages: ports.Messages,
        render: Callable[[publication.Notification], str],
        clock: ports.Clock,
    ) -> None:
        """Set up.

        Args:
            find: finds a queue by its name; raises errors.QueueNotExist.
            messages: where the messages go.
            render: makes the body of a notification.
            clock: time.
        """
        self._find = find
        self._messages = messages
        self._render = render
        self._clock = clock

    def push(self, notification: publication.Notification) -> delivery.Outcome:
        """Send the notification to the queue, by the queue's rules."""
        to, draft = notification.subscription.attributes.target, notification.publication.draft
        assert isinstance(to, endpoint.Queue)  # noqa: S101  # the table of channels is by kind
        try:
            into = self._find(notification.subscription.namespace, to.name)  # the only one a queue may be in
            _check(notification.publication, into)
        except errors.QueueNotExist as error:
            return delivery.Outcome(status=delivery.Status.INVALID_HOST, detail=error.message)
        except errors.InvalidArgument as error:
            return delivery.Outcome(status=str(error.status), detail=error.message)
        message_id, stamp = notification.derived()
        wrapped = message.Draft(
            body=self._render(notification),
            group_id=draft.group_id,
            user_properties=draft.user_properties,
            system_properties=draft.system_properties,
        )
        self._messages.put_once(
            into,
            message.place(
                wrapped,
                into,
                message_id=message_id,
                shard=notification.pick(into.shards),
                stamp=stamp,
                now=self._clock.now(),
            ),
        )
        return _OK


def _check(what: publication.Publication, into: queue.Queue) -> None:
    """Raise errors.InvalidArgument if the queue does not take the message."""
    # What is wrapped may be larger than a queue takes: the size counts as it was published.
    message.check_size(what.draft.message, into.attributes.maximum_message_size)
    if into.is_fifo and not what.ordered:
        raise errors.InvalidArgument(f"The queue {into.name} is a FIFO queue, but the topic {what.topic_name} is none.")

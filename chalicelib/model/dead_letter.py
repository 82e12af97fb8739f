"""Dead letters: messages that could not be consumed, on their way to the queue that keeps them.

A dead letter is a new message with all that the old one came with, and three system properties that say where it comes
from. Its retention goes on as it was: the time in both queues counts together (D "Dead-letter queue").
"""

from collections.abc import Sequence

from chalicelib.model import account, endpoint, group, message, queue
from chalicelib.model.frozen import frozen


@frozen
class Route:
    """Where the messages of a queue go that have been received as often as they may be."""

    namespace: account.Namespace  # of both queues
    source: queue.Queue
    target: queue.Queue  # of the same type
    max_receive_count: int

    def takes(self, dequeue_count: int) -> bool:
        """Whether a message goes there that has been received so often: one more receive would exceed the count."""
        return dequeue_count >= self.max_receive_count

    def letter(self, dead: message.Message, *, message_id: str, stamp: str) -> message.Message:
        """What a message becomes there; it is Active at once, and nobody has received it."""
        to, arn = self.target, endpoint.queue_arn(self.namespace, self.source.name)
        return message.Message(
            message_id=message_id,
            shard=group.home(dead.group_id, to.shards)
            if to.is_fifo and dead.group_id is not None
            else dead.shard % to.shards,
            body=dead.body,
            priority=dead.priority,
            enqueued_at=dead.enqueued_at,
            expires_at=dead.expires_at,
            visible_at=dead.enqueued_at,
            stamp=stamp,
            group_id=dead.group_id,
            user_properties=dead.user_properties,
            system_properties=properties(dead.system_properties, kind="Queue", arn=arn, message_id=dead.message_id),
        )


def properties(
    given: Sequence[message.Property], *, kind: str, arn: str, message_id: str
) -> tuple[message.Property, ...]:
    """The system properties of a dead letter: those it came with, and where it comes from (11.5; values are R)."""
    added = {"DLQMessageType": kind, "DLQSourceArn": arn, "DLQOriginMessageId": message_id}
    return tuple(item for item in given if item.name not in added) + tuple(
        message.Property(name=name, value=value, type=message.PropertyType.STRING) for name, value in added.items()
    )

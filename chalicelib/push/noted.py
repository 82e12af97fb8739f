"""A channel whose outcomes are told, of publications that are to be logged."""

from collections.abc import Callable

from chalicelib.broker import ports
from chalicelib.model import delivery, publication

Note = Callable[[publication.Notification, delivery.Outcome], None]


class NotedChannel:
    """The port `Channel` in front of another one."""

    def __init__(self, channel: ports.Channel, note: Note) -> None:
        """Set up; `note` is told what became of each push."""
        self._channel = channel
        self._note = note

    def push(self, notification: publication.Notification) -> delivery.Outcome:
        """Push through the channel behind; what it raises is for the caller to see."""
        outcome = self._channel.push(notification)
        if notification.publication.logged:
            self._note(notification, outcome)
        return outcome

"""An MNS service as the official Python SDK reaches it: lists, attributes, messages.

The SDK is imported when it is first needed, for only migrations need it.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from infra.migration import dump

T = TypeVar("T")

BATCH = 16
BATCH_BYTES = 65_536
_PAGE = 1_000
_QUEUE = (
    "visibility_timeout",
    "maximum_message_size",
    "message_retention_period",
    "delay_seconds",
    "polling_wait_seconds",
    "logging_enabled",
)
_TOPIC = ("maximum_message_size", "logging_enabled")
_SUBSCRIPTION = ("endpoint", "filter_tag", "notify_strategy", "notify_content_format")
_MISSING = frozenset({"QueueNotExist", "TopicNotExist", "SubscriptionNotExist"})


class ServiceError(Exception):
    """The service cannot be asked, or has refused; the message says what."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code  # MNS's, if the service answered


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who calls."""

    access_key_id: str
    access_key_secret: str
    security_token: str = ""


class Service:
    """One account in one region.

    Args:
        endpoint: http:// or https:// and a host, as the SDK takes it.
        credentials: who calls.
        page: names that a list answers at once.

    Raises:
        ServiceError: the SDK is not there, or the endpoint is none.
    """

    def __init__(self, endpoint: str, credentials: Credentials, page: int = _PAGE) -> None:
        self.endpoint = endpoint
        self._page = page
        try:
            from mns import account, mns_exception, queue, subscription, topic  # noqa: PLC0415  # see above
        except ImportError as error:
            raise ServiceError(
                "the official SDK is needed to move anything: pip install aliyun-mns-sdk==1.3.0"
            ) from error
        self._failures = (mns_exception.MNSExceptionBase, OSError)
        self._queue, self._topic, self._subscription = queue, topic, subscription
        self._account: Any = self._ask(
            lambda: account.Account(
                endpoint, credentials.access_key_id, credentials.access_key_secret, credentials.security_token
            )
        )

    def close(self) -> None:
        """End the connection."""
        self._account.get_client().close_connection()

    def queues(self) -> Iterator[dump.Queue]:
        """Every queue."""
        for name in self._names(self._account.list_queue):
            found = self.queue(name)
            if found is not None:  # else it was deleted meanwhile
                yield found

    def topics(self) -> Iterator[dump.Topic]:
        """Every topic with its subscriptions."""
        for name in self._names(self._account.list_topic):
            found = self.topic(name)
            if found is not None:
                names = list(self._names(self._account.get_topic(name).list_subscription))
                subscriptions = (self.subscription(name, each) for each in names)
                yield dump.Topic(
                    name=name,
                    attributes=found.attributes,
                    subscriptions=tuple(item for item in subscriptions if item is not None),
                )

    def queue(self, name: str) -> dump.Queue | None:
        """A queue; None: there is none of this name."""
        meta = self._find(self._account.get_queue(name).get_attributes)
        return None if meta is None else dump.Queue(name=name, attributes=_attributes(meta, _QUEUE))

    def topic(self, name: str) -> dump.Topic | None:
        """A topic without its subscriptions; None: there is none."""
        meta = self._find(self._account.get_topic(name).get_attributes)
        return None if meta is None else dump.Topic(name=name, attributes=_attributes(meta, _TOPIC))

    def subscription(self, topic: str, name: str) -> dump.Subscription | None:
        """A subscription; None: there is none."""
        meta = self._find(self._account.get_subscription(topic, name).get_attributes)
        return None if meta is None else dump.Subscription(name=name, attributes=_attributes(meta, _SUBSCRIPTION))

    def put_queue(self, wanted: dump.Queue, *, new: bool) -> None:
        """Create a queue, or give it these attributes."""
        meta = _meta(self._queue.QueueMeta(), wanted.attributes)
        of = self._account.get_queue(wanted.name)
        self._ask(lambda: (of.create if new else of.set_attributes)(meta))

    def put_topic(self, wanted: dump.Topic, *, new: bool) -> None:
        """Create a topic, or give it these attributes."""
        meta = _meta(self._topic.TopicMeta(), wanted.attributes)
        of = self._account.get_topic(wanted.name)
        self._ask(lambda: (of.create if new else of.set_attributes)(meta))

    def put_subscription(self, topic: str, wanted: dump.Subscription, *, new: bool) -> None:
        """Subscribe, or give a subscription this strategy, which is all that can be changed."""
        meta = _meta(self._subscription.SubscriptionMeta(), wanted.attributes)
        of = self._account.get_subscription(topic, wanted.name)
        self._ask(lambda: (of.subscribe if new else of.set_attributes)(meta))

    def receive(self, queue: str, limit: int) -> Sequence[Any]:
        """Up to `limit` messages, their bodies as they are on the wire; none if there are none."""
        try:
            found: Sequence[Any] = self._ask(lambda: self._raw(queue).batch_receive_message(limit, 0))
        except ServiceError as error:
            if error.code == "MessageNotExist":
                return ()
            raise
        return found

    def send(self, queue: str, messages: Sequence[Any]) -> tuple[str | None, ...]:
        """Send received messages on, to be received at once; for each, what is wrong with it, or None."""
        copies = [self._copy(message) for message in messages]
        try:
            self._ask(lambda: self._raw(queue).batch_send_message(copies))
        except ServiceError as error:
            answers = getattr(error.__cause__, "sub_errors", None) or ()
            if len(answers) != len(messages):
                return (str(error),) * len(messages)
            return tuple(
                None if "MessageId" in answer else f"{answer['ErrorCode']}: {answer['ErrorMessage']}"
                for answer in answers
            )
        return (None,) * len(messages)

    def delete(self, queue: str, handles: Sequence[str]) -> None:
        """Delete received messages; what is no longer ours to delete comes again, and that is no failure."""
        try:
            self._ask(lambda: self._raw(queue).batch_delete_message(list(handles)))
        except ServiceError as error:
            if error.code not in ("MessageNotExist", "ReceiptHandleError"):
                raise

    def _raw(self, name: str) -> Any:
        of = self._account.get_queue(name)
        of.set_encoding(False)  # bodies go over as they are, whatever their producer made of them
        return of

    def _copy(self, message: Any) -> Any:
        copy = self._queue.Message(message.message_body, delay_seconds=0, priority=message.priority)
        if message.message_group_id:
            copy.set_message_group_id(message.message_group_id)
        copy.set_user_properties(message.get_user_properties())
        for name, value in (message.get_system_properties() or {}).items():
            copy.add_system_property(name, value)
        return copy

    def _names(self, list_page: Callable[..., tuple[Sequence[str], str]]) -> Iterator[str]:
        marker = ""
        while True:
            urls, marker = self._ask(lambda marker=marker: list_page("", self._page, marker))  # type: ignore[misc]
            yield from (url.rpartition("/")[2] for url in urls)
            if not marker:
                return

    def _find(self, ask: Callable[[], T]) -> T | None:
        try:
            return self._ask(ask)
        except ServiceError as error:
            if error.code in _MISSING:
                return None
            raise

    def _ask(self, ask: Callable[[], T]) -> T:
        """The one gate for the SDK's errors."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", DeprecationWarning
                )  # the SDK complains of attributes that it sets itself
                return ask()
        except self._failures as error:
            code, text = getattr(error, "type", ""), getattr(error, "message", error)
            raise ServiceError(f"{self.endpoint}: {f'{code}: ' if code else ''}{text}", code=str(code)) from error


def _attributes(meta: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(getattr(meta, name)) for name in names}


def _plain(value: Any) -> Any:
    """LoggingEnabled comes as text, as a truth value, or not at all."""
    if value is None or (isinstance(value, str) and value.lower() in ("true", "false")):
        return str(value).lower() == "true"
    return value


def _meta(made: Any, attributes: Any) -> Any:
    for name, value in attributes.items():
        setattr(made, name, value)
    return made

"""Subscriptions: which of a topic's messages go to which endpoint, in what form, and what happens when they cannot."""

import dataclasses
import re
from enum import Enum

from chalicelib.model import account, errors, limits, queue, resource, retry
from chalicelib.model import endpoint as endpoints
from chalicelib.model.frozen import frozen

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_ROLE = re.compile(r"acs:ram::[0-9]{1,32}:role/[A-Za-z0-9._-]+")


class Format(Enum):
    """What of a message an endpoint is given, as on the wire (D "NotifyContentFormat")."""

    XML = "XML"  # a document with the message and what is known of it
    JSON = "JSON"  # the same in JSON
    SIMPLIFIED = "SIMPLIFIED"  # the message's body alone
    STREAM = "STREAM"  # the same; undocumented, known to the Java SDK


def is_name(name: str) -> bool:
    """Whether a subscription may be called so."""
    return len(name) <= limits.SUBSCRIPTION_NAME_LENGTH and _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Return `name`; raise SubscriptionNameLengthError or SubscriptionNameInvalid if none may be called so."""
    if not 1 <= len(name) <= limits.SUBSCRIPTION_NAME_LENGTH:
        raise errors.SubscriptionNameLengthError(
            "The length of the subscription name should between 1 and"
            f" {limits.SUBSCRIPTION_NAME_LENGTH}, but it is {len(name)}."
        )
    if not _NAME.fullmatch(name):
        raise errors.SubscriptionNameInvalid
    return name


@frozen
class Mailing:
    """How messages are mailed that do not say it themselves."""

    sender: str  # the address they come from
    subject: str

    def __post_init__(self) -> None:
        endpoints.check_address(self.sender)
        _check_line(self.subject, "Subject")


@frozen
class Texting:
    """How messages are sent to phones that do not say it themselves."""

    sign_name: str
    template_code: str

    def __post_init__(self) -> None:
        _check_line(self.sign_name, "SignName")
        _check_line(self.template_code, "TemplateCode")


@frozen
class SubscriptionChange:
    """The attributes that a SetSubscriptionAttributes names; None: not named."""

    filter_tag: str | None = None  # empty: every message
    strategy: retry.Strategy | None = None
    dead_letter_queue: str | None = None  # empty: none
    rate_limit: resource.RateLimit | None = None
    role_arn: str | None = None

    def named(self) -> dict[str, object]:
        """The attributes named, by field."""
        return {name: value for name, value in vars(self).items() if value is not None}


@frozen
class SubscriptionAttributes:
    """What a subscription is made with; raises for what cannot be."""

    endpoint: str  # the address as given, see `endpoint`
    filter_tag: str = ""  # only messages with just this tag; empty: every message
    strategy: retry.Strategy = retry.Strategy.BACKOFF_RETRY
    content_format: Format = Format.XML
    dead_letter_queue: str = ""  # a queue of the same account and region, for what could not be delivered; empty: none
    rate_limit: resource.RateLimit = resource.NO_RATE_LIMIT
    role_arn: str = ""  # of the role that pushes should take on; kept and shown
    mailing: Mailing | None = None  # of a mailbox
    texting: Texting | None = None  # of a phone

    def __post_init__(self) -> None:
        target = endpoints.parse(self.endpoint)
        if self.role_arn and not (len(self.role_arn) <= limits.ROLE_ARN_LENGTH and _ROLE.fullmatch(self.role_arn)):
            raise errors.InvalidArgument("The value of StsRoleArn should read acs:ram::{account}:role/{name}.")
        check_tag(self.filter_tag, "FilterTag")
        if self.dead_letter_queue and not queue.is_name(self.dead_letter_queue):
            raise errors.InvalidArgument("The value of DeadLetterTargetQueue is not the name of a queue.")
        if isinstance(target, endpoints.Queue) and target.name == self.dead_letter_queue:
            raise errors.InvalidArgument("The DeadLetterTargetQueue should be another queue than the endpoint.")

    @property
    def target(self) -> endpoints.Endpoint:
        """The endpoint behind the address."""
        return endpoints.parse(self.endpoint)

    def evolve(self, change: SubscriptionChange) -> "SubscriptionAttributes":
        """These attributes with those that `change` names."""
        return dataclasses.replace(self, **change.named())  # type: ignore[arg-type]  # the fields have the same types

    def answers(self, asked: "SubscriptionAttributes") -> bool:
        """Whether a Subscribe that asks for `asked` is content with these: what it leaves off may be anything."""
        return self == dataclasses.replace(
            asked,
            dead_letter_queue=asked.dead_letter_queue or self.dead_letter_queue,
            rate_limit=asked.rate_limit if asked.rate_limit.enabled else self.rate_limit,
            role_arn=asked.role_arn or self.role_arn,
            mailing=asked.mailing or self.mailing,
            texting=asked.texting or self.texting,
        )


@frozen
class Subscription:
    """A subscription as stored. Its id is made at creation, and deliveries hang on it."""

    name: str
    subscription_id: str
    namespace: account.Namespace
    topic_name: str
    topic_id: str
    attributes: SubscriptionAttributes
    created_at: int  # ms
    modified_at: int  # ms, of the attributes

    def evolve(self, **changes: object) -> "Subscription":
        """This subscription with some fields replaced."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # named by field

    def takes(self, tag: str) -> bool:
        """Whether it wants messages with this tag (empty: without any)."""
        return self.attributes.filter_tag in ("", tag)

    @property
    def arn(self) -> str:
        """Its resource name."""
        where = self.namespace
        return f"acs:mns:{where.region}:{where.account_id}:/topics/{self.topic_name}/subscriptions/{self.name}"


@frozen
class Filter:
    """Which subscriptions of a topic are wanted."""

    name: str = ""  # a part of their names
    kind: endpoints.Kind | None = None  # of their endpoints; None: any
    endpoint: str = ""  # a part of its address

    def takes(self, one: Subscription) -> bool:
        """Whether a subscription is wanted."""
        return (
            self.name in one.name
            and self.kind in (None, one.attributes.target.kind)
            and self.endpoint in one.attributes.endpoint
        )


def _check_line(text: str, element: str) -> None:
    if not (1 <= len(text) <= limits.SUBSCRIPTION_LINE_LENGTH and text.isprintable()):
        raise errors.InvalidArgument(
            f"The value of {element} should have 1 to {limits.SUBSCRIPTION_LINE_LENGTH} printable characters."
        )


def check_tag(tag: str, element: str) -> str:
    """Return `tag`; raise InvalidArgument if it is longer than a tag may be, or no single line."""
    if len(tag) > limits.TAG_LENGTH:
        raise errors.InvalidArgument(f"The length of {element} should between 0 and {limits.TAG_LENGTH}.")
    if not tag.isprintable():
        raise errors.InvalidArgument(f"The value of {element} should have printable characters only.")
    return tag


@frozen
class Page:
    """One page of a list of subscriptions, ascending by name."""

    subscriptions: tuple[Subscription, ...]
    marker: str | None  # the last name of this page when more follow

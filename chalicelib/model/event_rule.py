"""Event rules: which events go to which queue or topic (OA CreateEventRule; D "Configure event notification rules")."""

import dataclasses
import re
from enum import Enum

from chalicelib.model import account, errors, limits, object_event, queue, topic
from chalicelib.model.frozen import frozen

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_RESOURCE = "acs:"  # what begins so is a resource name, all else begins with a bucket's


class Receiver(Enum):
    """What an event is sent to."""

    QUEUE = "queue"
    TOPIC = "topic"


@frozen
class Endpoint:
    """A queue or a topic of the rule's account and region."""

    kind: Receiver
    name: str

    def __post_init__(self) -> None:
        is_name = queue.is_name if self.kind is Receiver.QUEUE else topic.is_name
        if not is_name(self.name):
            raise errors.InvalidArgument(f"The EndpointValue should be the name of a {self.kind.value}.")


@frozen
class Match:
    """A condition on the name of an object, which is `bucket/key` or `acs:oss:region:account:bucket/key`.

    Either the full name, where a bucket alone means all its objects, or the beginning, the end, or both.
    """

    name: str = ""
    prefix: str = ""
    suffix: str = ""
    state: bool = True  # False: it holds for all that do not match

    def __post_init__(self) -> None:
        if self.name and (self.prefix or self.suffix):
            raise errors.InvalidArgument("A match rule with a Name should have no Prefix and no Suffix.")
        if not (self.name or self.prefix or self.suffix):
            raise errors.InvalidArgument("A match rule should have a Name, a Prefix or a Suffix.")
        for member in (self.name, self.prefix, self.suffix):
            if len(member) > limits.MATCH_LENGTH:
                raise errors.InvalidArgument(
                    f"The names, prefixes and suffixes of match rules should have {limits.MATCH_LENGTH} characters at"
                    f" most, not {len(member)}."
                )

    def holds(self, bucket: str, arn: str, key: str) -> bool:
        """Whether it holds for an object."""

        def full(member: str) -> str:
            return f"{arn if member.startswith(_RESOURCE) else bucket}/{key}"

        if self.name:
            matches = full(self.name) == self.name or self.name in (bucket, arn)
        else:
            matches = full(self.prefix).startswith(self.prefix) and full(self.suffix).endswith(self.suffix)
        return matches is self.state

    def names(self, resource: str) -> bool:
        """Whether it speaks of a resource, such as a bucket."""
        return any(member == resource or member.startswith(resource + "/") for member in self._resources())

    def _resources(self) -> tuple[str, ...]:
        members = (self.name, self.prefix)
        return tuple(member.rpartition(":")[2] if member.startswith(_RESOURCE) else member for member in members)


@frozen
class EventRule:
    """A rule; raises InvalidArgument for what cannot be."""

    name: str
    product: str
    event_types: tuple[str, ...]  # names of events, or kinds such as `ObjectCreated:*`
    match_rules: tuple[tuple[Match, ...], ...]  # one of the lists has to hold, with all its conditions
    endpoint: Endpoint
    created_at: int  # ms

    def __post_init__(self) -> None:
        if len(self.name) > limits.EVENT_RULE_NAME_LENGTH or not _NAME.fullmatch(self.name):
            raise errors.InvalidArgument(
                f"The RuleName should have 1 to {limits.EVENT_RULE_NAME_LENGTH} letters, digits and hyphens and begin"
                " with a letter."
            )
        if self.product != object_event.PRODUCT:
            raise errors.InvalidArgument(f"The ProductName should be {object_event.PRODUCT}, not {self.product!r}.")
        if not self.event_types:
            raise errors.InvalidArgument("The EventTypes should name an event at least.")
        for name in self.event_types:
            if name not in object_event.NAMES | object_event.KINDS:
                known = ", ".join(sorted(object_event.NAMES | object_event.KINDS))
                raise errors.InvalidArgument(f"The event type {name!r} is not known; the types are: {known}.")
        if not 1 <= len(self.match_rules) <= limits.MATCH_RULES:
            raise errors.InvalidArgument(f"The number of MatchRules should between 1 and {limits.MATCH_RULES}.")
        if not all(1 <= len(conditions) <= limits.MATCH_RULES for conditions in self.match_rules):
            raise errors.InvalidArgument(f"Each list of MatchRules should have 1 to {limits.MATCH_RULES} conditions.")

    def takes(self, event: object_event.ObjectEvent, owner: account.Namespace) -> bool:
        """Whether it sends an event of a bucket of `owner` on."""
        kind = event.name.partition(":")[0] + ":*"
        if event.name not in self.event_types and kind not in self.event_types:
            return False
        arn = event.arn(owner)
        return any(
            all(condition.holds(event.bucket, arn, event.key) for condition in conditions)
            for conditions in self.match_rules
        )

    def is_like(self, other: "EventRule") -> bool:
        """Whether it is the same but for when it was made."""
        return dataclasses.replace(self, created_at=other.created_at) == other

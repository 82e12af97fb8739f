"""Endpoints: where a subscription's messages go, and the grammar of their addresses.

Source: D "Endpoint", "Subscription types".

    http://host[:port][/path]  https://...              a web server
    acs:mns:{region}:{account}:queues/{queue}           a queue of the topic's own account and region; `localhost`
                                                        stands for the region, too
    mail:directmail:{address}                           a mailbox
    smq-ep:dm:{account}:__dynamic                       the mailbox that the message names
    sms:directsms:{number}  sms:directsms:anonymous     a phone, or those that the message names
    smq-ep:dysms:{account}:{number}                     a phone, unless the message names another
    push:{appkey}                                       the devices of a mobile app

Adding a kind: its value and its rule here, a channel in `push`.
"""

import re
from enum import Enum
from typing import TypeAlias

from chalicelib.model import account, errors, limits, queue
from chalicelib.model.frozen import frozen

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!\"$->@-\[\]-~]*)?(?P<query>\?[!\"$-\[\]-~]*)?",
    re.IGNORECASE,
)
_QUEUE = re.compile(r"acs:mns:(?P<region>[a-z0-9-]+):(?P<account>[0-9]+):queues/(?P<name>[^/]+)")
_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\\\"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_APP_KEY = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PORTS = {"http": 80, "https": 443}
_HIGHEST_PORT = 65_535
NO_REGION = "localhost"  # in {account}.mns.localhost, a handy name on one's own machine; Java makes addresses of it
_RESERVED = "/mns-reserved-"


class Kind(Enum):
    """The kinds of endpoint, each with a channel of its own."""

    HTTP = "http"
    QUEUE = "queue"
    MAIL = "mail"
    SMS = "sms"
    MOBILE = "mobile"


@frozen
class Http:
    """A web server."""

    scheme: str  # http or https
    host: str  # a name or an address, without the brackets of IPv6
    port: int
    target: str  # path and query, as they are requested
    authority: str  # host and port as the Host header has them

    kind = Kind.HTTP

    @property
    def lane(self) -> str:
        """What it shares its limits with: everything on this server."""
        return f"{self.scheme}://{self.host}:{self.port}"


@frozen
class Queue:
    """A queue."""

    namespace: account.Namespace  # as the address has it; see `is_in`
    name: str

    kind = Kind.QUEUE

    @property
    def lane(self) -> str:
        """What it shares its limits with."""
        return f"queue:{self.namespace.account_id}:{self.namespace.region}:{self.name}"

    def is_in(self, namespace: account.Namespace) -> bool:
        """Whether it is a queue of this account and region, or of the account and no region in particular."""
        own = self.namespace
        return own.account_id == namespace.account_id and own.region in (namespace.region, NO_REGION)


@frozen
class Mail:
    """A mailbox."""

    address: str | None  # None: the message names it

    kind = Kind.MAIL
    lane = "mail"


@frozen
class Sms:
    """A phone."""

    number: str | None  # None: the message names one or more

    kind = Kind.SMS
    lane = "sms"


@frozen
class Mobile:
    """The devices of a mobile app."""

    app_key: str

    kind = Kind.MOBILE
    lane = "mobile"


Endpoint: TypeAlias = Http | Queue | Mail | Sms | Mobile
PUSH_TYPES: dict[Kind, tuple[str, ...]] = {  # all that the APIs and policies have called a kind over the years
    Kind.HTTP: ("http",),
    Kind.QUEUE: ("queue",),
    Kind.MAIL: ("dm", "email", "mail"),
    Kind.SMS: ("dysms", "alisms", "sms"),
    Kind.MOBILE: ("mpush", "push"),
}


def parse(text: str) -> Endpoint:
    """The endpoint behind an address; raises errors.EndpointInvalid."""
    if len(text) > limits.ENDPOINT_LENGTH:
        raise errors.EndpointInvalid(f"The endpoint has {len(text)} characters, but {limits.ENDPOINT_LENGTH} is most.")
    prefix, _, rest = text.partition(":")
    if prefix.lower() in _PORTS:
        return _http(text)
    if prefix == "push" and _APP_KEY.fullmatch(rest):
        return Mobile(app_key=rest)
    if found := _QUEUE.fullmatch(text):
        if not queue.is_name(found["name"]):
            raise errors.EndpointInvalid(f"The endpoint names {found['name'][:64]!r}, which no queue can be called.")
        namespace = account.Namespace(account_id=found["account"], region=found["region"])
        return Queue(namespace=namespace, name=found["name"])
    if text.startswith("mail:directmail:"):
        return Mail(address=check_address(text.removeprefix("mail:directmail:")))
    if text.startswith("sms:directsms:"):
        number = text.removeprefix("sms:directsms:")
        return Sms(number=None if number == "anonymous" else check_number(number))
    if text.startswith("smq-ep:"):
        return _service(text.split(":"))
    raise errors.EndpointInvalid


def check_address(text: str) -> str:
    """Return a mail address; raises errors.EndpointInvalid if it is none."""
    if not _ADDRESS.fullmatch(text):
        raise errors.EndpointInvalid(f"{text[:64]!r} is no mail address.")
    return text


def check_number(text: str) -> str:
    """Return a phone number; raises errors.EndpointInvalid if it is none."""
    if not _NUMBER.fullmatch(text):
        raise errors.EndpointInvalid(f"{text[:64]!r} is no phone number.")
    return text


def queue_arn(namespace: account.Namespace, name: str) -> str:
    """The address of a queue, as an endpoint has it."""
    return f"acs:mns:{namespace.region}:{namespace.account_id}:queues/{name}"


def dead_letter_queue(text: str, namespace: account.Namespace) -> str:
    """The name of the queue that a DlqPolicy names, by its name or by its resource name.

    Raises:
        errors.InvalidArgument, errors.EndpointInvalid: it is of another account or region, or no queue's.
    """
    if ":" not in text:
        return text.rpartition("/")[2]
    found = parse(text.replace(":/queues/", ":queues/"))
    if not isinstance(found, Queue) or not found.is_in(namespace):
        raise errors.InvalidArgument("The DeadLetterTargetQueue should be of the same account and region.")
    return found.name


def _http(text: str) -> Http:
    found = _URL.fullmatch(text)
    if found is None:
        raise errors.EndpointInvalid(
            "The endpoint should read http://host[:port][/path] or https://host[:port][/path]."
        )
    scheme, host = found["scheme"].lower(), found["host"].strip("[]").lower()
    port = int(found["port"] or _PORTS[scheme])
    if not 1 <= port <= _HIGHEST_PORT:
        raise errors.EndpointInvalid(f"The endpoint has the port {port}.")
    path = found["path"] or limits.ENDPOINT_DEFAULT_PATH
    if path.startswith(_RESERVED):
        raise errors.EndpointInvalid(f"The path of the endpoint should not begin with {_RESERVED}.")
    authority = found["host"].lower() + (f":{port}" if port != _PORTS[scheme] else "")
    return Http(scheme=scheme, host=host, port=port, target=path + (found["query"] or ""), authority=authority)


def _service(parts: list[str]) -> Endpoint:
    match parts:
        case ["smq-ep", "dm", owner, "__dynamic"] if account.is_account_id(owner):
            return Mail(address=None)
        case ["smq-ep", "dysms", owner, number] if account.is_account_id(owner):
            return Sms(number=check_number(number))
    raise errors.EndpointInvalid

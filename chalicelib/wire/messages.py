"""Messages on the wire."""

import re
from collections.abc import Sequence

from chalicelib.model import errors, limits, message
from chalicelib.wire import http, xml

Entry = message.Draft | errors.MnsError

# A single message without properties as the SDKs write it, what is before its text and what is after it; the text being
# such as stands for itself. Most messages are such. To read one takes half the time that a parser needs, or less;
# whatever is not exactly like this is the parser's, which decides all that there is to.
_BLANK, _TEXT, _XMLNS = r"[ \t\r\n]*+", r"[\t\n\ -%'-;=?-~]++", r"(?:\ xmlns=\"[!#-%'-;=?-~]*+\")?"
_BEFORE = re.compile(
    rf"""
    (?: <\?xml\ version="1\.0" (?: \ encoding="(?: utf | UTF )-8" )? (?: \ standalone="no" )? \ ?\?> {_BLANK} )?
    <Message{_XMLNS}> {_BLANK}
    <MessageBody{_XMLNS}>
    """.encode(),
    re.VERBOSE,
)
_AFTER = re.compile(
    rf"""
    </MessageBody> {_BLANK}
    (?: <DelaySeconds{_XMLNS}> ( [0-9]{{1,18}} ) </DelaySeconds> {_BLANK} )?
    (?: <Priority{_XMLNS}> ( [0-9]{{1,18}} ) </Priority> {_BLANK} )?
    (?: <MessageGroupId{_XMLNS}> ( {_TEXT} ) </MessageGroupId> {_BLANK} )?
    </Message> {_BLANK}
    """.encode(),
    re.VERBOSE,
)
_FLAT, _DEEP = "  ", "    "  # where the lines of a message begin, alone and in a batch


def parse_messages(body: bytes) -> message.Draft | list[Entry]:
    """What a send hands in: one draft for `<Message>`, a list for `<Messages>`, with an error where an entry is bad.

    Raises:
        errors.MalformedXML, errors.InvalidArgument: the whole is not acceptable.
    """
    before = _BEFORE.match(body) if len(body) <= limits.REQUEST_BYTES else None
    if before is None:
        return _parse_any(body)
    start = before.end()
    end = body.find(b"<", start)
    after = _AFTER.fullmatch(body, end)
    if after is not None and xml.is_plain(text := body[start:end]):
        delay, priority, group = after.groups()
        return message.Draft(
            body=text.decode(),
            delay_seconds=None if delay is None else int(delay),
            priority=int(priority or 0) or limits.PRIORITY.default,
            group_id=None if group is None else group.decode(),
        )
    return _parse_any(body)


def _parse_any(body: bytes) -> message.Draft | list[Entry]:
    root = xml.read_root(body, "Message", "Messages")
    if root.name == "Message":
        return _draft(root)
    return [_try_draft(element) for element in root.each("Message")]


def parse_receipt_handles(body: bytes) -> list[str]:
    """The handles of a BatchDeleteMessage; InvalidArgument if one is empty."""
    root = xml.read_root(body, "ReceiptHandles")
    handles = [element.text.strip() for element in root.each("ReceiptHandle")]
    if not all(handles):
        raise errors.InvalidArgument("The value of ReceiptHandle should not be empty.")
    return handles


def parse_receipt_handle(request: http.Request) -> str:
    """The handle in the query; errors.MissingReceiptHandle without it."""
    handle = request.parameters.get("receipthandle", "")
    if not handle:
        raise errors.MissingReceiptHandle
    return handle


def parse_visibility_timeout(request: http.Request) -> int:
    """The time-out in the query, seconds; errors.MissingVisibilityTimeout without it."""
    seconds = request.integer("VisibilityTimeout")
    if seconds is None:
        raise errors.MissingVisibilityTimeout
    return seconds


def parse_batch_size(request: http.Request) -> int | None:
    """How many messages are asked for; None: a single one, in the single form."""
    count = request.integer("numOfMessages")
    return None if count is None else limits.BATCH_SIZE.check(count)


def parse_wait(request: http.Request) -> int | None:
    """How long a receive may wait, seconds; None: as long as the queue says."""
    seconds = request.integer("waitseconds")
    return None if seconds is None else limits.WAIT_SECONDS.check(seconds)


def parse_receive(request: http.Request) -> tuple[int | None, int | None]:
    """How many messages a receive asks for and how long it may wait, as above."""
    found: tuple[int | None, int | None] | None = request.known.get("receive")
    if found is None:
        found = request.known["receive"] = parse_batch_size(request), parse_wait(request)
    return found


def render_sent(sent: message.Sent) -> http.Response:
    """The answer of SendMessage."""
    return http.Response(status=201, body=xml.document("Message", _sent(sent, _FLAT) + _sent_more(sent, _FLAT)))


def render_batch(outcomes: Sequence[message.Sent | errors.MnsError]) -> http.Response:
    """The answer of BatchSendMessage: in the order of the entries.

    After a partial failure an entry has exactly the two children that the Python SDK insists on.
    """
    failed = any(isinstance(outcome, errors.MnsError) for outcome in outcomes)
    inside = ""
    for outcome in outcomes:
        if isinstance(outcome, errors.MnsError):
            entry = xml.lines([("ErrorCode", outcome.code), ("ErrorMessage", outcome.message)], _DEEP)
        else:
            entry = _sent(outcome, _DEEP) + ("" if failed else _sent_more(outcome, _DEEP))
        inside += f"  <Message>\n{entry}  </Message>\n"
    return http.Response(status=500 if failed else 201, body=xml.document("Messages", inside))


def render_received(received: Sequence[message.Received], *, batch: bool) -> http.Response:
    """The answer of ReceiveMessage, or of BatchReceiveMessage."""
    if batch:
        return _batch([_lines(item.message, item.receipt_handle, _DEEP) for item in received])
    return _single(_lines(received[0].message, received[0].receipt_handle, _FLAT))


def render_peeked(peeked: Sequence[message.Message], *, batch: bool) -> http.Response:
    """The answer of PeekMessage, or of BatchPeekMessage."""
    return _batch([_lines(item, None, _DEEP) for item in peeked]) if batch else _single(_lines(peeked[0], None, _FLAT))


def render_delete_failures(failures: Sequence[tuple[str, errors.MnsError]]) -> http.Response:
    """The answer of BatchDeleteMessage: which handles failed, and why."""
    if not failures:
        return http.Response(status=204)
    nodes: list[xml.Node] = [
        ("Error", [("ErrorCode", error.code), ("ErrorMessage", error.message), ("ReceiptHandle", handle)])
        for handle, error in failures
    ]
    return http.Response(status=404, body=xml.write("Errors", nodes))


def render_postponed(postponed: message.Postponed) -> http.Response:
    """The answer of ChangeMessageVisibility."""
    nodes: list[xml.Node] = [
        ("ReceiptHandle", postponed.receipt_handle),
        ("NextVisibleTime", postponed.next_visible_at),
    ]
    return http.Response(status=200, body=xml.write("ChangeVisibility", nodes))


def user_properties(element: xml.Element) -> tuple[message.Property, ...]:
    """The user properties of a message to send or to publish."""
    return _properties(element, "UserProperties", "PropertyValue")


def system_properties(element: xml.Element) -> tuple[message.Property, ...]:
    """The system properties of a message to send or to publish."""
    return _properties(element, "SystemProperties", "SystemPropertyValue")


def _draft(element: xml.Element) -> message.Draft:
    body = element.string("MessageBody")
    if body is None:
        raise errors.InvalidArgument("The element MessageBody is required.")
    if len(element.children) == 1:  # as of most messages
        return message.Draft(body=body)
    priority = element.integer("Priority")
    return message.Draft(
        body=body,
        delay_seconds=element.integer("DelaySeconds"),
        priority=priority or limits.PRIORITY.default,  # the Go SDK sends 0 for what its caller left out
        group_id=element.string("MessageGroupId") or None,
        user_properties=user_properties(element),
        system_properties=system_properties(element),
    )


def _try_draft(element: xml.Element) -> Entry:
    try:
        return _draft(element)
    except errors.MnsError as error:
        return error


def _properties(element: xml.Element, wrapper: str, entry: str) -> tuple[message.Property, ...]:
    found = element.child(wrapper)
    return () if found is None else tuple(_property(item) for item in found.each(entry))


def _property(element: xml.Element) -> message.Property:
    name, value, kind = (element.string(child) for child in ("Name", "Value", "Type"))
    if not name or value is None or kind is None:
        raise errors.InvalidArgument("A property should have the elements Name, Value and Type.")
    try:
        return message.Property(name=name, value=value, type=message.PropertyType(kind.strip()))
    except ValueError as error:
        kinds = ", ".join(kind.value for kind in message.PropertyType)
        raise errors.InvalidArgument(f"The type of the property {name[:256]} should be one of {kinds}.") from error


def _sent(sent: message.Sent, indent: str) -> str:
    """What is told of every message that was sent; see `_lines` for what need not be escaped."""
    new = sent.message
    return f"{indent}<MessageId>{new.message_id}</MessageId>\n{indent}<MessageBodyMD5>{new.body_md5}</MessageBodyMD5>\n"


def _sent_more(sent: message.Sent, indent: str) -> str:
    """What is told of some."""
    text = ""
    if sent.receipt_handle is not None:
        text += f"{indent}<ReceiptHandle>{sent.receipt_handle}</ReceiptHandle>\n"
    if sent.message.group_id is not None:
        text += f"{indent}<MessageGroupId>{xml.escape(sent.message.group_id)}</MessageGroupId>\n"
    return text


def _single(lines: str) -> http.Response:
    return http.Response(status=200, body=xml.document("Message", lines))


def _batch(each: Sequence[str]) -> http.Response:
    inside = "".join([f"  <Message>\n{lines}  </Message>\n" for lines in each])
    return http.Response(status=200, body=xml.document("Messages", inside))


def _lines(item: message.Message, handle: str | None, indent: str) -> str:
    """What is told of a message; written out, for it is written more often than anything else.

    Ids, handles, digests and numbers have nothing that would have to be escaped.
    """
    first = item.enqueued_at if item.first_dequeued_at is None else item.first_dequeued_at
    receipt = "" if handle is None else f"{indent}<ReceiptHandle>{handle}</ReceiptHandle>\n"
    visible = "" if handle is None else f"{indent}<NextVisibleTime>{item.visible_at}</NextVisibleTime>\n"
    text = (
        f"{indent}<MessageId>{item.message_id}</MessageId>\n"
        f"{receipt}"
        f"{indent}<MessageBody>{xml.escape(item.body)}</MessageBody>\n"
        f"{indent}<MessageBodyMD5>{item.body_md5}</MessageBodyMD5>\n"
        f"{indent}<EnqueueTime>{item.enqueued_at}</EnqueueTime>\n"
        f"{visible}"
        f"{indent}<FirstDequeueTime>{first}</FirstDequeueTime>\n"
        f"{indent}<DequeueCount>{item.dequeue_count}</DequeueCount>\n"
        f"{indent}<Priority>{item.priority}</Priority>\n"
    )
    if item.group_id is None and not item.user_properties and not item.system_properties:  # as of most messages
        return text
    return text + xml.lines(_marks(item), indent)


def _marks(item: message.Message) -> list[xml.Node]:
    """Group and properties."""
    nodes: list[xml.Node] = []
    if item.group_id is not None:
        nodes.append(("MessageGroupId", item.group_id))
    if item.user_properties:
        nodes.append(("UserProperties", [("PropertyValue", _rendered(entry)) for entry in item.user_properties]))
    if item.system_properties:
        nodes.append(
            ("SystemProperties", [("SystemPropertyValue", _rendered(entry)) for entry in item.system_properties])
        )
    return nodes


def _rendered(item: message.Property) -> list[xml.Node]:
    return [("Name", item.name), ("Value", item.value), ("Type", item.type.value)]

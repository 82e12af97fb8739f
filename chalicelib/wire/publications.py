"""Publications on the wire.

The children of MessageAttributes hold JSON; SDKs write its numbers as numbers or as text.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.model import endpoint, errors, limits, publication
from chalicelib.wire import http, messages, xml

_TRUTHS = {"1": True, "true": True, "0": False, "false": False, "": False}
_CHILDREN = ("DirectMail", "DM", "DirectSMS", "DYSMS", "Push")
_PUSH_TARGETS = ("ALL", "DEVICE", "ACCOUNT")


def parse_publication(body: bytes) -> publication.Draft:
    """What a PublishMessage hands in.

    Raises:
        errors.MalformedXML, errors.InvalidArgument: it is not acceptable.
    """
    root = xml.read_root(body, "Message")
    text = root.string("MessageBody")
    if text is None:
        raise errors.InvalidArgument("The element MessageBody is required.")
    return publication.Draft(
        body=text,
        tag=root.string("MessageTag") or "",
        group_id=root.string("MessageGroupId") or None,
        user_properties=messages.user_properties(root),
        system_properties=messages.system_properties(root),
        attributes=_attributes(root.child("MessageAttributes")),
    )


def render_published(published: publication.Publication) -> http.Response:
    """The answer of PublishMessage."""
    nodes: list[xml.Node] = [("MessageId", published.message_id), ("MessageBodyMD5", published.body_md5)]
    if published.draft.group_id is not None:
        nodes.append(("MessageGroupId", published.draft.group_id))
    return http.Response(status=201, body=xml.write("Message", nodes))


def _attributes(element: xml.Element | None) -> publication.Attributes:
    """Old names (DirectMail, DirectSMS, Push) and new ones (DM, DYSMS); others, like WebSocket, are ignored."""
    if element is None:
        return publication.Attributes()
    size = sum(len((element.string(name) or "").encode()) for name in _CHILDREN)
    if size > limits.MESSAGE_ATTRIBUTES_BYTES:
        raise errors.InvalidArgument(
            f"The MessageAttributes have {size} bytes, but {limits.MESSAGE_ATTRIBUTES_BYTES} is most."
        )
    mail, sms, push = _json(element, "DirectMail", "DM"), _json(element, "DirectSMS", "DYSMS"), _json(element, "Push")
    return publication.Attributes(
        mail=None if mail is None else _mail(mail),
        sms=None if sms is None else _sms(sms),
        push=None if push is None else _push(push),
    )


def _json(element: xml.Element, *names: str) -> dict[str, Any] | None:
    """The JSON objects in these children, the later ones over the earlier; None if there is none of them."""
    merged: dict[str, Any] | None = None
    for name in names:
        text = element.string(name)
        if text is not None and text.strip():
            merged = (merged or {}) | _object(text, name)
    return merged


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # refuses halves of surrogate pairs
    except (ValueError, RecursionError) as error:
        raise errors.InvalidArgument(f"The value of {name} is not JSON.") from error
    if not isinstance(found, dict):
        raise errors.InvalidArgument(f"The value of {name} should be a JSON object.")
    return found


def _mail(given: Mapping[str, Any]) -> publication.MailAttributes:
    sender, address = _text(given, "AccountName"), _text(given, "MailAddress")
    for text in filter(None, (sender, address)):
        _checked(endpoint.check_address, text)
    return publication.MailAttributes(
        sender=sender or None,
        subject=_text(given, "Subject"),
        is_html=_truth(given, "IsHtml"),
        reply_to_sender=_truth(given, "ReplyToAddress"),
        address=address or None,
    )


def _sms(given: Mapping[str, Any]) -> publication.SmsAttributes:
    parameters = given.get("SmsParams") or {}
    if isinstance(parameters, str):
        parameters = _object(parameters, "SmsParams")
    if not isinstance(parameters, dict):
        raise errors.InvalidArgument("The value of SmsParams should be a JSON object.")
    multi = _text(given, "Type").lower() == "multicontent"
    numbers = _bounded("SmsParams", parameters) if multi else _several(given, "Receiver")
    return publication.SmsAttributes(
        sign_name=_text(given, "FreeSignName"),
        template_code=_text(given, "TemplateCode"),
        numbers=tuple(_checked(endpoint.check_number, number) for number in numbers),
        instead=tuple(_checked(endpoint.check_number, number) for number in _several(given, "PhoneNumber")),
        parameters=() if multi else _pairs(parameters),
        each=tuple((number, _pairs(values)) for number, values in parameters.items()) if multi else (),
    )


def _push(given: Mapping[str, Any]) -> publication.PushAttributes:
    target = (_text(given, "Target") or "ALL").upper()
    if target not in _PUSH_TARGETS:
        raise errors.InvalidArgument(f"The value of Target should be one of {', '.join(_PUSH_TARGETS)}.")
    return publication.PushAttributes(
        target=target,
        values=_several(given, "TargetValue"),
        title=_text(given, "Title"),
    )


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise errors.InvalidArgument(f"The value of {name} should be text.")
    text = str(value)
    if not text.isprintable():
        raise errors.InvalidArgument(f"The value of {name} should be a single line of text.")
    return text


def _several(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Receivers that commas divide."""
    return _bounded(name, filter(None, (text.strip() for text in _text(given, name).split(","))))


def _bounded(name: str, receivers: Iterable[str]) -> tuple[str, ...]:
    found = tuple(receivers)
    if len(found) > limits.RECEIVERS:
        raise errors.InvalidArgument(f"The value of {name} has {len(found)} receivers, but {limits.RECEIVERS} is most.")
    return found


def _truth(given: Mapping[str, Any], name: str) -> bool:
    value = _TRUTHS.get(_text(given, name).strip().lower())
    if value is None:
        raise errors.InvalidArgument(f"The value of {name} should be 0 or 1.")
    return value


def _pairs(values: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(values, dict):
        raise errors.InvalidArgument("The value of SmsParams should be a JSON object, of objects for multiContent.")
    return tuple((str(name), str(value)) for name, value in values.items())


def _checked(check: Any, text: str) -> str:
    """What `check` says of an address, as a fault of the message instead of the endpoint."""
    try:
        return str(check(text))
    except errors.EndpointInvalid as error:
        raise errors.InvalidArgument(error.message) from error

"""Actions on event rules."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.model import endpoint, errors, event_rule, limits
from chalicelib.rpc import errors as rpc_errors
from chalicelib.rpc import shapes
from chalicelib.rpc.calls import Call, Fields
from chalicelib.rpc.parameters import Parameters


def create(call: Call) -> Fields:
    """CreateEventRule: answers the rule's name; making one that is there just so is no error."""
    given = call.parameters
    given.required("EventTypes")
    new = event_rule.EventRule(
        name=given.required("RuleName"),
        product=given.required("ProductName"),
        event_types=given.strings("EventTypes"),
        match_rules=_parse_match_rules(given),
        endpoint=_parse_endpoint(given),
        created_at=call.verbs.event_rules.now(),
    )
    return {"Data": call.verbs.event_rules.create(call.namespace, new).name}


def get(call: Call) -> Fields:
    """GetEventRule."""
    given = call.parameters
    product, name = given.required("ProductName"), given.required("RuleName")
    return {"Data": _render(call, call.verbs.event_rules.get(call.namespace, product, name))}


def delete(call: Call) -> Fields:
    """DeleteEventRule: deleting none is no error."""
    given = call.parameters
    call.verbs.event_rules.delete(call.namespace, given.required("ProductName"), given.required("RuleName"))
    return {}


def list_rules(call: Call) -> Fields:
    """ListEventRules."""
    window = shapes.parse_window(call.parameters)
    found = [rule for rule in call.verbs.event_rules.all(call.namespace) if _is_wanted(rule, call.parameters)]
    return shapes.render_page([_render(call, rule) for rule in window.of(found)], window, len(found))


def _is_wanted(rule: event_rule.EventRule, given: Parameters) -> bool:
    """Whether a list asks for a rule; names are parts of names, as in the other lists."""
    topic, resource = given.text("TopicName"), given.text("ResourceName")
    wanted = _parse_receiver(given.member("Subscription"))
    return (
        given.text("ProductName") in (None, rule.product)
        and (given.text("RuleName") or "") in rule.name
        and (topic is None or rule.endpoint == event_rule.Endpoint(kind=event_rule.Receiver.TOPIC, name=topic))
        and (resource is None or any(each.names(resource) for conditions in rule.match_rules for each in conditions))
        and wanted in (None, rule.endpoint)
    )


def _parse_match_rules(given: Parameters) -> tuple[tuple[event_rule.Match, ...], ...]:
    given.required("MatchRules")
    lists = given.json("MatchRules")
    if not (isinstance(lists, list) and all(isinstance(conditions, list) for conditions in lists)):
        raise rpc_errors.invalid("MatchRules", "it should be a list of lists of match rules.")
    return tuple(tuple(map(_parse_match, conditions)) for conditions in lists)


def _parse_match(condition: object) -> event_rule.Match:
    if not isinstance(condition, dict):
        raise rpc_errors.invalid("MatchRules", "a match rule should be an object.")
    given = {name: condition.get(name) or "" for name in ("Name", "Prefix", "Suffix")}
    state = condition.get("MatchState", True)
    if not all(isinstance(text, str) for text in given.values()):
        raise rpc_errors.invalid("MatchRules", "Name, Prefix and Suffix should be texts.")
    if str(state).lower() not in ("true", "false"):
        raise rpc_errors.invalid("MatchRules", "MatchState should be true or false.")
    return event_rule.Match(
        name=given["Name"], prefix=given["Prefix"], suffix=given["Suffix"], state=str(state).lower() == "true"
    )


def _parse_endpoint(given: Parameters) -> event_rule.Endpoint:
    """The Endpoint, or what the deprecated Endpoints has as its one entry."""
    found = _parse_receiver(given.member("Endpoint"))
    if found is not None:
        return found
    entries = given.json("Endpoints")
    if entries is None:
        raise rpc_errors.missing("Endpoint")
    if not (isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict)):
        raise rpc_errors.invalid("Endpoints", "a rule has one endpoint; subscribe to a topic for more.")
    members = {name: value for name, value in entries[0].items() if isinstance(value, str)}
    found = _parse_receiver(Parameters(members, of="Endpoints."))
    assert found is not None  # noqa: S101  # it was given
    return found


def _parse_receiver(given: Parameters | None) -> event_rule.Endpoint | None:
    """A queue or a topic by its type and name; None: not given."""
    if given is None:
        return None
    kind = given.required("EndpointType").lower()
    try:
        receiver = event_rule.Receiver(kind)
    except ValueError as error:
        raise errors.InvalidArgument("The value of EndpointType should be queue or topic.") from error
    return event_rule.Endpoint(kind=receiver, name=given.required("EndpointValue"))


def _render(call: Call, rule: event_rule.EventRule) -> Mapping[str, Any]:
    to = _render_endpoint(rule.endpoint.kind.value, rule.endpoint.name)
    fields = {
        "RuleName": rule.name,
        "EventTypes": list(rule.event_types),
        "MatchRules": [[_render_match(each) for each in conditions] for conditions in rule.match_rules],
        "Endpoint": to,
    }
    if rule.endpoint.kind is event_rule.Receiver.QUEUE:
        return fields | {"DeliveryMode": "DIRECT", "Subscriptions": [to]}
    subscribers = _subscribers(call, rule.endpoint.name)
    return fields | {"DeliveryMode": "BROADCAST", "TopicName": rule.endpoint.name, "Subscriptions": subscribers}


def _render_match(match: event_rule.Match) -> Mapping[str, Any]:
    members = {"Name": match.name, "Prefix": match.prefix, "Suffix": match.suffix}
    return {"MatchState": match.state} | {name: text for name, text in members.items() if text}


def _subscribers(call: Call, topic_name: str) -> Sequence[Mapping[str, str]]:
    """Whom a topic pushes to, the first ones if they are many; nobody if it is no more."""
    try:
        page = call.verbs.subscriptions.list(
            call.namespace, topic_name, prefix="", after=None, limit=limits.EVENT_RULE_SUBSCRIPTIONS
        )
    except errors.TopicNotExist:
        return []
    targets = [(item.attributes.target, item.attributes.endpoint) for item in page.subscriptions]
    return [
        _render_endpoint("queue", target.name)
        if isinstance(target, endpoint.Queue)
        else _render_endpoint(target.kind.value, address)
        for target, address in targets
    ]


def _render_endpoint(kind: str, value: str) -> Mapping[str, str]:
    return {"EndpointType": kind, "EndpointValue": value}

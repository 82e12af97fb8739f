"""Event rules in the table `resources`, under `R#name`."""

import json
from collections.abc import Iterator

from chalicelib.model import account, event_rule
from chalicelib.storage import client, items, resources

_KIND = "R#"


class EventRules:
    """The port `EventRules` on DynamoDB."""

    def __init__(self, *, resources: resources.Resources) -> None:
        self._resources = resources

    def get(self, namespace: account.Namespace, name: str) -> event_rule.EventRule | None:
        item = self._resources.get(namespace, _KIND + name)
        return _decode(item) if item else None

    def create(self, namespace: account.Namespace, new: event_rule.EventRule) -> event_rule.EventRule | None:
        taken = self._resources.create(namespace, _KIND + new.name, _encode(new))
        return _decode(taken) if taken else None

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        return self._resources.delete(namespace, _KIND + name)

    def all(self, namespace: account.Namespace) -> Iterator[event_rule.EventRule]:
        return map(_decode, self._resources.all(namespace, _KIND))


def _encode(new: event_rule.EventRule) -> client.Item:
    matches = [
        [[each.name, each.prefix, each.suffix, each.state] for each in conditions] for conditions in new.match_rules
    ]
    return {
        "product": items.text(new.product),
        "event_types": {"L": [items.text(name) for name in new.event_types]},
        "match_rules": items.text(json.dumps(matches, ensure_ascii=False)),
        "endpoint_kind": items.text(new.endpoint.kind.value),
        "endpoint_name": items.text(new.endpoint.name),
        "created_at": items.number(new.created_at),
    }


def _decode(item: client.Item) -> event_rule.EventRule:
    return event_rule.EventRule(
        name=item["sk"]["S"].removeprefix(_KIND),
        product=item["product"]["S"],
        event_types=tuple(entry["S"] for entry in item["event_types"]["L"]),
        match_rules=tuple(
            tuple(
                event_rule.Match(name=name, prefix=prefix, suffix=suffix, state=state)
                for name, prefix, suffix, state in conditions
            )
            for conditions in json.loads(item["match_rules"]["S"])
        ),
        endpoint=event_rule.Endpoint(
            kind=event_rule.Receiver(item["endpoint_kind"]["S"]), name=item["endpoint_name"]["S"]
        ),
        created_at=items.integer(item, "created_at"),
    )

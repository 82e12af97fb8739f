"""Reading, changing and projecting items by document path."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from infra.embedded import errors, grammar, values

Read: TypeAlias = Callable[[values.Item, values.Item], values.Value | None]

_MISPLACED = "The document path provided in the update expression is invalid for update"


def reader(path: grammar.Path) -> Read:
    """A function of an item and the call's values that reads `path` in the item; None where it leads nowhere."""
    head, *rest = path.parts
    name = str(head)
    if not rest:
        return lambda item, _: item.get(name)
    return lambda item, _: _walk(item.get(name), rest)


def _walk(value: values.Value | None, parts: list[str | int]) -> values.Value | None:
    for part in parts:
        if value is None:
            return None
        value = _child(value, part)
    return value


def _child(value: values.Value, part: str | int) -> values.Value | None:
    if isinstance(part, str):
        found: values.Value | None = value.get("M", {}).get(part)
        return found
    elements = value.get("L", ())
    return elements[part] if part < len(elements) else None


def overlap(paths: Iterable[grammar.Path]) -> str | None:
    """The reason why two of the paths cannot stand in one expression, if there are such."""
    seen: list[grammar.Path] = []
    for path in paths:
        for other in seen:
            verdict = _relation(other.parts, path.parts)
            if verdict is not None:
                return (
                    f"Two document paths {verdict} with each other; must remove or rewrite one of these paths; "
                    f"path one: {other}, path two: {path}"
                )
        seen.append(path)
    return None


def _relation(left: grammar.Parts, right: grammar.Parts) -> str | None:
    for one, two in zip(left, right, strict=False):
        if type(one) is not type(two):
            return "conflict"
        if one != two:
            return None
    return "overlap"


def project(item: values.Item, paths: Iterable[grammar.Path]) -> values.Item:
    """The parts of `item` that `paths` name; list positions close up."""
    tree: dict[str | int, Any] = {}
    for path in paths:
        _graft(tree, path.parts)
    return {
        name: picked
        for name, branch in tree.items()
        if isinstance(name, str) and name in item and (picked := _pick(item[name], branch)) is not None
    }


def _graft(tree: dict[str | int, Any], parts: grammar.Parts) -> None:
    for part in parts:
        tree = tree.setdefault(part, {})


def _pick(value: values.Value, tree: dict[str | int, Any]) -> values.Value | None:
    if not tree:
        return value
    chosen = {
        part: picked
        for part, branch in tree.items()
        if (child := _child(value, part)) is not None and (picked := _pick(child, branch)) is not None
    }
    if not chosen:
        return None
    if "M" in value:
        return {"M": chosen}
    return {"L": [picked for _, picked in sorted(chosen.items())]}


def clone(value: Any) -> Any:
    """A copy of an attribute value that shares no list or map with it."""
    if isinstance(value, dict):
        return {key: clone(child) for key, child in value.items()}
    if isinstance(value, list):
        return [clone(child) for child in value]
    return value


def assign(item: values.Item, parts: grammar.Parts, value: values.Value) -> None:
    """Set the value at a path whose parent must exist; a list position past the end appends.

    Raises:
        Refusal: the parent is missing or of another type.
    """
    *_, last = parts
    container = _container(item, parts)
    if isinstance(last, str) or last < len(container):
        container[last] = value
    else:
        container.append(value)


def remove(item: values.Item, parts: grammar.Parts) -> None:
    """Remove the value at a path whose parent must exist; the value itself need not.

    Raises:
        Refusal: the parent is missing or of another type.
    """
    *_, last = parts
    container = _container(item, parts)
    if isinstance(last, str):
        container.pop(last, None)
    elif last < len(container):
        del container[last]


def _container(item: values.Item, parts: grammar.Parts) -> Any:
    *parents, last = parts
    if not parents:
        return item
    parent = _walk({"M": item}, parents)
    container = None if parent is None else parent.get("M" if isinstance(last, str) else "L")
    if container is None:
        raise errors.validation(_MISPLACED)
    return container

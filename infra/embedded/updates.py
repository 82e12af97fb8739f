"""Update expressions compiled to a function from the old item to the new one.

All operands are read from the item as it was; then SET, ADD and DELETE are applied, and removals last and from the
end, so that list positions mean what they meant before the update.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeAlias

from infra.embedded import conditions, decimals, errors, grammar, paths, values

if TYPE_CHECKING:
    from collections.abc import Callable

Compute: TypeAlias = paths.Read

_ARITY = {"if_not_exists": 2, "list_append": 2}
_TYPE_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
    "L": "LIST",
    "M": "MAP",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """A compiled update.

    Attributes:
        paths: every path that it changes.
        heads: the top-level attributes that it changes.
        concerned: those that it changes or reads.
        nested: whether any path goes deeper than that.
        steps: for each path, the function that computes its new value; None removes it.
        flat: the same by top-level attribute, where no path goes deeper.
    """

    paths: tuple[grammar.Path, ...]
    heads: frozenset[str]
    concerned: frozenset[str]
    nested: bool
    steps: tuple[tuple[grammar.Parts, Compute], ...]
    flat: tuple[tuple[str, Compute], ...]

    def apply(self, old: values.Item, bound: values.Item) -> values.Item:
        """The item that the update makes of `old`, which is left alone.

        Raises:
            Refusal: an operand is missing or of the wrong type, or a path leads nowhere.
        """
        return self._apply_nested(old, bound) if self.nested else self._apply_flat(old, bound)

    def _apply_flat(self, old: values.Item, bound: values.Item) -> values.Item:
        """Apply an update of whole attributes, whose order makes no difference."""
        new = dict(old)
        for name, compute in self.flat:
            value = compute(old, bound)
            if value is not None:
                new[name] = value
            else:
                new.pop(name, None)
        return new

    def _apply_nested(self, old: values.Item, bound: values.Item) -> values.Item:
        computed = [(parts, compute(old, bound)) for parts, compute in self.steps]
        new = dict(old)
        for head in self.heads & new.keys():
            new[head] = paths.clone(new[head])
        removed = []
        for parts, value in computed:
            if value is None:
                removed.append(parts)
            elif len(parts) == 1:
                new[str(parts[0])] = value
            else:
                paths.assign(new, parts, paths.clone(value))
        for parts in removed:
            paths.remove(new, parts)
        return new


def compile_update(
    actions: tuple[grammar.Action, ...], refuse: conditions.Refuse
) -> tuple[Update, list[conditions.Check]]:
    """Compile the clauses of an update expression.

    Returns:
        The update, and what to verify of the call's values before applying it.
    """
    changed = tuple(action.path for action in actions)
    clash = paths.overlap(changed)
    if clash is not None:
        raise refuse(clash)
    compiler = _Compiler(refuse)
    steps = tuple((action.path.parts, compiler.step(action)) for action in _in_order(actions))
    heads = frozenset(str(path.parts[0]) for path in changed)
    update = Update(
        paths=changed,
        heads=heads,
        concerned=heads | compiler.reads,
        nested=any(len(path.parts) > 1 for path in changed),
        steps=steps,
        flat=tuple((str(head), compute) for (head, *_), compute in steps),
    )
    return update, compiler.checks


def _in_order(actions: tuple[grammar.Action, ...]) -> list[grammar.Action]:
    """Assignments by ascending list position, so that appends keep their order; removals from the end."""
    ranked = sorted(actions, key=lambda action: _rank(action.path.parts))
    removing = [action for action in ranked if action.section in ("REMOVE", "DELETE")]
    return [action for action in ranked if action not in removing] + removing[::-1]


def _rank(parts: grammar.Parts) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in parts)


class _Compiler:
    def __init__(self, refuse: conditions.Refuse) -> None:
        self._refuse = refuse
        self.checks: list[conditions.Check] = []
        self.reads: set[str] = set()  # top-level attributes

    def step(self, action: grammar.Action) -> Compute:
        read = self._reader(action.path)
        if action.operand is None:
            return lambda _, __: None
        if action.section == "SET":
            return self._present(action.operand)
        assert isinstance(action.operand, grammar.Reference)  # noqa: S101 - the grammar allows nothing else
        name = action.operand.name
        if action.section == "ADD":
            self._check_type("operator: ADD", name, values.SET_TYPES | {"N"}, _TYPE_NAMES)
            return lambda item, bound: _added(read(item, bound), bound[name])
        self._check_type("operator: DELETE", name, values.SET_TYPES, _TYPE_NAMES)
        return lambda item, bound: _deleted(read(item, bound), bound[name])

    def _reader(self, path: grammar.Path) -> Compute:
        self.reads.add(str(path.parts[0]))
        return paths.reader(path)

    def _operand(self, operand: grammar.Operand) -> Compute:
        match operand:
            case grammar.Path():
                return self._reader(operand)
            case grammar.Reference(name):
                return lambda _, bound: bound[name]
            case grammar.Sum(sign, left, right):
                return self._sum(sign, left, right)
            case grammar.Function():
                return self._function(operand)

    def _sum(self, sign: str, left: grammar.Operand, right: grammar.Operand) -> Compute:
        one, two = self._typed(sign, left, "N"), self._typed(sign, right, "N")
        combine = decimals.add if sign == "+" else decimals.subtract
        return lambda item, bound: {"N": combine(one(item, bound), two(item, bound))}

    def _function(self, tree: grammar.Function) -> Compute:
        misuse = tree.misuse(_ARITY)
        if misuse is not None:
            raise self._refuse(misuse)
        first, second = tree.arguments
        if tree.name == "list_append":
            head, tail = self._typed(tree.name, first, "L"), self._typed(tree.name, second, "L")
            return lambda item, bound: {"L": [*head(item, bound), *tail(item, bound)]}
        if not isinstance(first, grammar.Path):
            raise self._refuse(f"Operator or function requires a document path; operator or function: {tree.name}")
        read, fallback = self._reader(first), self._operand(second)

        def value(item: values.Item, bound: values.Item) -> values.Value | None:
            found = read(item, bound)
            return fallback(item, bound) if found is None else found

        return value

    def _present(self, operand: grammar.Operand) -> Compute:
        """A function that computes the operand and refuses that there is none."""
        compute = self._operand(operand)
        if isinstance(operand, grammar.Reference):
            return compute  # the values of a call are there, as was checked before

        def value(item: values.Item, bound: values.Item) -> values.Value:
            found = compute(item, bound)
            if found is None:
                raise errors.validation(
                    "The provided expression refers to an attribute that does not exist in the item"
                )
            return found

        return value

    def _typed(self, name: str, operand: grammar.Operand, kind: str) -> Callable[[values.Item, values.Item], Any]:
        """A function that computes the operand's content and refuses any type but `kind`."""
        if isinstance(operand, grammar.Reference):
            self._check_type(f"operator or function: {name}", operand.name, frozenset({kind}))
        compute = self._present(operand)

        def content(item: values.Item, bound: values.Item) -> Any:
            value = compute(item, bound)
            if value is None or kind not in value:
                raise errors.validation("An operand in the update expression has an incorrect data type")
            return value[kind]

        return content

    def _check_type(self, what: str, name: str, allowed: frozenset[str], labels: dict[str, str] | None = None) -> None:
        def check(bound: values.Item) -> None:
            kind = values.kind_of(bound[name])
            if kind not in allowed:
                label = labels[kind] if labels else kind
                raise self._refuse(f"Incorrect operand type for operator or function; {what}, operand type: {label}")

        self.checks.append(check)


def _added(old: values.Value | None, operand: values.Value) -> values.Value:
    kind, content = next(iter(operand.items()))
    if old is None:
        return operand
    if kind not in old:
        raise errors.validation("An operand in the update expression has an incorrect data type")
    if kind == "N":
        return {"N": decimals.add(old["N"], content)}
    return {kind: [*old[kind], *(element for element in content if element not in old[kind])]}


def _deleted(old: values.Value | None, operand: values.Value) -> values.Value | None:
    kind, content = next(iter(operand.items()))
    if old is None:
        return None
    if kind not in old:
        raise errors.validation("An operand in the update expression has an incorrect data type")
    left = [element for element in old[kind] if element not in content]
    return {kind: left} if left else None

"""Key condition expressions reduced to one equality and at most one range of column values."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from infra.embedded import errors, grammar, keys, schema, values

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """A condition on one key attribute.

    Attributes:
        attribute: the attribute's name.
        operator: a comparator, `BETWEEN` or `begins_with`.
        operands: the `:` names of the values it is compared with.
    """

    attribute: str
    operator: str
    operands: tuple[str, ...]


KeyCondition: TypeAlias = dict[str, Term]


@dataclasses.dataclass(slots=True)
class Bounds:
    """What a key condition selects.

    Attributes:
        hash: the partition key's column value.
        low: the least sort key column value, if any.
        low_operator: `>` or `>=`.
        high: the greatest sort key column value, if any.
        high_operator: `<` or `<=`.
    """

    hash: keys.Column
    low: keys.Column | None = None
    low_operator: str = ">="
    high: keys.Column | None = None
    high_operator: str = "<="

    def admits(self, column: keys.Column) -> bool:
        """Whether a sort key lies within the bounds."""
        if self.low is not None and not (column > self.low if self.low_operator == ">" else column >= self.low):  # type: ignore[operator]  # both are of the key's one type
            return False
        return self.high is None or (column < self.high if self.high_operator == "<" else column <= self.high)  # type: ignore[operator]  # both are of the key's one type


def compile_key_condition(tree: grammar.Condition) -> KeyCondition:
    """The terms of a key condition by attribute name."""
    terms: KeyCondition = {}
    for leaf in _leaves(tree):
        term = _term(leaf)
        if term.attribute in terms:
            raise errors.validation("KeyConditionExpressions must only contain one condition per key")
        terms[term.attribute] = term
    if len(terms) > 2:  # noqa: PLR2004 - a partition key and a sort key
        raise errors.validation("Conditions can be of length 1 or 2 only")
    return terms


def whole_partition(condition: KeyCondition, hash_key: schema.KeyAttribute) -> str | None:
    """The `:` name of the partition key if the condition says nothing else; None if it says more, or is refused."""
    term = condition.get(hash_key.name)
    return term.operands[0] if term is not None and term.operator == "=" and len(condition) == 1 else None


def bounds(
    condition: KeyCondition, bound: values.Item, hash_key: schema.KeyAttribute, range_key: schema.KeyAttribute | None
) -> Bounds:
    """The column values that a key condition selects in a table or index with these keys."""
    term = condition.get(hash_key.name)
    if term is None:
        raise errors.validation(f"Query condition missed key schema element: {hash_key.name}")
    if term.operator != "=":
        raise errors.validation("Query key condition not supported")
    partition = column(term.operands[0], bound, hash_key)
    if len(condition) == 1:
        return Bounds(partition)
    if range_key is None:
        raise errors.validation("Query key condition not supported")
    term = condition.get(range_key.name)
    if term is None:
        raise errors.validation(f"Query condition missed key schema element: {range_key.name}")
    return _range(partition, term, [column(name, bound, range_key) for name in term.operands], range_key)


def column(name: str, bound: values.Item, key: schema.KeyAttribute) -> keys.Column:
    """The column value of a key attribute that is compared with the value called `name`."""
    content: keys.Column | None = bound[name].get(key.kind)
    if content is None:
        raise errors.invalid("Condition parameter type does not match schema type")
    if not content:
        raise errors.validation(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {'string' if key.kind == 'S' else 'binary'} value. Key: {key.name}"
        )
    return keys.encode(key.kind, content)


def _range(partition: keys.Column, term: Term, columns: list[keys.Column], range_key: schema.KeyAttribute) -> Bounds:
    first, last = columns[0], columns[-1]
    match term.operator:
        case "begins_with":
            if range_key.kind == "N":
                raise errors.validation("Query key condition not supported")
            return Bounds(partition, first, ">=", keys.successor(first), "<")
        case "<" | "<=":
            return Bounds(partition, high=first, high_operator=term.operator)
        case ">" | ">=":
            return Bounds(partition, low=first, low_operator=term.operator)
    return Bounds(partition, first, ">=", last, "<=")


def _leaves(tree: grammar.Condition) -> list[grammar.Condition]:
    if isinstance(tree, grammar.Both):
        return _leaves(tree.left) + _leaves(tree.right)
    return [tree]


def _term(tree: grammar.Condition) -> Term:
    match tree:
        case grammar.Comparison("<>"):
            raise errors.validation("Invalid operator used in KeyConditionExpression: <>")
        case grammar.Comparison(operator, grammar.Path() as path, grammar.Reference(name)):
            return Term(_attribute(path), operator, (name,))
        case grammar.Comparison(operator, grammar.Reference(name), grammar.Path() as path):
            return Term(_attribute(path), _MIRRORED[operator], (name,))
        case grammar.Between(grammar.Path() as path, grammar.Reference(low), grammar.Reference(high)):
            return Term(_attribute(path), "BETWEEN", (low, high))
        case grammar.Function("begins_with", (grammar.Path() as path, grammar.Reference(name))):
            return Term(_attribute(path), "begins_with", (name,))
        case grammar.Function(name):
            raise errors.validation(f"Invalid operator used in KeyConditionExpression: {name}")
        case grammar.Either() | grammar.Not() | grammar.In():
            word = {"Either": "OR", "Not": "NOT", "In": "IN"}[type(tree).__name__]
            raise errors.validation(f"Invalid operator used in KeyConditionExpression: {word}")
    raise errors.validation("Invalid condition in KeyConditionExpression: No key attribute specified")


def _attribute(path: grammar.Path) -> str:
    head, *rest = path.parts
    if rest:
        raise errors.validation("KeyConditionExpressions cannot have conditions on nested attributes")
    return str(head)

"""Condition trees compiled to Python functions of an item and the call's values.

An operand that leads nowhere is None: every comparison with it is false, except `<>`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from infra.embedded import decimals, errors, grammar, paths, values

Test: TypeAlias = Callable[[values.Item, values.Item], bool]
Check: TypeAlias = Callable[[values.Item], None]
Refuse: TypeAlias = Callable[[str], errors.Refusal]

ORDERED = frozenset({"S", "N", "B"})
_ARITY = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Compiler:
    """Compiles one condition.

    Attributes:
        checks: what to verify of the call's values before the condition is evaluated.
        heads: the top-level attributes that the condition reads.
    """

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self.checks: list[Check] = []
        self.heads: set[str] = set()

    def compile(self, tree: grammar.Condition) -> Test:  # noqa: PLR0911 - one return per kind of node
        """The function that evaluates `tree`."""
        match tree:
            case grammar.Both(left, right):
                one, two = self.compile(left), self.compile(right)
                return lambda item, bound: one(item, bound) and two(item, bound)
            case grammar.Either(left, right):
                one, two = self.compile(left), self.compile(right)
                return lambda item, bound: one(item, bound) or two(item, bound)
            case grammar.Not(condition):
                inner = self.compile(condition)
                return lambda item, bound: not inner(item, bound)
            case grammar.Comparison():
                return self._comparison(tree)
            case grammar.Between():
                return self._between(tree)
            case grammar.In(operand, choices):
                self._check_distinct("IN", operand, *choices)
                read, options = self._operand(operand), [self._operand(choice) for choice in choices]
                return lambda item, bound: _is_one_of(read(item, bound), [option(item, bound) for option in options])
            case grammar.Function():
                return self._function(tree)

    def _comparison(self, tree: grammar.Comparison) -> Test:
        self._check_distinct(tree.operator, tree.left, tree.right)
        left, right = self._operand(tree.left), self._operand(tree.right)
        if tree.operator == "=":
            return lambda item, bound: values.equal(left(item, bound), right(item, bound))
        if tree.operator == "<>":
            return lambda item, bound: not values.equal(left(item, bound), right(item, bound))
        compare = _ORDER[tree.operator]
        for operand in (tree.left, tree.right):
            self._check_types(tree.operator, operand, ORDERED)
        return lambda item, bound: ordered(compare, left(item, bound), right(item, bound))

    def _between(self, tree: grammar.Between) -> Test:
        read, low, high = (self._operand(operand) for operand in (tree.operand, tree.low, tree.high))
        for operand in (tree.operand, tree.low, tree.high):
            self._check_types("BETWEEN", operand, ORDERED)
        self._check_bounds(tree.low, tree.high)

        def test(item: values.Item, bound: values.Item) -> bool:
            value = read(item, bound)
            return ordered(operator.ge, value, low(item, bound)) and ordered(operator.le, value, high(item, bound))

        return test

    def _function(self, tree: grammar.Function) -> Test:
        self._check_arity(tree)
        first, *rest = tree.arguments
        match tree.name:
            case "attribute_exists":
                read = self._path_of(tree)
                return lambda item, bound: read(item, bound) is not None
            case "attribute_not_exists":
                read = self._path_of(tree)
                return lambda item, bound: read(item, bound) is None
            case "size":
                raise self._misused("size")
        self._check_distinct(tree.name, first, *rest)
        left, right = self._operand(first), self._operand(rest[0])
        if tree.name == "contains":
            return lambda item, bound: _contains(left(item, bound), right(item, bound))
        if tree.name == "begins_with":
            self._check_types(tree.name, first, frozenset("SB"))
            self._check_types(tree.name, rest[0], frozenset("SB"))
            return lambda item, bound: _begins_with(left(item, bound), right(item, bound))
        self._check_type_name(rest[0])
        return lambda item, bound: _is_of_type(left(item, bound), right(item, bound))

    def _operand(self, operand: grammar.Operand) -> paths.Read:
        match operand:
            case grammar.Path():
                self.heads.add(str(operand.parts[0]))
                return paths.reader(operand)
            case grammar.Reference(name):
                return lambda _, bound: bound[name]
            case grammar.Function(name="size"):
                self._check_arity(operand)
                self._check_types("size", operand.arguments[0], frozenset(values.TYPES) - {"N", "BOOL", "NULL"})
                measured = self._operand(operand.arguments[0])
                return lambda item, bound: _size(measured(item, bound))
            case grammar.Function(name):
                if name not in _ARITY:
                    raise self._refuse(f"Invalid function name; function: {name}")
                raise self._misused(name)
            case grammar.Sum(sign):
                raise self._refuse(f'Syntax error; token: "{sign}"')

    def _misused(self, name: str) -> errors.Refusal:
        return self._refuse(f"The function is not allowed to be used this way in an expression; function: {name}")

    def _check_arity(self, tree: grammar.Function) -> None:
        misuse = tree.misuse(_ARITY)
        if misuse is not None:
            raise self._refuse(misuse)

    def _path_of(self, tree: grammar.Function) -> paths.Read:
        (argument,) = tree.arguments
        if not isinstance(argument, grammar.Path):
            raise self._refuse(f"Operator or function requires a document path; operator or function: {tree.name}")
        self.heads.add(str(argument.parts[0]))
        return paths.reader(argument)

    def _check_distinct(self, name: str, first: grammar.Operand, *rest: grammar.Operand) -> None:
        if isinstance(first, grammar.Path) and first in rest:
            raise self._refuse(
                "The first operand must be distinct from the remaining operands for this operator or function; "
                f"operator: {name}, first operand: {first}"
            )

    def _check_types(self, name: str, operand: grammar.Operand, allowed: frozenset[str]) -> None:
        if not isinstance(operand, grammar.Reference):
            return

        def check(bound: values.Item) -> None:
            kind = values.kind_of(bound[operand.name])
            if kind not in allowed:
                raise self._refuse(
                    "Incorrect operand type for operator or function; "
                    f"operator or function: {name}, operand type: {kind}"
                )

        self.checks.append(check)

    def _check_type_name(self, operand: grammar.Operand) -> None:
        if not isinstance(operand, grammar.Reference):
            raise self._refuse(
                "Incorrect operand type for operator or function; operator or function: attribute_type, "
                "operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
            )
        self._check_types("attribute_type", operand, frozenset("S"))

        def check(bound: values.Item) -> None:
            name = bound[operand.name]["S"]
            if name not in values.TYPES:
                raise self._refuse(
                    f"Invalid attribute type name found; type: {name}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
                )

        self.checks.append(check)

    def _check_bounds(self, low: grammar.Operand, high: grammar.Operand) -> None:
        if not (isinstance(low, grammar.Reference) and isinstance(high, grammar.Reference)):
            return

        def check(bound: values.Item) -> None:
            one, two = bound[low.name], bound[high.name]
            if one.keys() != two.keys():
                raise self._refuse("The BETWEEN operator requires same data type for lower and upper bounds;")
            if ordered(operator.gt, one, two):
                raise self._refuse(
                    "The BETWEEN operator requires upper bound to be greater than or equal to lower bound;"
                )

        self.checks.append(check)


def ordered(compare: Callable[[Any, Any], bool], left: values.Value | None, right: values.Value | None) -> bool:
    """Whether `compare` holds for two values of one ordered type; False for anything else."""
    if left is None or right is None:
        return False
    [(kind, content)] = left.items()
    other = right.get(kind)
    if other is None or kind not in ORDERED:
        return False
    if kind == "N":
        return compare(decimals.parse(content), decimals.parse(other))
    return compare(content, other)


def _is_one_of(value: values.Value | None, choices: list[values.Value | None]) -> bool:
    return any(values.equal(value, choice) for choice in choices)


def _contains(container: values.Value | None, sought: values.Value | None) -> bool:
    if container is None or sought is None:
        return False
    kind, content = next(iter(container.items()))
    sought_kind, sought_content = next(iter(sought.items()))
    if kind == "L":
        return any(values.same(element, sought) for element in content)
    return (
        kind in (sought_kind, sought_kind + "S")
        and sought_kind in ORDERED
        and kind != "N"
        and (sought_content in content)
    )


def _begins_with(value: values.Value | None, prefix: values.Value | None) -> bool:
    if value is None or prefix is None:
        return False
    kind, content = next(iter(value.items()))
    return kind in ("S", "B") and kind in prefix and bool(content.startswith(prefix[kind]))


def _is_of_type(value: values.Value | None, name: values.Value | None) -> bool:
    return value is not None and name is not None and values.kind_of(value) == name["S"]


def _size(value: values.Value | None) -> values.Value | None:
    if value is None:
        return None
    kind, content = next(iter(value.items()))
    return None if kind in ("N", "BOOL", "NULL") else {"N": str(len(content))}

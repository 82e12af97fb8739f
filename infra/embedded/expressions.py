"""All expressions of one request, compiled together and cached by their texts.

Together, because names and values are shared among them and each must be used by at least one.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from infra.embedded import conditions, errors, grammar, keyconditions, paths, updates, values

if TYPE_CHECKING:
    from collections.abc import Mapping

Names: TypeAlias = tuple[tuple[str, str], ...]

_CACHED = 2048
_PARAMETERS = {
    "UpdateExpression": "update",
    "ConditionExpression": "condition",
    "KeyConditionExpression": "key",
    "FilterExpression": "filter",
    "ProjectionExpression": "projection",
}
_NO_TEXTS = (None,) * len(_PARAMETERS)
_NAME = re.compile(r"#[0-9A-Za-z_]+")
_VALUE = re.compile(r":[0-9A-Za-z_]+")


@dataclasses.dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Program:
    """The compiled expressions of a request; what it does not have is None.

    Compiled once and cached, so that it is compared by identity.

    Attributes:
        update: of UpdateExpression.
        condition: of ConditionExpression.
        condition_absent: the attribute that must be absent, if that is all the condition says.
        concerned: the top-level attributes that condition and update read or change.
        key: of KeyConditionExpression.
        filter: of FilterExpression.
        filter_heads: the top-level attributes that the filter reads.
        projection: the paths of ProjectionExpression.
        values_used: per expression parameter, the `:` names in it.
        all_values_used: the union of those.
        checks: what to verify of the values before evaluating anything.
    """

    update: updates.Update | None = None
    condition: conditions.Test | None = None
    condition_absent: str | None = None
    concerned: frozenset[str] = frozenset()
    key: keyconditions.KeyCondition | None = None
    filter: conditions.Test | None = None
    filter_heads: frozenset[str] = frozenset()
    projection: tuple[grammar.Path, ...] | None = None
    values_used: tuple[tuple[str, frozenset[str]], ...] = ()
    all_values_used: frozenset[str] = frozenset()
    checks: tuple[conditions.Check, ...] = ()


NOTHING = Program()


def prepare(request: Mapping[str, Any]) -> tuple[Program, values.Item]:
    """Compile a request's expressions and check its names and values against them.

    Returns:
        The program, and the request's expression values in canonical form.
    """
    get = request.get
    texts = tuple([get(parameter) for parameter in _PARAMETERS])
    names, supplied = get("ExpressionAttributeNames"), get("ExpressionAttributeValues")
    if texts == _NO_TEXTS:
        _refuse_orphans(names, supplied)
        return NOTHING, {}
    program = _compile(texts, None if names is None else tuple(names.items()))
    if supplied is None and not program.all_values_used:
        return program, {}
    return program, _bind(program, supplied)


def _refuse_orphans(names: object, supplied: object) -> None:
    if names is not None:
        raise errors.validation("ExpressionAttributeNames can only be specified when using expressions")
    if supplied is not None:
        raise errors.validation("ExpressionAttributeValues can only be specified when using expressions")


def _bind(program: Program, supplied: values.Item | None) -> values.Item:
    if supplied is not None and not supplied:
        raise errors.validation("ExpressionAttributeValues must not be empty")
    supplied = supplied or {}
    if supplied.keys() != program.all_values_used:
        _explain_values(program, supplied)
    try:
        bound = values.item(supplied)
    except errors.Refusal as refusal:
        refusal.message = f"ExpressionAttributeValues contains invalid value: {refusal.message}"
        raise
    for check in program.checks:
        check(bound)
    return bound


def _explain_values(program: Program, supplied: values.Item) -> None:
    for name in supplied:
        if not _VALUE.fullmatch(name):
            raise errors.validation(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{name}"')
    for parameter, used in program.values_used:
        for name in sorted(used - supplied.keys()):
            raise errors.validation(
                f"Invalid {parameter}: An expression attribute value used in expression is not defined; "
                f"attribute value: {name}"
            )
    unused = ", ".join(sorted(supplied.keys() - program.all_values_used))
    raise errors.validation(f"Value provided in ExpressionAttributeValues unused in expressions: keys: {{{unused}}}")


@functools.lru_cache(maxsize=_CACHED)
def _compile(texts: tuple[str | None, ...], names: Names | None) -> Program:
    known = _known_names(names)
    used: set[str] = set()
    values_used = []
    parts: dict[str, Any] = {}
    concerned: frozenset[str] = frozenset()
    checks: list[conditions.Check] = []
    for (parameter, part), text in zip(_PARAMETERS.items(), texts, strict=True):
        if text is None:
            continue
        parser = grammar.Parser(parameter, text, known)
        compiled = _compile_one(part, parser, checks)
        concerned |= compiled.pop("concerned", frozenset())
        parts.update(compiled)
        used |= parser.names_used
        values_used.append((parameter, frozenset(parser.values_used)))
    unused = known.keys() - used
    if unused:
        raise errors.validation(
            f"Value provided in ExpressionAttributeNames unused in expressions: keys: {{{', '.join(sorted(unused))}}}"
        )
    every_value = frozenset().union(*(used_here for _, used_here in values_used))
    return Program(
        **parts, concerned=concerned, values_used=tuple(values_used), all_values_used=every_value, checks=tuple(checks)
    )


def _known_names(names: Names | None) -> dict[str, str]:
    if names is not None and not names:
        raise errors.validation("ExpressionAttributeNames must not be empty")
    known = dict(names or ())
    for name in known:
        if not _NAME.fullmatch(name):
            raise errors.validation(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{name}"')
    return known


def _compile_one(part: str, parser: grammar.Parser, checks: list[conditions.Check]) -> dict[str, Any]:
    if part == "update":
        update, its_checks = updates.compile_update(parser.update(), parser.refusal)
        checks += its_checks
        return {"update": update, "concerned": update.concerned}
    if part == "projection":
        projection = parser.projection()
        clash = paths.overlap(projection)
        if clash is not None:
            raise parser.refusal(clash)
        return {"projection": projection}
    tree = parser.condition()
    compiler = conditions.Compiler(parser.refusal)
    test = compiler.compile(tree)
    checks += compiler.checks
    if part == "key":
        return {"key": keyconditions.compile_key_condition(tree)}
    if part == "filter":
        return {"filter": test, "filter_heads": frozenset(compiler.heads)}
    return {"condition": test, "condition_absent": _absent(tree), "concerned": frozenset(compiler.heads)}


def _absent(tree: grammar.Condition) -> str | None:
    match tree:
        case grammar.Function("attribute_not_exists", (grammar.Path((str(name),)),)):
            return name
    return None

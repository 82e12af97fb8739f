"""RAM policies: what a document says, and whether a request is allowed by it. Pure: nothing here asks anybody anything.

    Policy      statements; a request is allowed if one allows it and none denies it, and denied if none mentions it
    Statement   an effect on actions and resources, under conditions that all have to hold
    Trust       who may assume a role: statements that name principals instead of resources

Documents are of the policy language of RAM, version "1" (help pages "Policy structure and syntax", "Policy elements",
"Conditional operators"). They are read strictly: what is not known is an error, for a condition that is passed over
could open a door. Action names match in any case, resources in their own; `*` stands for any text, `?` for a character.
A key that a request does not have meets no condition but a negated one (docs/adr/0016).
"""

import functools
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeAlias

from chalicelib.model import address as addresses
from chalicelib.model import errors, limits
from chalicelib.model.frozen import frozen

VERSION = "1"
ASSUME_ROLE = "sts:AssumeRole"
_ACTION = re.compile(r"\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?:_-]+")
_RESOURCE = re.compile(r"\*|acs:[^:]*:[^:]*:[^:]*:.+", re.DOTALL)
_PRINCIPAL = re.compile(r"acs:ram::[0-9]{1,32}:(?:root|(?:user|role)/[A-Za-z0-9._@-]{1,64})")
_PRINCIPALS = {  # form and example of each kind
    "RAM": (_PRINCIPAL, "acs:ram::1234567890123456:root"),
    "Service": (re.compile(r"(?:[0-9]{1,32}@)?[a-z0-9.-]{1,128}"), "mns.aliyuncs.com"),
}
_NUMBER = re.compile(r"[+-]?[0-9]{1,32}(?:\.[0-9]{1,32})?")
_BOOLS = {"true": True, "false": False}
_PARSED_KEPT = 1_024  # moments and addresses of requests that are remembered in parsed form

Values: TypeAlias = Callable[[str], Sequence[str]]  # the values of a condition key (see there); none: no such key


class Effect(Enum):
    """What a statement does to the requests that it is about."""

    ALLOW = "Allow"
    DENY = "Deny"


def _no_values(_key: str) -> Sequence[str]:
    return ()


@frozen
class Asked:
    """A request, as far as policies are about it."""

    actions: tuple[str, ...]  # such as mns:SendMessage; of a batch both its names: either may be allowed or denied
    resource: str  # such as acs:mns:cn-hangzhou:1234567890123456:/queues/orders
    values: Values = _no_values


@frozen
class Condition:
    """A test of one key: its operator, compiled with the values of the document."""

    operator: str
    key: str  # in lower case, but for the key of a tag
    values: tuple[str, ...]
    negated: bool
    matches: Callable[[str], bool] = field(compare=False, repr=False)  # one value of the request, any of ours

    def holds(self, asked: Asked) -> bool:
        """Whether the request meets it."""
        return any(map(self.matches, asked.values(self.key))) != self.negated


@frozen
class Statement:
    """What is allowed or denied."""

    effect: Effect
    actions: tuple[str, ...]
    except_actions: bool = False  # NotAction: all but these
    resources: tuple[str, ...] = ("*",)
    principals: tuple[str, ...] = ()  # of a trust policy
    conditions: tuple[Condition, ...] = ()

    @functools.cached_property
    def _action(self) -> Callable[[str], Any]:
        return _wildcards([action.lower() for action in self.actions])

    @functools.cached_property
    def _resource(self) -> Callable[[str], Any]:
        return _wildcards(self.resources)

    def is_about(self, actions: Iterable[str]) -> bool:
        """Whether it is about what has these names: what is excepted by one of them is not let in by another."""
        return any(self._action(action.lower()) for action in actions) is not self.except_actions

    def applies(self, asked: Asked) -> bool:
        """Whether it is about this resource, and its conditions hold; `is_about` has been asked."""
        return self._resource(asked.resource) is not None and all(
            condition.holds(asked) for condition in self.conditions
        )


class Policy:
    """Statements that are judged together: of one document, or of all that are attached to somebody."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.statements = tuple(statements)
        self._known: dict[tuple[str, ...], tuple[Statement, ...]] = {}  # for the same actions are asked again and again

    def judge(self, asked: Asked) -> Effect | None:
        """DENY if a statement denies the request, else ALLOW if one allows it, else None: nobody allows it."""
        found = None
        for statement in self._about(asked.actions):
            if (found is None or statement.effect is Effect.DENY) and statement.applies(asked):
                if statement.effect is Effect.DENY:
                    return Effect.DENY
                found = Effect.ALLOW
        return found

    def _about(self, actions: tuple[str, ...]) -> tuple[Statement, ...]:
        found = self._known.get(actions)
        if found is None:
            found = tuple(statement for statement in self.statements if statement.is_about(actions))
            if len(self._known) < limits.POLICY_ACTIONS_KEPT:
                self._known[actions] = found
        return found


class Trust:
    """The trust policy of a role."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.statements = tuple(statements)

    def trusts(self, principal: str, account_id: str, values: Values = _no_values) -> bool:
        """Whether who has this ARN, of this account, may assume the role.

        Whoever trusts an account leaves it to that account's own policies which of its users and roles may do so.
        """
        names = {principal, f"acs:ram::{account_id}:root"}
        concerned = [statement for statement in self.statements if not names.isdisjoint(statement.principals)]
        asked = Asked(actions=(ASSUME_ROLE,), resource="*", values=values)
        return Policy(concerned).judge(asked) is Effect.ALLOW


def parse(text: str) -> Policy:
    """The policy in a document.

    Raises:
        errors.MalformedPolicyDocument: the message says what is wrong, and where.
    """
    return Policy(_statement(item, place) for item, place in _statements(text))


def parse_trust(text: str) -> Trust:
    """The trust policy in a document; raises errors.MalformedPolicyDocument."""
    return Trust(_trust_statement(item, place) for item, place in _statements(text))


# --- Documents -------------------------------------------------------------------------------------------------------


def _statements(text: str) -> Iterable[tuple[Mapping[str, Any], str]]:
    """The statements of a document, each with where it stands."""
    document = _object(_read(text), "The document")
    _check_names(document, "The document", required={"Version", "Statement"})
    if document["Version"] != VERSION:
        raise _malformed(f'Version should be "{VERSION}"')
    found = document["Statement"]
    if isinstance(found, dict):
        return [(found, "Statement")]
    if not isinstance(found, list) or not found:
        raise _malformed("Statement should be an object or a list of objects, one at least")
    return [(_object(item, f"Statement[{number}]"), f"Statement[{number}]") for number, item in enumerate(found)]


def _read(text: str) -> Any:
    if len(text) > limits.POLICY_LENGTH:
        raise _malformed(f"the document should have at most {limits.POLICY_LENGTH} characters, not {len(text)}")
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(found, ensure_ascii=False).encode()  # refuses halves of surrogate pairs
    except (ValueError, RecursionError) as error:
        raise _malformed(f"the document is not JSON: {error}") from error
    return found


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1)
        raise _malformed(f"{twice[:64]!r} is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise _malformed(f"{name} is no value")


def _statement(item: Mapping[str, Any], place: str) -> Statement:
    if "Principal" in item:
        raise _malformed(f"{place} has a Principal, which is for the trust policies of roles")
    _check_names(item, place, required={"Effect", "Resource"}, optional={"Action", "NotAction", "Condition"})
    actions, excepted = _actions(item, place)
    return Statement(
        effect=_effect(item, place),
        actions=actions,
        except_actions=excepted,
        resources=_texts(item["Resource"], f"{place}.Resource", _RESOURCE, "acs:mns:*:*:/queues/orders"),
        conditions=_conditions(item.get("Condition", {}), f"{place}.Condition"),
    )


def _trust_statement(item: Mapping[str, Any], place: str) -> Statement:
    _check_names(item, place, required={"Effect", "Action", "Principal"}, optional={"Condition"})
    actions, _ = _actions(item, place)
    if not all(action.lower().startswith("sts:") for action in actions):
        raise _malformed(f"{place}.Action of a trust policy should be of sts, such as {ASSUME_ROLE}")
    return Statement(
        effect=_effect(item, place),
        actions=actions,
        principals=_principals(item["Principal"], f"{place}.Principal"),
        conditions=_conditions(item.get("Condition", {}), f"{place}.Condition"),
    )


def _effect(item: Mapping[str, Any], place: str) -> Effect:
    try:
        return Effect(item["Effect"])
    except ValueError as error:
        raise _malformed(f'{place}.Effect should be "Allow" or "Deny"') from error


def _actions(item: Mapping[str, Any], place: str) -> tuple[tuple[str, ...], bool]:
    if ("Action" in item) == ("NotAction" in item):
        raise _malformed(f"{place} should have either Action or NotAction")
    name = "Action" if "Action" in item else "NotAction"
    return _texts(item[name], f"{place}.{name}", _ACTION, "mns:SendMessage"), name == "NotAction"


def _principals(item: Any, place: str) -> tuple[str, ...]:
    kinds = _object(item, place)
    if not kinds:
        raise _malformed(f"{place} should name somebody")
    _check_names(kinds, place, required=set(), optional=_PRINCIPALS.keys())
    named: tuple[str, ...] = ()
    for kind, names in kinds.items():
        named += _texts(names, f"{place}.{kind}", *_PRINCIPALS[kind])
    return named


def _conditions(item: Any, place: str) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for name, keys in _object(item, place).items():
        kind = _OPERATORS.get(name)
        if kind is None:
            raise _malformed(f"{place} has the operator {name[:64]!r}; the operators are {', '.join(_OPERATORS)}")
        for key, values in _object(keys, f"{place}.{name}").items():
            found.append(_condition(name, key, values, f"{place}.{name}.{key[:64]}"))
    return tuple(found)


def _condition(name: str, key: str, item: Any, place: str) -> Condition:
    compile_values, negated = _OPERATORS[name]
    values = item if isinstance(item, list) else [item]
    texts = tuple(_BOOL_TEXTS[value] if isinstance(value, bool) else str(value) for value in values)
    if not texts or not all(isinstance(value, str | int | float) for value in values):
        raise _malformed(f"{place} should be a text or a list of texts")
    try:
        matches = compile_values(texts)
    except ValueError as error:
        raise _malformed(f"{place}: {error}") from error
    service, slash, tag = key.partition("/")  # of acs:ResourceTag/team; tags have a case
    return Condition(operator=name, key=service.lower() + slash + tag, values=texts, negated=negated, matches=matches)


def _object(item: Any, place: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise _malformed(f"{place} should be an object")
    return item


def _check_names(
    item: Mapping[str, Any], place: str, *, required: AbstractSet[str], optional: AbstractSet[str] = frozenset()
) -> None:
    for name in item:
        if name not in required | optional:
            known = ", ".join(sorted(required | optional))
            raise _malformed(f"{place} has the element {name[:64]!r}; its elements are {known}")
    for name in sorted(required):
        if name not in item:
            raise _malformed(f"{place} has no {name}")


def _texts(item: Any, place: str, form: re.Pattern[str], example: str) -> tuple[str, ...]:
    texts = [item] if isinstance(item, str) else item
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _malformed(f"{place} should be a text or a list of texts")
    if not texts:
        raise _malformed(f"{place} should not be empty")
    for text in texts:
        if not form.fullmatch(text):
            raise _malformed(f"{place} should be such as {example}, not {text[:128]!r}")
    return tuple(texts)


def _malformed(text: str) -> errors.MalformedPolicyDocument:
    return errors.MalformedPolicyDocument(f"{text[:1].upper()}{text[1:]}.")


# --- Wildcards and operators -----------------------------------------------------------------------------------------


def _wildcards(patterns: Iterable[str]) -> Callable[[str], Any]:
    """Whether a text is like one of the patterns, as a match or None."""
    return re.compile("|".join(map(_pattern, patterns)), re.DOTALL).fullmatch


def _pattern(text: str) -> str:
    """A regular expression for `*` and `?`.

    Each piece between two stars is looked for once and not given back, so that a pattern of many stars costs no more
    than its length times that of the text.
    """
    first, *others = [".".join(map(re.escape, piece.split("?"))) for piece in re.sub(r"\*+", "*", text).split("*")]
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}"


def _equals(values: Sequence[str]) -> Callable[[str], bool]:
    return frozenset(values).__contains__


def _equals_in_any_case(values: Sequence[str]) -> Callable[[str], bool]:
    wanted = frozenset(value.lower() for value in values)
    return lambda text: text.lower() in wanted


def _like(values: Sequence[str]) -> Callable[[str], bool]:
    match = _wildcards(values)
    return lambda text: match(text) is not None


def _compared(
    read: Callable[[str], Any], compare: Callable[[Any, Any], bool]
) -> Callable[[Sequence[str]], Callable[[str], bool]]:
    """An operator that compares what a request has with each of the document's values."""

    def compile_values(values: Sequence[str]) -> Callable[[str], bool]:
        wanted = [read(value) for value in values]

        def matches(text: str) -> bool:
            try:
                given = read(text)
            except ValueError:
                return False
            return any(compare(given, value) for value in wanted)

        return matches

    return compile_values


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:64]!r} is no number")
    return float(text)


@functools.lru_cache(maxsize=_PARSED_KEPT)
def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text[:64]!r} is no moment such as 2026-01-31T12:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _truth(text: str) -> bool:
    try:
        return _BOOLS[text.lower()]
    except KeyError as error:
        raise ValueError(f"{text[:64]!r} is neither true nor false") from error


_address = functools.lru_cache(maxsize=_PARSED_KEPT)(addresses.parse)


def _within(values: Sequence[str]) -> Callable[[str], bool]:
    networks = [addresses.parse_network(value, strict=False) for value in values]  # its errors name the value

    def matches(text: str) -> bool:
        try:
            address = _address(text)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return matches


_Compile: TypeAlias = Callable[[Sequence[str]], Callable[[str], bool]]
_BOOL_TEXTS = {True: "true", False: "false"}
_ORDERS = {
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
_OPERATORS: dict[str, tuple[_Compile, bool]] = {  # the test, and whether its outcome is turned round
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_in_any_case, False),
    "StringNotEqualsIgnoreCase": (_equals_in_any_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "NumericEquals": (_compared(_number, operator.eq), False),
    "NumericNotEquals": (_compared(_number, operator.eq), True),
    **{f"Numeric{name}": (_compared(_number, compare), False) for name, compare in _ORDERS.items()},
    "DateEquals": (_compared(_moment, operator.eq), False),
    "DateNotEquals": (_compared(_moment, operator.eq), True),
    **{f"Date{name}": (_compared(_moment, compare), False) for name, compare in _ORDERS.items()},
    "Bool": (_compared(_truth, operator.eq), False),
    "IpAddress": (_within, False),
    "NotIpAddress": (_within, True),
}
OPERATORS = tuple(_OPERATORS)

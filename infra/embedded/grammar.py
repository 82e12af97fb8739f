"""The expression language's text to a tree: tokens, nodes and the recursive descent between them.

Names behind `#` are resolved while parsing; values behind `:` stay references, so that one tree serves every call.

    condition  = and { OR and }           and = not { AND not }         not = NOT not | primary
    primary    = "(" condition ")" | operand comparator operand | operand BETWEEN operand AND operand
               | operand IN "(" operand { "," operand } ")" | function
    operand    = path | :value | function | "(" operand ")"
    update     = { SET path = sum, ... | REMOVE path, ... | ADD path :value, ... | DELETE path :value, ... }
    sum        = operand [ ("+" | "-") operand ]
    path       = name { "." name | "[" digits "]" }
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from infra.embedded import errors, reserved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Parts: TypeAlias = tuple[str | int, ...]
_Parsed = TypeVar("_Parsed")

MAX_LENGTH = 4096
MAX_IN_OPERANDS = 100
COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_TOKEN = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9_]*|\d+|[#:][A-Za-z0-9_]+|<>|<=|>=|[=<>+\-(),.\[\]])|(\S))")
_END = "<EOF>"


@dataclasses.dataclass(frozen=True, slots=True)
class Path:
    """A document path: a top-level name, then names and list positions."""

    parts: Parts

    def __str__(self) -> str:
        return f"[{', '.join(part if isinstance(part, str) else f'[{part}]' for part in self.parts)}]"


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """A value that the call supplies, `:name`."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    """A function call."""

    name: str
    arguments: tuple[Operand, ...]

    def misuse(self, arity: Mapping[str, int]) -> str | None:
        """What is wrong with the call where only the functions in `arity` exist, with so many arguments each."""
        if self.name not in arity:
            return f"Invalid function name; function: {self.name}"
        if len(self.arguments) != arity[self.name]:
            return (
                "Incorrect number of operands for operator or function; "
                f"operator or function: {self.name}, number of operands: {len(self.arguments)}"
            )
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class Sum:
    """An addition or subtraction in a SET clause."""

    operator: str
    left: Operand
    right: Operand


Operand: TypeAlias = Path | Reference | Function | Sum


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and a comparator."""

    operator: str
    left: Operand
    right: Operand


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """An operand within two inclusive bounds."""

    operand: Operand
    low: Operand
    high: Operand


@dataclasses.dataclass(frozen=True, slots=True)
class In:
    """An operand equal to one of several."""

    operand: Operand
    choices: tuple[Operand, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """A negation."""

    condition: Condition


@dataclasses.dataclass(frozen=True, slots=True)
class Both:
    """AND."""

    left: Condition
    right: Condition


@dataclasses.dataclass(frozen=True, slots=True)
class Either:
    """OR."""

    left: Condition
    right: Condition


Condition: TypeAlias = Comparison | Between | In | Not | Both | Either | Function


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """One clause of an update expression; `operand` is None for REMOVE."""

    section: str
    path: Path
    operand: Operand | None


class Parser:
    """Parses one expression.

    Attributes:
        names_used: the `#` names that occurred.
        values_used: the `:` names that occurred.
    """

    def __init__(self, kind: str, text: str, names: Mapping[str, str]) -> None:
        self._kind = kind
        self._names = names
        self.names_used: set[str] = set()
        self.values_used: set[str] = set()
        if not text.strip():
            raise self.refusal("The expression can not be empty;")
        if len(text) > MAX_LENGTH:
            raise self.refusal("Expression size has exceeded the maximum allowed size;")
        self._tokens = self._split(text)
        self._at = 0

    def refusal(self, message: str) -> errors.Refusal:
        """The refusal of this expression for the reason in `message`."""
        return errors.validation(f"Invalid {self._kind}: {message}")

    def condition(self) -> Condition:
        """Parse the whole text as a condition."""
        tree = self._either()
        self._finish()
        return tree

    def projection(self) -> tuple[Path, ...]:
        """Parse the whole text as a list of paths."""
        paths = self._separated(self._path)
        self._finish()
        return paths

    def update(self) -> tuple[Action, ...]:
        """Parse the whole text as an update."""
        sections: dict[str, tuple[Action, ...]] = {}
        clauses: dict[str, Callable[[], Action]] = {
            "SET": self._set_clause,
            "REMOVE": lambda: Action("REMOVE", self._path(), None),
            "ADD": lambda: Action("ADD", self._path(), self._reference()),
            "DELETE": lambda: Action("DELETE", self._path(), self._reference()),
        }
        while self._peek() != _END:
            section = self._peek().upper()
            if section not in clauses:
                raise self._syntax_error()
            if section in sections:
                raise self.refusal(f'The "{section}" section can only be used once in an update expression;')
            self._at += 1
            sections[section] = self._separated(clauses[section])
        return tuple(action for actions in sections.values() for action in actions)

    def _split(self, text: str) -> list[str]:
        tokens = []
        for match in _TOKEN.finditer(text.rstrip()):
            if match[2]:
                raise self.refusal(
                    f'Syntax error; token: "{match[2]}", near: "{text[match.start() : match.end() + 8]}"'
                )
            tokens.append(match[1])
        return [*tokens, _END]

    def _peek(self, ahead: int = 0) -> str:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._peek().upper() != token:
            raise self._syntax_error()
        self._at += 1

    def _finish(self) -> None:
        if self._peek() != _END:
            raise self._syntax_error()

    def _syntax_error(self) -> errors.Refusal:
        near = " ".join(token for token in self._tokens[max(self._at - 1, 0) : self._at + 2] if token != _END)
        return self.refusal(f'Syntax error; token: "{self._peek()}", near: "{near}"')

    def _separated(self, parse: Callable[[], _Parsed]) -> tuple[_Parsed, ...]:
        found = [parse()]
        while self._peek() == ",":
            self._at += 1
            found.append(parse())
        return tuple(found)

    def _either(self) -> Condition:
        tree = self._both()
        while self._peek().upper() == "OR":
            self._at += 1
            tree = Either(tree, self._both())
        return tree

    def _both(self) -> Condition:
        tree = self._negation()
        while self._peek().upper() == "AND":
            self._at += 1
            tree = Both(tree, self._negation())
        return tree

    def _negation(self) -> Condition:
        if self._peek().upper() == "NOT":
            self._at += 1
            return Not(self._negation())
        return self._primary()

    def _primary(self) -> Condition:
        if self._peek() == "(" and not self._parenthesised_operand():
            return self._parenthesised()
        left = self._operand()
        word = self._peek().upper()
        if word in COMPARATORS:
            self._at += 1
            return Comparison(word, left, self._operand())
        if word == "BETWEEN":
            self._at += 1
            low = self._operand()
            self._expect("AND")
            return Between(left, low, self._operand())
        if word == "IN":
            self._at += 1
            self._expect("(")
            choices = self._separated(self._operand)
            self._expect(")")
            if len(choices) > MAX_IN_OPERANDS:
                raise self.refusal(f"The IN operator is provided with too many operands; {len(choices)}")
            return In(left, choices)
        if isinstance(left, Function):
            return left
        raise self._syntax_error()

    def _parenthesised_operand(self) -> bool:
        """Whether the parenthesis here encloses just an operand, as in `(a) = :b`."""
        depth = 0
        for ahead in range(len(self._tokens) - self._at):
            depth += {"(": 1, ")": -1}.get(self._peek(ahead), 0)
            if not depth:
                following = self._peek(ahead + 1).upper()
                return following in COMPARATORS or following in ("IN", "BETWEEN")
        return False

    def _parenthesised(self) -> Condition:
        self._expect("(")
        start = self._at
        tree = self._either()
        if self._tokens[start] == "(" and self._closes(start) == self._at - 1:
            raise self.refusal("The expression has redundant parentheses;")
        self._expect(")")
        return tree

    def _closes(self, start: int) -> int:
        depth = 0
        for position in range(start, len(self._tokens)):
            depth += {"(": 1, ")": -1}.get(self._tokens[position], 0)
            if not depth:
                return position
        return -1

    def _set_clause(self) -> Action:
        path = self._path()
        self._expect("=")
        return Action("SET", path, self._sum())

    def _sum(self) -> Operand:
        if self._peek() == "(":
            self._at += 1
            inner = self._sum()
            self._expect(")")
            return inner
        left = self._operand()
        if self._peek() in ("+", "-"):
            operator = self._next()
            return Sum(operator, left, self._operand())
        return left

    def _operand(self) -> Operand:
        token = self._peek()
        if token[0] == "(":
            self._at += 1
            inner = self._operand()
            self._expect(")")
            return inner
        if token[0] == ":":
            return self._reference()
        if token[0].isalpha() and self._peek(1) == "(":
            self._at += 2
            arguments = self._separated(self._operand)
            self._expect(")")
            return Function(token, arguments)
        return self._path()

    def _reference(self) -> Reference:
        token = self._peek()
        if token[0] != ":":
            raise self._syntax_error()
        self._at += 1
        self.values_used.add(token)
        return Reference(token)

    def _path(self) -> Path:
        parts: list[str | int] = [self._name()]
        while self._peek() in (".", "["):
            if self._next() == ".":
                parts.append(self._name())
                continue
            if not self._peek().isdigit():
                raise self._syntax_error()
            parts.append(int(self._next()))
            self._expect("]")
        return Path(tuple(parts))

    def _name(self) -> str:
        token = self._peek()
        if token[0] == "#":
            self._at += 1
            return self._alias(token)
        if not token[0].isalpha():
            raise self._syntax_error()
        self._at += 1
        if reserved.is_reserved(token):
            raise self.refusal(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return token

    def _alias(self, token: str) -> str:
        if token not in self._names:
            raise self.refusal(
                f"An expression attribute name used in the document path is not defined; attribute name: {token}"
            )
        self.names_used.add(token)
        return self._names[token]

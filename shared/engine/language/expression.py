"""Template expressions: `[concat('a', parameters('x')[0].name)]` read into a small tree.

Source: Azure Resource Manager documentation, "Syntax and expressions in ARM templates". A string is an expression
when it starts with `[` and ends with `]`; `[[` at the start stands for a literal `[`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.domain.resource import Json
from shared.engine.error import InvalidDefinition

EXPRESSION_CHARACTERS = 81_920
EXPRESSION_LEVELS = 64
_NUMBER_CHARACTERS = 32
_INT64_BOUND = 1 << 63


@dataclass(frozen=True, slots=True)
class Literal:
    """A string or number."""

    value: Json


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """`name(arguments)`, or `namespace.name(arguments)` of templates; names compare without case."""

    name: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class MemberAccess:
    """`base.key` or `base[key]`."""

    base: "Expression"
    key: "Expression"


Expression = Literal | FunctionCall | MemberAccess

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>[+-]?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_$-]*)|(?P<mark>[()\[\],.]))",
)
ExpressionToken = tuple[str, str, int]


def is_expression(text: str) -> bool:
    """Return whether a string of a definition is an expression."""
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def unescape(text: str) -> str:
    """Return the literal that a string stands for: `[[x]` is `[x]`."""
    return text[1:] if text.startswith("[[") else text


def parse_expression(text: str, path: str) -> Expression:
    """Read one expression, brackets included; `path` is where it stands, for errors."""
    if len(text) > EXPRESSION_CHARACTERS:
        raise InvalidDefinition(
            f"the expression has {len(text)} characters; at most {EXPRESSION_CHARACTERS} are allowed", path=path
        )
    return _Reader(text, path).read()


class _Reader:
    """One pass over the tokens of an expression."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path, self.depth = text, path, 0
        self.tokens = self._scan(text[1:-1])
        self.kind, self.value, self.at = "", "", 0
        self._next()

    def _scan(self, inner: str) -> Iterator[ExpressionToken]:
        # White space at the end belongs to no token.
        at, end = 0, len(inner.rstrip())
        while at < end:
            found = _TOKEN.match(inner, at)
            if found is None:
                self.at = at + 1
                raise self._error(f"cannot read {inner[at : at + 20]!r}")
            kind = found.lastgroup or ""
            yield kind, found[kind], found.start(kind) + 1
            at = found.end()
        yield "end", "", end + 1

    def _next(self) -> None:
        self.kind, self.value, self.at = next(self.tokens, ("end", "", len(self.text)))

    def _error(self, what: str) -> InvalidDefinition:
        return InvalidDefinition(
            f"{what} at character {self.at} of {self.text[:120]!r}", path=self.path, offending=self.text
        )

    def _take(self, mark: str) -> None:
        if self.value != mark or self.kind != "mark":
            raise self._error(f"expected {mark!r}, found {self.value or 'the end'!r}")
        self._next()

    def read(self) -> Expression:
        node = self._expression()
        if self.kind != "end":
            raise self._error(f"unexpected {self.value!r}")
        return node

    def _expression(self) -> Expression:
        around = self.depth
        self._deepen()
        node = self._accesses(self._primary())
        self.depth = around
        return node

    def _deepen(self) -> None:
        self.depth += 1
        if self.depth > EXPRESSION_LEVELS:
            raise self._error(f"the expression nests more than {EXPRESSION_LEVELS} levels")

    def _primary(self) -> Expression:
        kind, value = self.kind, self.value
        if kind == "text":
            self._next()
            return Literal(value[1:-1].replace("''", "'"))
        if kind == "number":
            self._next()
            return Literal(self._number(value))
        if kind == "name":
            self._next()
            if self.kind == "mark" and self.value == ".":  # a namespace before it
                value = f"{value}.{self._member()}"
            return FunctionCall(value, self._arguments())
        raise self._error(f"expected a value, found {value or 'the end'!r}")

    def _number(self, written: str) -> Json:
        if len(written) > _NUMBER_CHARACTERS:
            raise self._error(f"the number has more than {_NUMBER_CHARACTERS} characters")
        if "." in written:
            return float(written)
        found = int(written)
        if not -_INT64_BOUND <= found < _INT64_BOUND:
            raise self._error("the number does not fit in 64 bits")
        return found

    def _arguments(self) -> tuple[Expression, ...]:
        self._take("(")
        found: list[Expression] = []
        while self.value != ")" or self.kind != "mark":
            if found:
                self._take(",")
            found.append(self._expression())
        self._take(")")
        return tuple(found)

    def _accesses(self, node: Expression) -> Expression:
        while self.kind == "mark" and self.value in {".", "["}:
            # A chain of members counts as depth: it is evaluated from the inside, one level per member.
            self._deepen()
            if self.value == ".":
                node = MemberAccess(node, Literal(self._member()))
                continue
            self._next()
            node = MemberAccess(node, self._expression())
            self._take("]")
        return node

    def _member(self) -> str:
        self._next()
        if self.kind != "name":
            raise self._error(f"expected a name after '.', found {self.value or 'the end'!r}")
        name = self.value
        self._next()
        return name

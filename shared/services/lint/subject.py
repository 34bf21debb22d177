"""What lint rules look at: a parsed definition, what is known of aliases, and every condition with its surroundings."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, Protocol

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine import AliasCatalog, InvalidDefinition
from shared.engine.applicability import field_name, possible_types
from shared.engine.comparison import checker
from shared.engine.effect import EFFECTS, Details
from shared.engine.error import EvaluationError, nearest
from shared.engine.expression import Call, Literal, is_expression, parse_expression
from shared.engine.operand import calls
from shared.engine.tree import AllOf, AnyOf, Condition, Count, Definition, Field, Node, Not, Operand, Parameter, Value

RULE = "$.policyRule"
DETAILS = "$.policyRule.then.details"
EXISTENCE = "$.policyRule.then.details.existenceCondition"
UNTURNED = frozenset(("less", "lessOrEquals", "greater", "greaterOrEquals"))
"""Operators that are false for an absent value, and so is the opposite one."""
_MOST_FITS = 10_000
"""Types times conditions that are tried on each other."""
MOST_NEAR = 2_000
"""Words that are compared with an unknown one."""
_LONGEST_STEP = 60
Types = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the definition.

    `kinds` has the type of each alias (lower-case name -> "string", "boolean", …) where that is known; `groups` what
    stands before the last slash of the aliases (lower case): the resource types that the catalog covers.
    """

    aliases: AliasCatalog
    kinds: Mapping[str, str] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found, at a path below `properties`."""

    path: str
    message: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A condition where it stands.

    `types` (lower case) are those of the resources that reach it, None for any; `negated` whether an odd number of
    `not` is around it; `counted` the arrays (lower case) of the counts around it.
    """

    condition: Condition
    types: Types
    negated: bool = False
    counted: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        """The field as written, where it is a literal."""
        left = self.condition.left
        return str(left.name.value) if isinstance(left, Field) and isinstance(left.name, Literal) else None

    @property
    def literal(self) -> Json:
        """The right side where it is a literal, else None."""
        return self.condition.right.value if isinstance(self.condition.right, Literal) else None


@dataclass(frozen=True)
class Subject:
    """A definition to look at. `properties` has lower-case keys; `details` is None where they cannot be read."""

    properties: Mapping[str, Json]
    tree: Definition
    details: Details | None
    facts: Facts

    @property
    def metadata(self) -> Mapping[str, Json]:
        """What the definition says of itself."""
        return self.tree.metadata

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Its parameters by lower-case name."""
        return self.tree.parameters

    @cached_property
    def effects(self) -> tuple[str, ...]:
        """Every effect (lower case) that the policy can have, the default first."""
        effect = self.tree.effect
        if isinstance(effect, Literal):
            return (str(effect.value).lower(),)
        parameter = self.tree.parameters.get(self.effect_parameter or "")
        choices = [parameter.default, *(parameter.allowed or ())] if parameter else []
        return tuple(dict.fromkeys(str(each).lower() for each in choices if each is not None))

    @cached_property
    def effect_parameter(self) -> str | None:
        """The name (lower case) of the parameter that gives the effect."""
        return parameter_name(self.tree.effect)

    def may(self, *effects: str) -> bool:
        """Whether the policy can have one of these effects."""
        return not {each.lower() for each in effects}.isdisjoint(self.effects)

    @cached_property
    def nodes(self) -> tuple[tuple[Node, Types], ...]:
        """The roots of its conditions with the types that reach them: the `if`, and the existenceCondition."""
        roots: list[tuple[Node, Types]] = [(self.tree.condition, None)]
        if self.details and self.details.existence is not None:
            roots.append(
                (self.details.existence, frozenset({self.details.type.lower()}) if self.details.type else None)
            )
        return tuple(roots)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every condition, in the order of the rule."""
        return tuple(place for node, types in self.nodes for place in places(node, types))

    @cached_property
    def operands(self) -> tuple[tuple[str, Operand, Types], ...]:
        """Every operand of the conditions and the details with its path and the types that reach it."""
        found: list[tuple[str, Operand, Types]] = []
        for place in self.places:
            found += ((path, operand, place.types) for path, operand in operands(place.condition))
        types = possible_types(self.tree.condition, {})
        for at, each in enumerate(self.details.changes if self.details else ()):
            path = f"{DETAILS}.operations[{at}]" if each.operation != "append" else f"{DETAILS}[{at}]"
            found += ((f"{path}.value", part, types) for part in (each.value, each.condition) if part is not None)
        return tuple(found)

    @property
    def managed(self) -> bool:
        """Whether it is about resources of Resource Manager, and not about a data plane."""
        return self.tree.mode in {"All", "Indexed"} and not self.tree.static

    @property
    def static(self) -> bool:
        """Whether it is a placeholder without a rule of its own."""
        return self.tree.static


class Worded(Protocol):
    """What rules about words need: `properties` has lower-case keys."""

    @property
    def properties(self) -> Mapping[str, Json]:
        """The properties as written."""

    @property
    def metadata(self) -> Mapping[str, Json]:
        """The `metadata` among them."""


class Declares(Protocol):
    """What rules about the declarations of parameters need: `properties` has lower-case keys."""

    @property
    def properties(self) -> Mapping[str, Json]:
        """The properties as written."""

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters by lower-case name."""

    @property
    def effect_parameter(self) -> str | None:
        """The name (lower case) of the parameter that gives the effect."""


@dataclass(frozen=True, slots=True)
class Rule[S = Subject]:
    """One lint rule on subjects of a kind. The docstring of the function that looks is its documentation."""

    id: str
    level: Level
    look: Callable[[S], Iterable[Found]]

    @property
    def says(self) -> str:
        """What it finds, in a sentence."""
        return self._text()[0]

    @property
    def mend(self) -> str:
        """What to do about it."""
        return " ".join(self._text()[1:])

    def _text(self) -> list[str]:
        return [line.strip() for line in (self.look.__doc__ or "").strip().split("\n") if line.strip()] or [""]


def nodes(node: Node) -> Iterator[Node]:
    """The node and everything below it, where clauses of counts included."""
    yield node
    match node:
        case AllOf() | AnyOf():
            for each in node.parts:
                yield from nodes(each)
        case Not():
            yield from nodes(node.part)
        case Condition(left=Count(where=where)) if where is not None:
            yield from nodes(where)
        case _:
            pass


def every_node(subject: Subject) -> Iterator[Node]:
    """Every node of the `if` and the existenceCondition."""
    return chain.from_iterable(nodes(root) for root, _ in subject.nodes)


def places(node: Node, types: Types, *, negated: bool = False, counted: tuple[str, ...] = ()) -> Iterator[Place]:
    """Every condition below a node, with what the rule around it has settled."""
    match node:
        case AllOf():
            here = narrowed(node, types)
            for each in node.parts:
                yield from places(each, here, negated=negated, counted=counted)
        case AnyOf():
            for each in node.parts:
                yield from places(each, types, negated=negated, counted=counted)
        case Not():
            yield from places(node.part, types, negated=not negated, counted=counted)
        case Condition():
            yield Place(node, types, negated, counted)
            if isinstance(node.left, Count) and node.left.where is not None:
                around = (*counted, (node.left.field or "").lower())
                yield from places(node.left.where, types, counted=around)


def narrowed(node: AllOf, types: Types) -> Types:
    """The types that can reach the parts of an allOf."""
    found = types
    for each in node.parts:
        named = possible_types(each, {})
        found = named if found is None else found if named is None else found & named
    if found is None:
        return None
    if len(found) * len(node.parts) > _MOST_FITS:
        return found
    return frozenset(kind for kind in found if all(fits_type(each, kind) for each in node.parts))


def fits_type(node: Node, kind: str) -> bool:
    """Whether a part can be true for a type, as far as it is a literal condition on the type."""
    if not isinstance(node, Condition) or field_name(node) != "type" or not isinstance(node.right, Literal):
        return True
    try:
        return checker(node.operator, node.right.value)(kind) is not False
    except EvaluationError:
        return True


def operands(condition: Condition) -> Iterator[tuple[str, Operand]]:
    """Both sides of a condition as operands, each with its path."""
    match condition.left:
        case Field(name=name):
            yield f"{condition.path}.field", name
        case Value(value=value):
            yield f"{condition.path}.value", value
        case Count(path=path, value=value) if value is not None:
            yield f"{path}.value", value
        case _:
            pass
    yield f"{condition.path}.{condition.operator}", condition.right


def parameter_name(operand: Operand) -> str | None:
    """The name (lower case) in a plain `[parameters('x')]`."""
    if isinstance(operand, Call) and operand.name.lower() == "parameters":
        name = operand.arguments[0]
        return str(name.value).lower() if isinstance(name, Literal) else None
    return None


def shape(node: Node) -> tuple[Any, ...]:
    """A node without its path and its spelling: equal for conditions that say the same."""
    match node:
        case AllOf() | AnyOf():
            return (type(node).__name__, frozenset(map(shape, node.parts)))
        case Not():
            return ("Not", shape(node.part))
        case Condition():
            return ("Condition", _left(node.left), node.operator, repr(node.right).lower())


def _left(left: Field | Value | Count) -> tuple[Any, ...]:
    if isinstance(left, Count):
        where = shape(left.where) if left.where is not None else None
        return ("Count", (left.field or "").lower(), repr(left.value).lower(), where)
    return (repr(left).lower(),)


def strings(value: Json, path: str) -> Iterator[tuple[str, str]]:
    """Every string below a value with its path; keys of objects are not among them."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from strings(each, f"{path}.{str(key)[:_LONGEST_STEP]}")
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from strings(each, f"{path}[{at}]")


def called(text: str) -> Iterator[Call]:
    """The function calls in a string that is an expression; none in one that cannot be read."""
    if is_expression(text):
        try:
            yield from calls(parse_expression(text, "$"))
        except InvalidDefinition:
            return


def member(value: Json, *keys: str) -> Json:
    """What stands below a value under these keys, compared without case; None where nothing does."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = next((each for name, each in value.items() if str(name).lower() == key.lower()), None)
    return value


def near(word: str, known: Sequence[str]) -> str | None:
    """The known word that is nearest, among the first `MOST_NEAR`: looking through more takes too long."""
    return nearest(word, tuple(known[:MOST_NEAR]))


def effect_spelled(effect: str) -> str:
    """An effect as the documentation spells it."""
    return EFFECTS.get(effect.lower(), effect)

"""What lint rules look at: a parsed definition, what is known of aliases, and every condition with its surroundings."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import Any, Protocol

from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.domain.spelling import spelled
from shared.engine import AliasCatalog, InvalidDefinition
from shared.engine.compile.applicability import field_name, possible_types
from shared.engine.compile.effect import EFFECTS, DeclaredDetails
from shared.engine.error import EvaluationError, nearest
from shared.engine.language.comparison import operator_check
from shared.engine.language.expression import FunctionCall, Literal, is_expression, parse_expression
from shared.engine.language.traversal import condition_operands, function_calls, parameter_name, walk_nodes
from shared.engine.language.tree import (
    AllOf,
    AnyOf,
    Condition,
    CountExpression,
    Definition,
    Field,
    Node,
    Not,
    Operand,
    ParameterDefinition,
)

RULE = "$.policyRule"
DETAILS = "$.policyRule.then.details"
_TYPE_CHECKS = 10_000
"""Types times conditions that are tried on each other."""
SUGGESTION_WORDS = 2_000
"""Words that are compared with an unknown one."""
_PATH_STEP_CHARACTERS = 60
Types = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class LintFacts:
    """What is known besides the definition.

    `kinds` has the type of each alias (lower-case name -> "string", "boolean", …) where that is known.
    """

    aliases: AliasCatalog
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LintFinding:
    """What a rule found, at a path below `properties`."""

    path: str
    message: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class ConditionPlace:
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
        """Return the field as written, where it is a literal."""
        left = self.condition.left
        return str(left.name.value) if isinstance(left, Field) and isinstance(left.name, Literal) else None

    @property
    def literal(self) -> Json:
        """Return the right side where it is a literal, else None."""
        return self.condition.right.value if isinstance(self.condition.right, Literal) else None


@dataclass(frozen=True)
class DefinitionSubject:
    """A definition to look at. `properties` has lower-case keys; `details` is None where they cannot be read."""

    properties: Mapping[str, Json]
    tree: Definition
    details: DeclaredDetails | None
    facts: LintFacts

    @property
    def metadata(self) -> Mapping[str, Json]:
        """Return what the definition says of itself."""
        return self.tree.metadata

    @property
    def parameters(self) -> Mapping[str, ParameterDefinition]:
        """Return its parameters by lower-case name."""
        return self.tree.parameters

    @cached_property
    def effects(self) -> tuple[str, ...]:
        """Return every effect (lower case) that the policy can have, the default first."""
        effect = self.tree.effect
        if isinstance(effect, Literal):
            return (str(effect.value).lower(),)
        parameter = self.tree.parameters.get(self.effect_parameter or "")
        # The default first: it is what happens where an assignment chooses nothing.
        choices = [parameter.default, *(parameter.allowed or ())] if parameter else []
        return tuple(dict.fromkeys(str(each).lower() for each in choices if each is not None))

    @cached_property
    def effect_parameter(self) -> str | None:
        """Return the name (lower case) of the parameter that gives the effect."""
        return parameter_name(self.tree.effect)

    def may(self, *effects: str) -> bool:
        """Return whether the policy can have one of these effects."""
        return not {each.lower() for each in effects}.isdisjoint(self.effects)

    @cached_property
    def nodes(self) -> tuple[tuple[Node, Types], ...]:
        """Return the roots of its conditions with the types that reach them: the `if`, and the existenceCondition."""
        roots: list[tuple[Node, Types]] = [(self.tree.condition, None)]
        if self.details and self.details.existence is not None:
            roots.append(
                (self.details.existence, frozenset({self.details.type.lower()}) if self.details.type else None)
            )
        return tuple(roots)

    @cached_property
    def places(self) -> tuple[ConditionPlace, ...]:
        """Return every condition, in the order of the rule."""
        return tuple(place for node, types in self.nodes for place in places(node, types))

    @cached_property
    def operands(self) -> tuple[tuple[str, Operand, Types], ...]:
        """Return every operand of the conditions and the details with its path and the types that reach it."""
        found: list[tuple[str, Operand, Types]] = []
        for place in self.places:
            path = place.condition.path
            found += ((f"{path}.{side}", operand, place.types) for side, operand in condition_operands(place.condition))
        types = possible_types(self.tree.condition, {})
        for at, each in enumerate(self.details.changes if self.details else ()):
            path = f"{DETAILS}.operations[{at}]" if each.operation != "append" else f"{DETAILS}[{at}]"
            found += ((f"{path}.value", part, types) for part in (each.value, each.condition) if part is not None)
        return tuple(found)

    @property
    def managed(self) -> bool:
        """Return whether it is about resources of Resource Manager, and not about a data plane."""
        return self.tree.mode in {"All", "Indexed"} and not self.tree.static

    @property
    def static(self) -> bool:
        """Return whether it is a placeholder without a rule of its own."""
        return self.tree.static


class HasTexts(Protocol):
    """What rules about words need: `properties` has lower-case keys."""

    @property
    def properties(self) -> Mapping[str, Json]:
        """Return the properties as written."""

    @property
    def metadata(self) -> Mapping[str, Json]:
        """Return the `metadata` among them."""


class HasParameters(Protocol):
    """What rules about the declarations of parameters need: `properties` has lower-case keys."""

    @property
    def properties(self) -> Mapping[str, Json]:
        """Return the properties as written."""

    @property
    def parameters(self) -> Mapping[str, ParameterDefinition]:
        """Return the parameters by lower-case name."""

    @property
    def effect_parameter(self) -> str | None:
        """Return the name (lower case) of the parameter that gives the effect."""


@dataclass(frozen=True, slots=True)
class LintRule[S = DefinitionSubject]:
    """One lint rule on subjects of a kind. The docstring of `look` is its documentation: "Find …", then what to do."""

    id: str
    level: LintLevel
    look: Callable[[S], Iterable[LintFinding]]

    @property
    def summary(self) -> str:
        """Return what it finds: the first sentence of its documentation, without the verb."""
        found = self._text()[0].removeprefix("Find ")
        return found[:1].upper() + found[1:]

    @property
    def help(self) -> str:
        """Return what to do about it."""
        return " ".join(self._text()[1:])

    def _text(self) -> list[str]:
        return [line.strip() for line in (self.look.__doc__ or "").strip().split("\n") if line.strip()] or [""]


def every_node(subject: DefinitionSubject) -> Iterator[Node]:
    """Yield every node of the `if` and the existenceCondition."""
    return chain.from_iterable(walk_nodes(root) for root, _ in subject.nodes)


def places(
    node: Node, types: Types, *, negated: bool = False, counted: tuple[str, ...] = ()
) -> Iterator[ConditionPlace]:
    """Yield every condition below a node, with what the rule around it has settled."""
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
            yield ConditionPlace(node, types, negated, counted)
            if isinstance(node.left, CountExpression) and node.left.where is not None:
                # Conditions in a count are about its members: a `not` around the count does not negate them.
                around = (*counted, (node.left.field or "").lower())
                yield from places(node.left.where, types, counted=around)


def narrowed(node: AllOf, types: Types) -> Types:
    """Return the types that can reach the parts of an allOf."""
    found = types
    for each in node.parts:
        named = possible_types(each, {})
        found = named if found is None else found if named is None else found & named
    if found is None:
        return None
    # Trying each type on each part takes too long for rules of thousands.
    if len(found) * len(node.parts) > _TYPE_CHECKS:
        return found
    return frozenset(kind for kind in found if all(fits_type(each, kind) for each in node.parts))


def fits_type(node: Node, kind: str) -> bool:
    """Return whether a part can be true for a type, as far as it is a literal condition on the type."""
    if not isinstance(node, Condition) or field_name(node) != "type" or not isinstance(node.right, Literal):
        return True
    try:
        return operator_check(node.operator, node.right.value)(kind) is not False
    except EvaluationError:
        return True


def shape(node: Node) -> tuple[Any, ...]:
    """Return a node without its path and its spelling: equal for conditions that say the same."""
    match node:
        case AllOf() | AnyOf():
            return (type(node).__name__, frozenset(map(shape, node.parts)))
        case Not():
            return ("Not", shape(node.part))
        case Condition():
            left: tuple[Any, ...] = (repr(node.left).lower(),)
            if isinstance(node.left, CountExpression):
                count = node.left
                where = shape(count.where) if count.where is not None else None
                left = ("Count", (count.field or "").lower(), repr(count.value).lower(), where)
            return ("Condition", left, node.operator, repr(node.right).lower())


def strings(value: Json, path: str) -> Iterator[tuple[str, str]]:
    """Yield every string below a value with its path; keys of objects are not among them."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from strings(each, f"{path}.{str(key)[:_PATH_STEP_CHARACTERS]}")
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from strings(each, f"{path}[{at}]")


def called_functions(text: str) -> Iterator[FunctionCall]:
    """Yield the function calls in a string that is an expression; none in one that cannot be read."""
    if is_expression(text):
        try:
            yield from function_calls(parse_expression(text, "$"))
        except InvalidDefinition:
            return


def member(value: Json, *keys: str) -> Json:
    """Return what stands below a value under these keys, compared without case; None where nothing does."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(spelled(value, key))
    return value


def use_nearest(word: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """Return the advice to use the nearest known word, among the first `SUGGESTION_WORDS`; else another advice.

    Looking through more words takes too long.
    """
    near = nearest(word, islice(known, SUGGESTION_WORDS))
    return f"use {near!r}" if near else otherwise


def repeated[T](keyed: Iterable[tuple[T, Hashable]]) -> Iterator[T]:
    """Yield each item whose key an item before it had."""
    seen: set[Hashable] = set()
    for each, key in keyed:
        if key in seen:
            yield each
        seen.add(key)


def effect_spelled(effect: str) -> str:
    """Return an effect as the documentation spells it."""
    return EFFECTS.get(effect.lower(), effect)

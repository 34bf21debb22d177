"""The typed tree of a policy definition, in the language's own words.

Every node that can be wrong knows its JSON path below `properties`: `$.policyRule.if.allOf[1]`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.resource import Json
from shared.engine.language.expression import Expression, FunctionCall, Literal, MemberAccess


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """An array with an expression somewhere inside."""

    members: "tuple[Operand, ...]"


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object with an expression somewhere inside."""

    pairs: "tuple[tuple[str, Operand], ...]"


UNNAMED_COUNT = "default"  # the name of a value count that is given none
Operand = Literal | FunctionCall | MemberAccess | ArrayOf | ObjectOf


@dataclass(frozen=True, slots=True)
class Field:
    """`field`: the name of a property or an alias, or an expression that gives one."""

    name: Operand


@dataclass(frozen=True, slots=True)
class Value:
    """`value`: a literal or an expression."""

    value: Operand


@dataclass(frozen=True, slots=True)
class CountExpression:
    """`count`: of the members of a `field` with [*] or of a `value`, those that meet `where`."""

    path: str
    field: str | None
    value: Operand | None
    name: str | None
    where: "Node | None"


@dataclass(frozen=True, slots=True)
class Condition:
    """A left side compared by an operator with a right side; `operator` is in its canonical spelling."""

    path: str
    left: Field | Value | CountExpression
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class AllOf:
    """True when every part is."""

    path: str
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when at least one part is."""

    path: str
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is false."""

    path: str
    part: "Node"


Node = AllOf | AnyOf | Not | Condition


@dataclass(frozen=True, slots=True)
class ParameterDefinition:
    """The declaration of a parameter; `default` is meaningful where `required` is False."""

    name: str
    type: str
    required: bool
    default: Json = None
    allowed: tuple[Json, ...] | None = None
    schema: Json = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A parsed policy definition. `details` is `then.details` as written; `static`: it has no rule of its own.

    `display_name` and `description` are for people, "" where there are none.
    """

    id: str
    name: str
    mode: str
    condition: Node
    effect: Operand
    details: Json
    static: bool = False
    parameters: Mapping[str, ParameterDefinition] = field(default_factory=dict)
    metadata: Mapping[str, Json] = field(default_factory=dict)
    display_name: str = ""
    description: str = ""


__all__ = [
    "UNNAMED_COUNT",
    "AllOf",
    "AnyOf",
    "ArrayOf",
    "Condition",
    "CountExpression",
    "Definition",
    "Expression",
    "Field",
    "FunctionCall",
    "Literal",
    "MemberAccess",
    "Node",
    "Not",
    "ObjectOf",
    "Operand",
    "ParameterDefinition",
    "Value",
]

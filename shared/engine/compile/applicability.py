"""Whether a policy is about a resource at all; a step of its own, before and apart from the verdict.

Source: "What is applicability in Azure Policy?". Only the conditions on type, name and kind count, others are taken
as they would make the rule true; for the IfNotExists effects the whole rule decides.
"""

from collections.abc import Iterator, Mapping

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.language.comparison import operator_check
from shared.engine.language.expression import Literal
from shared.engine.language.operand import parse_operand
from shared.engine.language.traversal import condition_operands, function_calls, parameter_name, walk_conditions
from shared.engine.language.tree import AllOf, AnyOf, Condition, Field, Node, Not, Operand

CONTAINER_TYPES = frozenset({"microsoft.resources/subscriptions", "microsoft.resources/subscriptions/resourcegroups"})


def field_name(condition: Condition) -> str | None:
    """Return the literal field name of a condition, lower case."""
    if isinstance(condition.left, Field) and isinstance(condition.left.name, Literal):
        return str(condition.left.name.value).lower()
    return None


def applicability_fields(node: Node) -> frozenset[str]:
    """Return which of type, name and kind decide applicability for this rule.

    A rule of kind or name conditions only applies to everything; one of type and kind, or type and name, conditions
    only is decided by type.
    """
    names = {field_name(each) or "" for each in walk_conditions(node)}
    if names <= {"type", "kind"} or names <= {"type", "name"}:
        return frozenset({"type"})
    return frozenset({"type", "name", "kind"}) & names


def restrict_to_fields(node: Node, fields: frozenset[str], *, negated: bool = False) -> Node | None:
    """Return the rule with only the conditions on these fields; None stands for a condition that is not considered.

    Such a condition is taken as it makes the rule true: as true, and below a `not` (`negated`) as false.
    """
    match node:
        case AllOf() | AnyOf():
            parts = tuple(restrict_to_fields(each, fields, negated=negated) for each in node.parts)
            kept = tuple(each for each in parts if each is not None)
            if isinstance(node, AllOf if negated else AnyOf) and len(kept) < len(parts):
                return None  # the part that is not considered decides
            return type(node)(node.path, kept) if kept else None
        case Not():
            inner = restrict_to_fields(node.part, fields, negated=not negated)
            return None if inner is None else Not(node.path, inner)
        case Condition():
            return node if field_name(node) in fields else None


def possible_types(node: Node | None, parameters: Mapping[str, Json]) -> frozenset[str] | None:
    """Return the types (lower case) for which a skeleton can be true, where it names them one by one; None: any."""
    match node:
        case AllOf():
            found = [types for each in node.parts if (types := possible_types(each, parameters)) is not None]
            return frozenset.intersection(*found) if found else None
        case AnyOf():
            options = [possible_types(each, parameters) for each in node.parts]
            return None if None in options else frozenset().union(*(each for each in options if each is not None))
        case Condition():
            return _named_types(node, parameters)
        case _:
            return None


def _named_types(node: Condition, parameters: Mapping[str, Json]) -> frozenset[str] | None:
    if field_name(node) != "type" or node.operator not in {"equals", "in"}:
        return None
    expected = known_value(node.right, parameters)
    listed = expected if isinstance(expected, list) else [expected]
    return frozenset(each.lower() for each in listed) if all(isinstance(each, str) for each in listed) else None


def known_value(operand: Operand, parameters: Mapping[str, Json]) -> Json:
    """Return a literal, or the value of a plain `[parameters('x')]`; None where it takes more than that."""
    if isinstance(operand, Literal):
        return operand.value
    name = parameter_name(operand)
    return None if name is None else parameters.get(name)


def may_match_type(node: Node | None, resource_type: str, parameters: Mapping[str, Json]) -> bool:
    """Return whether a skeleton can be true for a type; conditions on anything else are taken as unknown."""
    return _type_answer(node, resource_type, parameters) is not False


def _type_answer(node: Node | None, resource_type: str, parameters: Mapping[str, Json]) -> bool | None:
    match node:
        case AllOf():
            answers = [_type_answer(each, resource_type, parameters) for each in node.parts]
            return False if False in answers else None if None in answers else True
        case AnyOf():
            answers = [_type_answer(each, resource_type, parameters) for each in node.parts]
            return True if True in answers else None if None in answers else False
        case Not():
            inner = _type_answer(node.part, resource_type, parameters)
            return None if inner is None else not inner
        case Condition() if field_name(node) == "type":
            expected = known_value(node.right, parameters)
            try:
                return None if expected is None else operator_check(node.operator, expected)(resource_type)
            except EvaluationError:
                return None
        case _:
            return None


def has_location_condition(node: Node, details: Json) -> bool:
    """Return whether a rule or its deployment reads locations, and so does not apply to subscriptions."""
    found = list(walk_conditions(node))
    operands = [*(each for one in found for _, each in condition_operands(one)), *_deployment_parameters(details)]
    names = (call.arguments[0] for each in operands for call in function_calls(each, "field"))
    return any(field_name(each) == "location" for each in found) or any(
        isinstance(name, Literal) and str(name.value).lower() == "location" for name in names
    )


def _deployment_parameters(details: Json) -> Iterator[Operand]:
    deployment = details.get("deployment") if isinstance(details, Mapping) else None
    properties = deployment.get("properties") if isinstance(deployment, Mapping) else None
    parameters = properties.get("parameters") if isinstance(properties, Mapping) else None
    for name, value in (parameters if isinstance(parameters, Mapping) else {}).items():
        yield parse_operand(value, f"$.policyRule.then.details.deployment.properties.parameters.{name}")

"""The canonical layout of policy files: the documented key order and spelling, two spaces, one line end."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain.error import InvalidInput
from shared.engine import load_definition
from shared.engine.assignment import parse_assignment
from shared.engine.comparison import OPERATORS
from shared.engine.effect import EFFECTS
from shared.engine.expression import is_expression
from shared.engine.initiative import parse_initiative
from shared.engine.parser import parse_definition
from shared.services.layout_plan import ANY_NAME, INNER, OUTER, PARAMETER, Plan
from shared.services.library import Shape, shape_of

Json = Any
Keys = tuple[str, ...]

_OUTER: Keys = ("name", "type", "id", "location", "apiVersion", "properties", "systemData")
_PROPERTIES: Keys = (
    "displayName",
    "description",
    "policyType",
    "mode",
    "metadata",
    "version",
    "versions",
    "parameters",
    "policyRule",
    "externalEvaluationEnforcementSettings",
)
_CONDITION: Keys = ("allOf", "anyOf", "not", "field", "value", "count", *OPERATORS)
_COUNT: Keys = ("field", "value", "name", "where")
_THEN: Keys = ("effect", "details")
_DETAILS: Keys = (
    "type",
    "name",
    "resourceGroupName",
    "existenceScope",
    "evaluationDelay",
    "existenceCondition",
    "roleDefinitionIds",
    "conflictEffect",
    "operations",
    "deploymentScope",
    "deployment",
    "actionNames",
    "cascadeBehaviors",
    "defaultState",
)
_OPERATION: Keys = ("operation", "field", "value", "condition")


def arrange_text(text: str | bytes) -> str:
    """The text of a policy file in canonical layout, ending in a line end; arranging it again changes nothing.

    Raises:
        InvalidInput: it is no definition, initiative or assignment; the message says where.
    """
    try:
        return write(arrange(load_definition(text)))
    except RecursionError:
        raise InvalidInput("the definition nests too deeply", path="$") from None


def write(definition: Mapping[str, Json]) -> str:
    """JSON with two spaces; InvalidInput for numbers that JSON does not have."""
    try:
        text = json.dumps(definition, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InvalidInput(f"the definition holds a number that JSON cannot write: {error}", path="$") from None
    return text + "\n"


def arrange(definition: Mapping[str, Json]) -> dict[str, Json]:
    """The definition with its keys in the order and spelling of the documentation; values stay as they are.

    Initiatives and assignments are taken too. What the language does not name (metadata, templates, the details of
    data planes) keeps its order.
    """
    shape = shape_of(definition)
    if shape is Shape.INITIATIVE or shape is Shape.ASSIGNMENT:
        return _arrange_other(definition, shape)
    parse_definition(definition)
    outer = _ordered(definition, (*_OUTER, *_PROPERTIES, "if", "then"))
    if "if" in outer:
        return _rule(outer)
    if "properties" in outer:
        return outer | {"properties": _properties(outer["properties"])}
    return _properties(outer)


def _arrange_other(source: Mapping[str, Json], shape: Shape) -> dict[str, Json]:
    """An initiative or assignment, with `properties` or bare."""
    (parse_initiative if shape is Shape.INITIATIVE else parse_assignment)(source)
    nested = any(str(key).lower() == "properties" for key in source)
    arranged: dict[str, Json] = _arranged(
        source, {**OUTER[shape], **({"properties": INNER[shape]} if nested else INNER[shape])}
    )
    return arranged


def _arranged(source: Json, plan: Plan | None) -> Json:
    if isinstance(plan, tuple) and isinstance(source, list):
        return [_arranged(each, plan[0]) for each in source]
    if not isinstance(plan, Mapping) or not isinstance(source, Mapping):
        return source
    if ANY_NAME in plan:
        return {name: _arranged(each, plan[ANY_NAME]) for name, each in source.items()}
    return {key: _arranged(each, plan.get(key)) for key, each in _ordered(source, tuple(plan)).items()}


def _ordered(source: Mapping[str, Json], keys: Sequence[str]) -> dict[str, Json]:
    """The known keys in their order and spelling, then the others as they come."""
    spelling = {key.lower(): key for key in keys}
    found = {spelling.get(str(key).lower(), key): value for key, value in source.items()}
    known = {key: found[key] for key in keys if key in found}
    return known | {key: value for key, value in found.items() if key not in known}


def _properties(source: Mapping[str, Json]) -> dict[str, Json]:
    found = _ordered(source, (*_OUTER, *_PROPERTIES))
    if isinstance(found.get("parameters"), Mapping):
        found["parameters"] = {name: _ordered(each, PARAMETER) for name, each in found["parameters"].items()}
    managed = str(found.get("mode", "All")).lower() in {"all", "indexed"}
    return found | {"policyRule": _rule(found["policyRule"], managed=managed)}


def _rule(source: Mapping[str, Json], *, managed: bool = True) -> dict[str, Json]:
    """A rule; the details of a data plane stay as they are."""
    found = _ordered(source, ("if", "then"))
    return found | {"if": _condition(found["if"]), "then": _then(found["then"], managed=managed)}


def _condition(source: Json) -> Json:
    if not isinstance(source, Mapping):
        return source
    found = _ordered(source, _CONDITION)
    for key in ("allOf", "anyOf"):
        if key in found:
            found[key] = [_condition(each) for each in found[key]]
    if "not" in found:
        found["not"] = _condition(found["not"])
    if "count" in found:
        found["count"] = _count(found["count"])
    return found


def _count(source: Mapping[str, Json]) -> dict[str, Json]:
    found = _ordered(source, _COUNT)
    return found | ({"where": _condition(found["where"])} if "where" in found else {})


def _then(source: Mapping[str, Json], *, managed: bool) -> dict[str, Json]:
    found = _ordered(source, _THEN)
    effect = found["effect"]
    if not is_expression(effect):
        found["effect"] = EFFECTS.get(effect.lower(), effect)
    details = found.get("details")
    if managed and isinstance(details, Mapping):
        found["details"] = _details(details)
    elif managed and isinstance(details, list):
        found["details"] = _operations(details)
    return found


def _details(source: Mapping[str, Json]) -> dict[str, Json]:
    found = _ordered(source, _DETAILS)
    if "existenceCondition" in found:
        found["existenceCondition"] = _condition(found["existenceCondition"])
    if isinstance(found.get("operations"), list):
        found["operations"] = _operations(found["operations"])
    return found


def _operations(source: Sequence[Json]) -> list[Json]:
    return [_ordered(each, _OPERATION) if isinstance(each, Mapping) else each for each in source]

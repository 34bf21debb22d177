"""The canonical format of policy files: the documented key order and spelling, two spaces, one line end."""

import json
from collections.abc import Mapping, Sequence

from shared.authoring.comment import read_comments, write_commented
from shared.authoring.key_order import ANY_NAME, PARAMETER_KEYS, PROPERTIES_KEYS, RESOURCE_KEYS, KeyTree
from shared.authoring.library import DocumentShape, shape_of
from shared.authoring.policy_file import read_json, read_policies
from shared.domain import json_text, jsonc
from shared.domain.error import InvalidInput
from shared.domain.resource import Json
from shared.engine.compile.effect import EFFECTS
from shared.engine.compile.initiative import parse_initiative
from shared.engine.language.assignment import parse_assignment
from shared.engine.language.comparison import OPERATORS
from shared.engine.language.expression import is_expression
from shared.engine.language.parser import parse_definition

KeyOrder = tuple[str, ...]

_RESOURCE_KEYS: KeyOrder = ("name", "type", "id", "location", "apiVersion", "properties", "systemData")
_PROPERTIES_KEYS: KeyOrder = (
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
_CONDITION_KEYS: KeyOrder = ("allOf", "anyOf", "not", "field", "value", "count", *OPERATORS)
_COUNT_KEYS: KeyOrder = ("field", "value", "name", "where")
_THEN_KEYS: KeyOrder = ("effect", "details")
_DETAILS_KEYS: KeyOrder = (
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
_OPERATION_KEYS: KeyOrder = ("operation", "field", "value", "condition")


def format_text(text: str | bytes) -> str:
    """Return the text of a policy file in canonical format, with a final line end; formatting it again changes nothing.

    Of a list, a page or a template only its policies are formatted.

    Comments stay with the value that they are about.

    Raises:
        InvalidInput: there is no definition, initiative or assignment, or one that cannot be used; the message says
            where.
    """
    try:
        policies, value = read_policies(text), read_json(text)
        for each in policies:
            # What is put together from a file's parts, or cannot be used, stays as it is.
            if each.places or each.problem:
                continue
            if not each.unknown:
                _check(each.source)
            value = _replaced(value, each.steps, each.within)
        return _written(value, text)
    except RecursionError:
        raise InvalidInput("the definition nests too deeply", path="$") from None


def _written(value: Json, text: str | bytes) -> str:
    """Return the text of a value with the comments that the text before had."""
    before = json_text.text(text) if isinstance(text, bytes) else text
    plain = write_json(value)  # which refuses numbers that JSON does not have
    if jsonc.without_comments(before.encode("utf-8", "surrogatepass")) == before.encode("utf-8", "surrogatepass"):
        return plain
    return write_commented(value, read_comments(before))


def _replaced(node: Json, steps: Sequence[str | int], within: str) -> Json:
    """Return a value with the policy at these steps formatted; `within` is the part of a policy that it is."""
    if not steps:
        part = within.removeprefix(".")
        whole = _arrange({part: node} if part else node)
        return whole[part] if part else whole
    first, *rest = steps
    if isinstance(node, list):
        return [_replaced(each, rest, within) if at == first else each for at, each in enumerate(node)]
    return {key: _replaced(each, rest, within) if key == first else each for key, each in node.items()}


def write_json(definition: Json) -> str:
    """Return the JSON text with two spaces; InvalidInput for numbers that JSON does not have."""
    try:
        text = json.dumps(definition, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise InvalidInput(f"the definition holds a number that JSON cannot write: {error}", path="$") from None
    return text + "\n"


def format_policy(definition: Mapping[str, Json]) -> dict[str, Json]:
    """Return the definition with its keys in the order and spelling of the documentation; values stay as they are.

    Initiatives and assignments are taken too. What the language does not name (metadata, templates, the details of
    data planes) keeps its order.
    """
    _check(definition)
    return _arrange(definition)


def _check(definition: Mapping[str, Json]) -> None:
    """Parse a policy for its errors only: what cannot be used must not come out looking tidy."""
    shape = shape_of(definition)
    if shape is DocumentShape.INITIATIVE:
        parse_initiative(definition)
    elif shape is DocumentShape.ASSIGNMENT:
        parse_assignment(definition)
    else:
        parse_definition(definition)


def _arrange(definition: Mapping[str, Json]) -> dict[str, Json]:
    shape = shape_of(definition)
    if shape is DocumentShape.INITIATIVE or shape is DocumentShape.ASSIGNMENT:
        bare = not any(str(key).lower() == "properties" for key in definition)
        inner = PROPERTIES_KEYS[shape] if bare else {"properties": PROPERTIES_KEYS[shape]}
        arranged: dict[str, Json] = _format_keys(definition, {**RESOURCE_KEYS[shape], **inner})
        return arranged
    outer = _ordered(definition, (*_RESOURCE_KEYS, *_PROPERTIES_KEYS, "if", "then"))
    if "if" in outer:
        return _rule(outer)
    if "properties" in outer:
        inner = outer["properties"]  # of a template, it may be an expression
        return outer | {"properties": _properties(inner)} if isinstance(inner, Mapping) else outer
    return _properties(outer) if "policyRule" in outer else dict(definition)


def _format_keys(source: Json, plan: KeyTree | None) -> Json:
    if isinstance(plan, tuple) and isinstance(source, list):
        return [_format_keys(each, plan[0]) for each in source]
    if not isinstance(plan, Mapping) or not isinstance(source, Mapping):
        return source
    if ANY_NAME in plan:
        return {name: _format_keys(each, plan[ANY_NAME]) for name, each in source.items()}
    return {key: _format_keys(each, plan.get(key)) for key, each in _ordered(source, tuple(plan)).items()}


def _ordered(source: Mapping[str, Json], keys: Sequence[str]) -> dict[str, Json]:
    """Return the known keys in their order and spelling, then the others as they come."""
    spelling = {key.lower(): key for key in keys}
    found = {spelling.get(str(key).lower(), key): value for key, value in source.items()}
    # Dicts keep the order they are built in, which is the order of the keys in the file.
    known = {key: found[key] for key in keys if key in found}
    return known | {key: value for key, value in found.items() if key not in known}


def _properties(source: Mapping[str, Json]) -> dict[str, Json]:
    found = _ordered(source, (*_RESOURCE_KEYS, *_PROPERTIES_KEYS))
    if isinstance(found.get("parameters"), Mapping):
        found["parameters"] = {name: _ordered(each, PARAMETER_KEYS) for name, each in found["parameters"].items()}
    # The details in a data-plane mode have keys of their own.
    managed = str(found.get("mode", "All")).lower() in {"all", "indexed"}
    if not isinstance(found.get("policyRule"), Mapping):  # of a template: an expression, or no policy
        return found
    return found | {"policyRule": _rule(found["policyRule"], managed=managed)}


def _rule(source: Mapping[str, Json], *, managed: bool = True) -> dict[str, Json]:
    """Return a rule; the details of a data plane stay as they are."""
    found = _ordered(source, ("if", "then"))
    return found | {"if": _condition(found["if"]), "then": _then(found["then"], managed=managed)}


def _condition(source: Json) -> Json:
    if not isinstance(source, Mapping):
        return source
    found = _ordered(source, _CONDITION_KEYS)
    for key in ("allOf", "anyOf"):
        if key in found:
            found[key] = [_condition(each) for each in found[key]]
    if "not" in found:
        found["not"] = _condition(found["not"])
    if "count" in found:
        count = _ordered(found["count"], _COUNT_KEYS)
        found["count"] = count | ({"where": _condition(count["where"])} if "where" in count else {})
    return found


def _then(source: Mapping[str, Json], *, managed: bool) -> dict[str, Json]:
    found = _ordered(source, _THEN_KEYS)
    effect = found["effect"]
    # An expression is not spelled here: its parameter decides.
    if not is_expression(effect):
        found["effect"] = EFFECTS.get(effect.lower(), effect)
    details = found.get("details")
    if managed and isinstance(details, list):  # of `append`: the operations themselves
        found["details"] = _operations(details)
    elif managed and isinstance(details, Mapping):
        found["details"] = details = _ordered(details, _DETAILS_KEYS)
        if "existenceCondition" in details:
            details["existenceCondition"] = _condition(details["existenceCondition"])
        if isinstance(details.get("operations"), list):
            details["operations"] = _operations(details["operations"])
    return found


def _operations(source: Sequence[Json]) -> list[Json]:
    return [_ordered(each, _OPERATION_KEYS) if isinstance(each, Mapping) else each for each in source]

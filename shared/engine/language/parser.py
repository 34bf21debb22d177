"""Read policy definitions: JSON to a tree; what the language does not allow is refused with its JSON path."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice

from shared.domain import json_text
from shared.domain.resource import Json
from shared.domain.spelling import lowered
from shared.engine.error import InvalidDefinition, nearest, unknown_word
from shared.engine.language.comparison import OPERATORS
from shared.engine.language.operand import parse_operand
from shared.engine.language.parameter import parse_parameters
from shared.engine.language.traversal import function_calls
from shared.engine.language.tree import (
    UNNAMED_COUNT,
    AllOf,
    AnyOf,
    Condition,
    CountExpression,
    Definition,
    Field,
    Literal,
    Node,
    Not,
    Operand,
    Value,
)
from shared.engine.value import kind

RULE_LEVELS = 64
RULE_NODES = 20_000
RULE_CONDITIONS = 4096
RULE_VALUE_COUNTS = 10
RULE_FIELD_COUNTS = 5
_CHECKED_KEYS = 1_000


def _by_lower_case(*names: str) -> Mapping[str, str]:
    """Return the names by their lower-case form."""
    return {name.lower(): name for name in names}


_CONDITION_KEYS = _by_lower_case(*OPERATORS, "allOf", "anyOf", "not", "field", "value", "count")
_COUNT_KEYS = _by_lower_case("field", "value", "name", "where")
_RULE_KEYS = _by_lower_case("if", "then")
_THEN_KEYS = _by_lower_case("effect", "details")
_RESOURCE_KEYS = _by_lower_case("id", "name", "type", "properties", "systemData")
_PROPERTIES_KEYS = _by_lower_case(
    "displayName",
    "description",
    "mode",
    "policyType",
    "metadata",
    "parameters",
    "policyRule",
    "version",
    "versions",
    "externalEvaluationEnforcementSettings",
)
_MODES = _by_lower_case("All", "Indexed", "NotSpecified")
_LOGICAL_OPERATORS = (("allof", AllOf), ("anyof", AnyOf))
_LEFT_SIDES = ("field", "value", "count")


def load_definition(text: str | bytes) -> dict[str, Json]:
    """Decode a definition's JSON as `json_text.read` does; keys are compared without case.

    Raises:
        InvalidDefinition: broken JSON, a key that occurs twice, a number that cannot be kept, or nesting without end.
    """
    try:
        found = json_text.read(text, fold=True)
    except json_text.Unreadable as error:
        raise InvalidDefinition(error.reason, path=error.path or "$", offending=error.offending) from None
    return dict(_object(found, "$"))


def parse_definition(source: Mapping[str, Json]) -> Definition:
    """Read a definition: the resource with `properties`, the bare properties, or a bare rule {if, then}."""
    outer = _keys(_object(source, "$"), "$")
    if "if" in outer and "policyrule" not in outer:
        # A bare rule is that of a definition about every type.
        outer = {"policyrule": source, "mode": "All"}
    inner = outer
    if "properties" in outer:
        inner = _keys(_object(outer["properties"], "$.properties"), "$.properties")
        _no_misspelling(source, _RESOURCE_KEYS, "$")
        _no_misspelling(outer["properties"], _PROPERTIES_KEYS, "$.properties")
    elif source is not outer.get("policyrule"):
        _no_misspelling(source, {**_RESOURCE_KEYS, **_PROPERTIES_KEYS}, "$")
    if "policyrule" not in inner:
        raise InvalidDefinition("the definition has no policyRule", path="$")
    return _definition(outer, inner)


def _definition(outer: Mapping[str, Json], inner: Mapping[str, Json]) -> Definition:
    rule = _keys(_object(inner["policyrule"], "$.policyRule"), "$.policyRule")
    _only(inner["policyrule"], _RULE_KEYS, "$.policyRule")
    for part in ("if", "then"):
        if part not in rule:
            raise InvalidDefinition(f"the rule has no {part!r}", path="$.policyRule")
    then = _keys(_object(rule["then"], "$.policyRule.then"), "$.policyRule.then")
    _only(rule["then"], _THEN_KEYS, "$.policyRule.then")
    if not isinstance(then.get("effect"), str):
        raise InvalidDefinition("the effect must be a string", path="$.policyRule.then.effect")
    static = str(inner.get("policytype")).lower() == "static"
    return Definition(
        id=str(outer.get("id") or ""),
        name=str(outer.get("name") or ""),
        mode=_mode(inner.get("mode"), static=static),
        condition=parse_condition(rule["if"], "$.policyRule.if"),
        effect=parse_operand(then["effect"], "$.policyRule.then.effect"),
        details=then.get("details"),
        static=static,
        parameters=parse_parameters(inner.get("parameters") or {}, "$.parameters"),
        metadata=_object(inner.get("metadata") or {}, "$.metadata"),
        display_name=str(inner.get("displayname") or ""),
        description=str(inner.get("description") or ""),
    )


def _mode(mode: Json, *, static: bool) -> str:
    """Return All, Indexed (the default), or the mode as written: NotSpecified, or a data plane's, which has a dot."""
    if mode is None:
        return "Indexed"
    if not isinstance(mode, str):
        raise InvalidDefinition("the mode must be a string", path="$.mode", offending=str(mode))
    if mode.lower() not in _MODES and "." not in mode and not static:
        raise unknown_word("mode", mode, _MODES.values(), path="$.mode")
    return {"all": "All", "indexed": "Indexed"}.get(mode.lower(), mode)


def parse_condition(source: Json, path: str, most: int = RULE_CONDITIONS) -> Node:
    """Read an `if` or an `existenceCondition` of at most so many conditions.

    Source of the limits: "Azure Policy definition structure policy rule, policy rule limits".
    """
    return _Parser(most).node(source, path, 0)


class _Parser:
    """Counts what it reads, so that a hostile rule ends in a named error; `around` names the counts it stands in."""

    def __init__(self, most: int) -> None:
        self.most, self.nodes, self.conditions = most, 0, 0
        self.around: list[str] = []
        self.counted: Counter[str] = Counter()

    def node(self, source: Json, path: str, depth: int) -> Node:
        self.nodes += 1
        if depth > RULE_LEVELS:
            raise InvalidDefinition(f"the rule nests more than {RULE_LEVELS} levels", path=path)
        if self.nodes > RULE_NODES:
            raise InvalidDefinition(f"the rule has more than {RULE_NODES} conditions", path=path)
        keys = _keys(_object(source, path), path)
        for name, logic in _LOGICAL_OPERATORS:
            if name in keys:
                _alone(source, path, _CONDITION_KEYS[name])
                return logic(path, self._parts(keys[name], f"{path}.{_CONDITION_KEYS[name]}", depth))
        if "not" in keys:
            _alone(source, path, "not")
            return Not(path, self.node(keys["not"], f"{path}.not", depth + 1))
        return self._condition(source, keys, path, depth)

    def _parts(self, source: Json, path: str, depth: int) -> tuple[Node, ...]:
        if not isinstance(source, list) or not source:
            raise InvalidDefinition("expected a list with at least one condition", path=path, offending=_text(source))
        return tuple(self.node(each, f"{path}[{at}]", depth + 1) for at, each in enumerate(source))

    def _condition(self, source: Mapping[str, Json], keys: Mapping[str, Json], path: str, depth: int) -> Condition:
        self.conditions += 1
        if self.conditions > self.most:
            raise InvalidDefinition(f"the rule has more than {self.most} conditions", path=path)
        lefts = [name for name in _LEFT_SIDES if name in keys]
        operators = [_CONDITION_KEYS[key] for key in keys if _CONDITION_KEYS.get(key) in OPERATORS]
        if "source" in keys:
            raise InvalidDefinition(_replaced_source(keys), path=path, offending="source")
        _only(source, _CONDITION_KEYS, path)
        if len(lefts) != 1:
            raise InvalidDefinition(
                "a condition needs one of field, value and count", path=path, offending=_text(source)
            )
        if len(operators) != 1:
            raise InvalidDefinition("a condition needs one operator", path=path, offending=_text(source))
        operator = operators[0]
        left = self._left(lefts[0], keys[lefts[0]], path, depth)
        right = parse_operand(keys[operator.lower()], f"{path}.{operator}")
        self._placed(right, f"{path}.{operator}")
        if isinstance(right, Literal) and (wrong := OPERATORS[operator].refuses(right.value)):
            raise InvalidDefinition(wrong, path=f"{path}.{operator}", offending=_text(right.value))
        return Condition(path, left, operator, right)

    def _left(self, name: str, source: Json, path: str, depth: int) -> Field | Value | CountExpression:
        if name == "value":
            value = parse_operand(source, f"{path}.value")
            self._placed(value, f"{path}.value")
            return Value(value)
        if name == "count":
            return self._count(source, f"{path}.count", depth)
        if not isinstance(source, str) or not source:
            raise InvalidDefinition("a field must be a name", path=f"{path}.field", offending=_text(source))
        named = parse_operand(source, f"{path}.field")
        self._placed(named, f"{path}.field")
        return Field(named)

    def _placed(self, operand: Operand, path: str) -> None:
        """Refuse current() outside of counts, or with a name that no count around it has."""
        for each in function_calls(operand, "current"):
            if not self.around:
                raise InvalidDefinition("current() stands outside a count", path=path, offending="current")
            name = each.arguments[0] if each.arguments else None
            if not isinstance(name, Literal):
                continue
            low = str(name.value).lower()
            # A member of an array may have an alias that is spelled otherwise than the array's.
            if low not in self.around and not ("/" in low and any("[*]" in count for count in self.around)):
                message = f"current({str(name.value)[:60]!r}) names no count around it"
                raise InvalidDefinition(
                    message, path=path, offending=str(name.value), suggestion=nearest(str(name.value), self.around)
                )

    def _count(self, source: Json, path: str, depth: int) -> CountExpression:
        keys = _keys(_object(source, path), path)
        _only(source, _COUNT_KEYS, path)
        if ("field" in keys) == ("value" in keys):
            raise InvalidDefinition("a count needs one of field and value", path=path, offending=_text(source))
        field = keys.get("field")
        if "field" in keys and (not isinstance(field, str) or "[*]" not in field):
            raise InvalidDefinition("a counted field must have [*]", path=f"{path}.field", offending=_text(field))
        if "name" in keys and (field is not None or not isinstance(keys["name"], str)):
            raise InvalidDefinition("only a count of values has a name, which is a string", path=f"{path}.name")
        value = parse_operand(keys["value"], f"{path}.value") if "value" in keys else None
        if isinstance(value, Literal) and not isinstance(value.value, list):
            raise InvalidDefinition(
                "a counted value must be a list", path=f"{path}.value", offending=_text(value.value)
            )
        self._limit(field, path)
        self.around.append(str(field or keys.get("name") or UNNAMED_COUNT).lower())
        where = self.node(keys["where"], f"{path}.where", depth + 1) if "where" in keys else None
        self.around.pop()
        return CountExpression(path, field, value, keys.get("name"), where)

    def _limit(self, field: str | None, path: str) -> None:
        key, most = ("", RULE_VALUE_COUNTS) if field is None else (field.lower(), RULE_FIELD_COUNTS)
        self.counted[key] += 1
        if self.counted[key] > most:
            what = "counts of values" if field is None else f"counts of {field[:60]!r}"
            raise InvalidDefinition(f"the rule has more than {most} {what}", path=path)


def _object(source: Json, path: str) -> Mapping[str, Json]:
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object", path=path, offending=_text(source))
    return source


def _keys(source: Mapping[str, Json], path: str) -> dict[str, Json]:
    """Return the members by lower-case key; a key given twice in different spellings is refused."""
    keys = lowered(source)
    if len(keys) != len(source):
        raise InvalidDefinition("a key occurs twice in different spellings", path=path, offending=_text(list(source)))
    return keys


def _replaced_source(keys: Mapping[str, Json]) -> str:
    """Return what to write for a condition on the action of a request, which early policies had."""
    action = next((each for each in keys.values() if isinstance(each, str) and "/" in each), "Microsoft.X/y")
    kind = "/".join(action.split("/")[:2])
    return f'conditions on \'source\' are not taken any more: write {{"field": "type", "equals": "{kind[:100]}"}}'


def _only(source: Mapping[str, Json], allowed: Mapping[str, str], path: str) -> None:
    for key in source:
        if str(key).lower() not in allowed:
            raise unknown_word("key", str(key), allowed.values(), path=path)


def _no_misspelling(source: Mapping[str, Json], known: Mapping[str, str], path: str) -> None:
    """Refuse a key that looks like a known one misspelled; others are taken, as the service adds keys as it grows."""
    unknown = (key for key in source if str(key).lower() not in known)
    for key in islice(unknown, _CHECKED_KEYS):
        if nearest(str(key), known.values()):
            raise unknown_word("key", str(key), known.values(), path=path)


def _alone(source: Mapping[str, Json], path: str, name: str) -> None:
    if len(source) != 1:
        others = [key for key in source if str(key).lower() != name.lower()]
        raise InvalidDefinition(f"{name} stands alone in its object", path=path, offending=_text(others))


def _text(value: Json) -> str:
    try:
        return str(value)[:200]
    except (RecursionError, ValueError):  # too deep, or a number of thousands of digits
        return kind(value)

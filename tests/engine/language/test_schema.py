"""JSON schemas of object parameters: which values fit, and where others do not."""

from typing import Any

import pytest

from shared.engine import InvalidDefinition
from shared.engine.language.parameter import bind_values, parse_parameters
from shared.engine.language.schema import schema_error

STRING: Any = {"type": "string"}
EXPRESSION: Any = {
    "type": "object",
    "properties": {
        "key": STRING,
        "operator": {"type": "string", "enum": ["In", "NotIn"]},
        "values": {"type": "array", "items": STRING},
    },
    "required": ["key", "operator"],
    "additionalProperties": False,
}
SELECTOR: Any = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": STRING, "minProperties": 1},
        "matchExpressions": {"type": "array", "items": EXPRESSION, "minItems": 1},
    },
    "additionalProperties": False,
}
TERM = {"key": "name", "operator": "In", "values": ["web"]}


def bound(schema: Any, value: Any, kind: str = "Object") -> Any:
    declared = parse_parameters({"p": {"type": kind, "schema": schema}}, "$.parameters")
    return bind_values(declared, {"p": {"value": value}})["p"]


FITS: list[tuple[Any, Any]] = [
    (SELECTOR, {"matchLabels": {"poolID": "abc123"}, "matchExpressions": [TERM]}),
    (SELECTOR, {}),
    (
        {
            "properties": {
                "n": {"type": ["integer", "null"], "exclusiveMinimum": 1, "exclusiveMaximum": 3, "maximum": 2}
            }
        },
        {"n": 2.0},
    ),
    ({"properties": {"n": {"oneOf": [{"type": "integer"}, {"type": "string"}]}}}, {"n": 1}),
    ({"additionalProperties": False, "patternProperties": {"^n$": {"type": "string"}}}, {"n": 1}),
]


@pytest.mark.parametrize(("schema", "value"), FITS)
def test_a_value_that_fits_is_bound_unchanged(schema: Any, value: Any) -> None:
    assert schema_error(value, schema, "$") is None
    assert bound(schema, value) == value


UNFIT: list[tuple[Any, Any, str]] = [
    (SELECTOR, {"labels": {}}, ".labels"),
    (SELECTOR, {"matchLabels": {}}, ".matchLabels"),
    (SELECTOR, {"matchLabels": {"poolID": 1}}, ".matchLabels.poolID"),
    (SELECTOR, {"matchExpressions": []}, ".matchExpressions"),
    (SELECTOR, {"matchExpressions": [{"key": "name"}]}, ".matchExpressions[0]"),
    (SELECTOR, {"matchExpressions": [{"key": "name", "operator": "Is"}]}, ".matchExpressions[0].operator"),
    (
        SELECTOR,
        {"matchExpressions": [{"key": "name", "operator": "In", "values": ["a", 1]}]},
        ".matchExpressions[0].values[1]",
    ),
    ({"properties": {"n": {"type": "integer", "minimum": 1}}}, {"n": 0}, ".n"),
    ({"properties": {"n": {"type": "integer"}}}, {"n": 1.5}, ".n"),
    ({"properties": {"n": {"exclusiveMaximum": 3}}}, {"n": 3}, ".n"),
    ({"properties": {"n": {"minLength": 1, "maxLength": 3}}}, {"n": "abcd"}, ".n"),
    ({"properties": {"n": {"uniqueItems": True}}}, {"n": [1, 1]}, ".n"),
    ({"properties": {"n": {"const": "a"}}}, {"n": "b"}, ".n"),
    ({"properties": {"n": {"anyOf": [{"type": "string"}, {"type": "boolean"}]}}}, {"n": 1}, ".n"),
    ({"properties": {"n": {"oneOf": [{"type": "integer"}, {"type": "number"}]}}}, {"n": 1}, ".n"),
    ({"properties": {"n": {"allOf": [{"type": "integer"}, {"minimum": 2}]}}}, {"n": 1}, ".n"),
    ({"properties": {"n": {"not": {"const": 1}}}}, {"n": 1}, ".n"),
    ({"additionalProperties": {"type": "string"}}, {"n": 1}, ".n"),
]


@pytest.mark.parametrize(("schema", "value", "path"), UNFIT)
def test_what_does_not_fit_is_refused_with_its_path(schema: Any, value: Any, path: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        bound(schema, value)
    assert refused.value.path == f"$.parameters.p{path}"


MESSAGES: list[tuple[Any, Any, str]] = [
    (STRING, 1, "expected string, found number"),
    ({"type": ["string", "null"]}, 1, "expected string or null, found number"),
    ({"enum": ["a", 1]}, "b", "b is not one of a, 1"),
    ({"const": {"a": 1}}, "b", 'expected {"a":1}'),
    ({"minLength": 2}, "b", "expected at least 2 characters, found 1"),
    ({"maxItems": 1}, [1, 2], "expected at most 1 members, found 2"),
    ({"exclusiveMinimum": 2}, 2, "expected more than 2, found 2"),
    ({"required": ["a"]}, {}, "the property 'a' is missing"),
    ({"additionalProperties": False}, {"b": 1}, "no such property"),
    ({"anyOf": [STRING]}, 1, "expected any of 1 forms, found 0 that fit"),
    ({"not": STRING}, "a", "expected another form"),
    ({"uniqueItems": True}, [1, 1.0], "expected members that differ"),
]


@pytest.mark.parametrize(("schema", "value", "message"), MESSAGES)
def test_the_fault_says_what_was_expected(schema: Any, value: Any, message: str) -> None:
    found = schema_error(value, schema, "$")
    assert found is not None
    assert found[1] == message


def test_only_parameters_of_type_object_have_a_schema() -> None:
    assert bound({"items": STRING}, [1], "Array") == [1]


def test_an_expression_in_a_schema_is_left_alone() -> None:
    assert schema_error("b", {"pattern": "^(a+)+$"}, "$") is None


def test_values_are_checked_where_they_are_assigned_only() -> None:
    declared = parse_parameters({"p": {"type": "Object", "schema": {"required": ["a"]}}}, "$.parameters")
    assert bind_values(declared, {"p": {}}, schemas=False) == {"p": {}}

"""Declarations of parameters and the values they are given: what is kept, and what is refused where and why."""

from typing import Any

import pytest

from shared.engine import InvalidDefinition
from shared.engine.language.parameter import bind_values, missing_parameters, parse_parameters
from shared.engine.language.tree import ParameterDefinition

LONG = "x" * 100


def test_a_declaration_is_kept_as_it_is_written() -> None:
    schema = {"type": "object"}
    source = {
        "One": {"type": "String", "defaultValue": "a", "allowedValues": ["a", "b"], "metadata": {}},
        "two": {"Type": "object", "Schema": schema},
        "three": {},
    }
    assert parse_parameters(source, "$.parameters") == {
        "one": ParameterDefinition("One", "string", required=False, default="a", allowed=("a", "b")),
        "two": ParameterDefinition("two", "object", required=True, schema=schema),
        "three": ParameterDefinition("three", "any", required=True),
    }


@pytest.mark.parametrize(
    ("source", "path", "message", "offending", "suggestion"),
    [
        ([], "$.p", "expected an object of parameters", "", None),
        ({"a": {}, "A": {}}, "$.p", "a parameter occurs twice in different spellings", "", None),
        ({"a": 1}, "$.p.a", "expected an object", "", None),
        ({"a": {"defaultVal": 1}}, "$.p.a", "unknown key 'defaultVal'", "defaultVal", "defaultValue"),
        ({"a": {LONG: 1}}, "$.p.a", f"unknown key '{LONG[:60]}'", LONG, None),
        ({"a": {"type": "Strin"}}, "$.p.a.type", "unknown parameter type 'Strin'", "Strin", "string"),
        ({"a": {"type": 7}}, "$.p.a.type", "unknown parameter type '7'", "7", None),
        ({"a": {"allowedValues": "b"}}, "$.p.a.allowedValues", "allowedValues must be a list", "", None),
    ],
)
def test_declarations_are_refused_where_they_are_wrong(
    source: Any, path: str, message: str, offending: str, suggestion: str | None
) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_parameters(source, "$.p")
    hint = f"; did you mean {suggestion!r}?" if suggestion else ""
    assert str(refused.value) == f"{path}: {message}{hint}"
    assert (refused.value.path, refused.value.offending, refused.value.suggestion) == (path, offending, suggestion)


ALLOWED = tuple(f"v{at}" for at in range(12))
SHOWN = ", ".join(ALLOWED[:10])


@pytest.mark.parametrize(
    ("declared", "value", "message", "offending"),
    [
        ({"type": "integer"}, "1", "expected a value of type integer, found string", "1"),
        ({"type": "string"}, [1], "expected a value of type string, found array", "[1]"),
        ({"allowedValues": list(ALLOWED)}, LONG, f"'{LONG[:60]}' is not one of the allowed values {SHOWN}", ""),
        (
            {"type": "array", "allowedValues": ["a"]},
            ["a", "b"],
            "\"['a', 'b']\" is not one of the allowed values a",
            "",
        ),
    ],
)
def test_values_are_refused_with_what_was_found(declared: Any, value: Any, message: str, offending: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        bind_values(parse_parameters({"p": declared}, "$"), {"P": value})
    assert str(refused.value) == f"$.parameters.P: {message}"
    assert (refused.value.path, refused.value.offending) == ("$.parameters.P", offending)


def test_a_value_for_no_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidDefinition) as refused:
        bind_values(parse_parameters({"Location": {}, "effect": {}}, "$"), {"locatoin": 1})
    assert str(refused.value) == "$.parameters.locatoin: no such parameter; did you mean 'Location'?"
    assert (refused.value.offending, refused.value.suggestion) == ("locatoin", "Location")


TYPED = {
    "string": (["a", ""], [1, None, ["a"]]),
    "array": ([[], ["a"]], ["a", {}]),
    "object": ([{}, {"a": 1}], ["a", []]),
    "boolean": ([True, False], ["yes", 1, None]),
    "integer": ([0, -1], [1.5, True, "1"]),
    "float": ([1, 1.5], [True, "1.5"]),
    "datetime": (["2024-01-01T00:00:00Z", "2024-01-01"], ["soon", "2024-13-01", 2024]),
    "any": (["a", 1, None, [], {}], []),
}


@pytest.mark.parametrize("name", TYPED)
def test_values_are_of_the_declared_type(name: str) -> None:
    declared = parse_parameters({"p": {"type": name}}, "$")
    right, wrong = TYPED[name]
    for value in right:
        assert bind_values(declared, {"p": value}) == {"p": value}
    for value in wrong:
        with pytest.raises(InvalidDefinition, match=f"expected a value of type {name}"):
            bind_values(declared, {"p": value})


@pytest.mark.parametrize(
    ("declared", "value", "bound"),
    [
        ({"type": "boolean"}, "TRUE", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "string"}, "true", "true"),
        ({"type": "string"}, {"value": "a"}, "a"),
        ({"type": "object"}, {"value": {"value": 1}}, {"value": 1}),
        ({"type": "object"}, {"value": 1, "more": 2}, {"value": 1, "more": 2}),
        ({"type": "array", "allowedValues": ["a", "b"]}, ["B", "a"], ["B", "a"]),
        ({"type": "array", "allowedValues": ["a", "b"]}, [], []),
        ({"type": "array", "allowedValues": [["a", "b"], []]}, ["A", "b"], ["A", "b"]),
        ({"type": "string", "allowedValues": ["A"]}, "a", "a"),
        ({"type": "string", "allowedValues": []}, "a", "a"),
        ({"type": "array", "allowedValues": []}, ["a"], ["a"]),
        ({"type": "object", "allowedValues": [{"a": 1}]}, {"A": 1}, {"A": 1}),
    ],
)
def test_values_are_bound(declared: Any, value: Any, bound: Any) -> None:
    found = bind_values(parse_parameters({"p": declared}, "$"), {"p": value})
    assert found == {"p": bound}
    assert type(found["p"]) is type(bound)


def test_defaults_stand_in_and_required_parameters_are_missing() -> None:
    declared = parse_parameters({"A": {"defaultValue": None}, "B": {}, "C": {}}, "$")
    values = bind_values(declared, {"c": 1})
    assert values == {"a": None, "c": 1}
    assert missing_parameters(declared, values) == ("B",)
    assert bind_values(declared, None) == {"a": None}

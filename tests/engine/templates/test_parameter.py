"""Parameters of templates: given values, defaults, and what they have to be."""

from typing import Any

import pytest

from shared.engine import Context, EvaluationError, expand_template


def computed(declaration: Any, given: Any = None, **others: Any) -> Any:
    resource = {"type": "X.Y/a", "name": "n", "properties": "[parameters('p')]"}
    template = {"parameters": {"p": declaration, **others}, "resources": [resource]}
    return expand_template(template, given, Context())[0]["body"]["properties"]


@pytest.mark.parametrize(
    ("declaration", "given", "value"),
    [
        ({"type": "string"}, {"P": "x"}, "x"),
        ({"type": "string"}, {"p": {"value": "x"}}, "x"),
        ({"type": "string"}, {"p": "[concat('a', 'b')]"}, "[concat('a', 'b')]"),
        ({"type": "object"}, {"p": {"value": {"value": 1}}}, {"value": 1}),
        ({"type": "Int", "minValue": 1, "maxValue": 3}, {"p": 3}, 3),
        ({"type": "secureString", "minLength": 2, "maxLength": 2}, {"p": "ab"}, "ab"),
        ({"type": "array", "maxLength": 1}, {"p": [1]}, [1]),
        ({"type": "bool", "defaultValue": True}, None, True),
        ({"type": "string", "defaultValue": "[parameters('q')]"}, None, "q"),
        ({"type": "string", "allowedValues": ["A", "b"]}, {"p": "a"}, "a"),
        ({"type": "array", "allowedValues": ["1", "2", "3"]}, {"p": ["3", "1"]}, ["3", "1"]),
        ({"type": "array", "allowedValues": ["1", "2"]}, {"p": []}, []),
        ({"type": "array", "allowedValues": [["1"], ["2", "3"]]}, {"p": ["2", "3"]}, ["2", "3"]),
        ({"type": "string", "nullable": True}, None, None),
        ({"type": "string", "nullable": True}, {"p": None}, None),
        ({"$ref": "#/definitions/x"}, {"p": 7}, 7),
    ],
)
def test_values_that_fit_are_accepted(declaration: Any, given: Any, value: Any) -> None:
    assert computed(declaration, given, q={"type": "string", "defaultValue": "q"}) == value


@pytest.mark.parametrize(
    ("declaration", "given", "message"),
    [
        ({"type": "string"}, 1, "expected a value of type string, found number"),
        ({"type": "string"}, None, "expected a value of type string, found null"),
        ({"type": "int"}, True, "expected a value of type int, found boolean"),
        ({"type": "bool"}, "true", "expected a value of type bool, found string"),
        ({"type": "array"}, {}, "expected a value of type array, found object"),
        ({"type": "object"}, [], "expected a value of type object, found array"),
        ({"type": "string", "allowedValues": ["a", "b"]}, "c", "'c' is not one of the allowed values a, b"),
        ({"type": "array", "allowedValues": ["a", "b"]}, ["a", "c"], "'c' is not one of the allowed values a, b"),
        ({"type": "int", "minValue": 2}, 1, "the value is 1, which is less than minValue"),
        ({"type": "int", "maxValue": 2}, 3, "more than maxValue"),
        ({"type": "string", "minLength": 2}, "a", "has the length 1, which is less than minLength"),
        ({"type": "array", "maxLength": 1}, [1, 2], "more than maxLength"),
    ],
)
def test_values_are_checked(declaration: Any, given: Any, message: str) -> None:
    with pytest.raises(EvaluationError, match=rf"^\$.parameters.p: .*{message}"):
        computed(declaration, {"p": given})


def test_defaults_are_checked() -> None:
    with pytest.raises(EvaluationError, match="found number"):
        computed({"type": "string", "defaultValue": "[add(1, 2)]"})


@pytest.mark.parametrize("declaration", [{"type": "string"}, {"type": "secureString", "defaultValue": None}])
def test_without_a_value_a_parameter_is_unknown(declaration: Any) -> None:
    assert computed(declaration) == "not known here: parameters('p')"


def test_secrets_and_new_ids_are_known_after_deployment() -> None:
    secret = {"p": {"reference": {"keyVault": {"id": "/v"}, "secretName": "s"}}}
    assert computed({"type": "string"}, secret) == "known after deployment: the secret for parameters('p')"
    assert computed({"type": "string", "defaultValue": "[newGuid()]"}) == "known after deployment: newGuid()"


def test_what_fails_in_a_default_says_where() -> None:
    with pytest.raises(EvaluationError, match=r"^\$.parameters.p.defaultValue: first\(\): "):
        computed({"type": "string", "defaultValue": "[first(1)]"})

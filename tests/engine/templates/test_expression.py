"""Expressions of templates: access, laziness, unknowns, user-defined functions."""

from typing import Any

import pytest

from shared.engine import (
    Context,
    EvaluationError,
    InvalidDefinition,
    NotSupported,
    evaluate_expression,
    expand_template,
)

OBJECT = {"a": {"B": [1, None]}, "x y": 2}


def computed(expression: str, **parameters: Any) -> Any:
    return evaluate_expression(f"[{expression}]", parameters=parameters)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("parameters('o').A.b[0]", 1),
        ("parameters('O')['x Y']", 2),
        ("parameters('o').a.b[1]", None),
        ("parameters('o').a.b[add(0, 0)]", 1),
        ("tryGet(parameters('o'), 'no')", None),
    ],
)
def test_members_are_found_without_case(expression: str, value: Any) -> None:
    assert computed(expression, o=OBJECT) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("parameters('o').no", "no property 'no', only a, x y"),
        ("createObject().no", "only none"),
        ("parameters('o').a.b[2]", "index 2 is outside an array of 2"),
        ("parameters('o').a.b['x']", "expected an integer"),
        ("parameters('o').a.b[1].c", "null has no property 'c'"),
        ("parameters('p')", "no parameter 'p'"),
        ("parameters('ownr')", "no parameter 'ownr'; did you mean 'owner'"),
        ("variables('v')", "no variable 'v'"),
        ("parameters()", r"parameters\(\) takes 1 arguments, found 0"),
        ("variables()", r"variables\(\) takes 1 arguments, found 0"),
        ("if(true(), 1)", r"if\(\) takes 3 arguments, found 2"),
        ("and(true())", r"and\(\) takes 2 or more arguments"),
        ("and(true(), 1)", "expected a boolean"),
        ("copyIndex()", "needs the name of its loop"),
        ("copyIndex('l')", "outside the loop 'l'"),
    ],
)
def test_what_is_not_there_is_an_error(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        computed(expression, o=OBJECT, owner="x")


def test_the_value_of_an_unknown_function_is_not_known_with_what_was_meant() -> None:
    message = r"\$: unknown function 'resourceIds' \(did you mean 'resourceId'\?\): resourceIds\('X.Y/a', 'n'\)"
    with pytest.raises(NotSupported, match=message):
        computed("resourceIds('X.Y/a', 'n')")


def test_what_is_computed_with_an_unknown_function_is_not_known() -> None:
    with pytest.raises(NotSupported, match=r"unknown function 'contoso.f': contoso.f\(1\)\.name"):
        computed("concat('a', contoso.f(1).name)")
    assert computed("if(true(), 'a', contoso.f(1))") == "a"


@pytest.mark.parametrize(
    "expression",
    [
        "if(true(), 1, first(1))",
        "if(false(), reference('x'), 1)",
        "coalesce(null(), 1, first(1))",
        "if(or(true(), first(1)), 1, 2)",
        "if(and(false(), first(1)), 2, 1)",
        "if(and(reference('x').a, false()), 2, 1)",
        "if(or(reference('x').a, true()), 1, 2)",
        "first(createArray(1, 2))",
        "createArray(1, reference('x'))[0]",
        "createObject('a', 1, 'b', listKeys('x', '1')).a",
    ],
)
def test_only_what_is_needed_is_computed(expression: str) -> None:
    assert computed(expression) == 1


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ("reference('x')", "reference('x')"),
        ("reference(concat('a', 'b'), '1').list[0]['a b']", "reference('ab', '1').list[0]['a b']"),
        ("createObject('a', 1)[reference('x').key]", "reference('x').key"),
        ("concat('a', reference(reference('x').id).y)", "reference(reference('x').id).y"),
        ("listKeys(createObject('a', 1), createArray(1), 2)", "listKeys({…}, […], 2)"),
        ("newGuid()", "newGuid()"),
        ("pickZones('a', 'b', 'c')", "pickZones('a', 'b', 'c')"),
        ("environment().suffixes.storage", "environment().suffixes.storage"),
        ("deployment().name", "deployment().name"),
        ("if(reference('x').a, 1, 2)", "reference('x').a"),
        ("and(true(), reference('x').a)", "reference('x').a"),
        ("or(false(), reference('x').a)", "reference('x').a"),
        ("coalesce(null(), reference('x').a, 1)", "reference('x').a"),
        ("createObject(reference('x').a, 1)", "reference('x').a"),
        ("length(createArray(reference('x')))", "reference('x')"),
    ],
)  # fmt: skip
def test_what_only_a_deployment_knows_goes_through(expression: str, unknown: str) -> None:
    with pytest.raises(NotSupported) as caught:
        computed(expression)
    assert str(caught.value) == f"$: known after deployment: {unknown}"


def test_long_arguments_are_shortened() -> None:
    with pytest.raises(NotSupported) as caught:
        computed(f"reference('{'x' * 500}').{'y' * 300}")
    assert len(str(caught.value)) < 600


CONTOSO = {
    "namespace": "contoso",
    "members": {
        "named": {
            "parameters": [{"name": "prefix", "type": "string"}, {"name": "n", "type": "int", "maxValue": 9}],
            "output": {
                "type": "string",
                "value": "[concat(parameters('prefix'), '-', contoso.twice(parameters('n')))]",
            },
        },
        "twice": {"parameters": [{"name": "n", "type": "int"}], "output": {"value": "[mul(parameters('n'), 2)]"}},
        "outside": {"output": {"value": "[variables('v')]"}},
        "endless": {"output": {"value": "[contoso.endless()]"}},
        "bad": 7,
    },
}


def called(expression: str) -> Any:
    resource = {"type": "X.Y/a", "name": "n", "properties": f"[{expression}]"}
    template = {"functions": [CONTOSO], "variables": {"v": 1}, "resources": [resource]}
    return expand_template(template, None, Context())[0]["body"]["properties"]


def test_user_defined_functions_see_their_parameters() -> None:
    assert called("Contoso.Named('a', 3)") == "a-6"


def test_user_defined_functions_take_what_is_unknown() -> None:
    assert called("contoso.named('a', reference('x').n)") == "known after deployment: reference('x').n"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("contoso.named('a')", r"contoso.named\(\) takes 2 arguments, found 1"),
        ("contoso.named(1, 2)", r"\$.functions\[0\].members.named.parameters\[0\]: expected a value of type string"),
        ("contoso.named('a', 10)", "more than maxValue"),
        ("contoso.outside()", "no variable 'v'"),
        ("contoso.endless()", "too deeply"),
    ],
)
def test_user_defined_functions_are_checked(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        called(expression)


@pytest.mark.parametrize("expression", ["contoso.bad()", "contoso.named", "contoso.('a')"])
def test_there_has_to_be_such_a_user_defined_function(expression: str) -> None:
    with pytest.raises(InvalidDefinition):
        called(expression)


def test_a_user_defined_function_that_is_not_declared_is_not_known() -> None:
    assert called("contoso.none()") == "unknown function 'contoso.none': contoso.none()"


def test_many_accesses_side_by_side_are_not_deep() -> None:
    parts = ", ".join(["parameters('o').a.b[0]"] * 50)
    assert computed(f"length(createArray({parts}))", o=OBJECT) == 50

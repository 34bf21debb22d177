"""Templates that come to too much end early, and say so."""

from typing import Any

import pytest

from shared.engine import EvaluationError, InvalidDefinition, NotSupported, expand_template

DOUBLING = {f"v{at}": f"[createArray(variables('v{at - 1}'), variables('v{at - 1}'))]" for at in range(1, 60)}
TEXTS = {f"t{at}": f"[concat(variables('t{at - 1}'), variables('t{at - 1}'))]" for at in range(1, 60)}
REDUCED = "reduce(range(0, 90), 'x', lambda('a', 'n', createArray(lambdaVariables('a'), lambdaVariables('a'))))"
CALLS = {
    "namespace": "f",
    "members": {
        f"g{at}": {"output": {"value": f"[createArray(f.g{at - 1}(), f.g{at - 1}())]" if at else "x"}}
        for at in range(60)
    },
}


def expand(value: Any, **template: Any) -> Any:
    resource = {"type": "X.Y/a", "name": "n", "properties": {"x": value}}
    return expand_template({"resources": [resource], **template})


@pytest.mark.parametrize(
    ("value", "variables"),
    [
        ("[variables('v59')]", {"v0": "x", **DOUBLING}),
        ("[string(variables('v59'))]", {"v0": "x", **DOUBLING}),
        ("[equals(variables('v30'), variables('v30'))]", {"v0": "x", **DOUBLING}),
        ("[variables('t59')]", {"t0": "x", **TEXTS}),
        (f"[{REDUCED}]", {}),
        (f"[string({REDUCED})]", {}),
        ("[f.g59()]", {}),
        ({"copy": [{"name": "a", "count": 800, "input": {"copy": [{"name": "b", "count": 800, "input": "x"}]}}]}, {}),
        ({"copy": [{"name": "a", "count": 800, "input": [1] * 10_000}]}, {}),
        ([{"a": "[variables('t19')]"}] * 10, {"t0": "x", **TEXTS}),
        ("[map(range(0, 9999), lambda('a', map(range(0, 9999), lambda('b', 1))))]", {}),
    ],
)
def test_an_expansion_without_bound_is_stopped(value: Any, variables: Any) -> None:
    with pytest.raises(EvaluationError, match=r"^\$.*(more than|nests)"):
        expand(value, variables=variables, functions=[CALLS])


def test_values_nest_100_levels() -> None:
    nested = "reduce(range(0, {0}), 'x', lambda('a', 'n', createArray(lambdaVariables('a'))))"
    assert expand(f"[{nested.replace('{0}', '90')}]")
    with pytest.raises(EvaluationError, match="nests more than 100 levels"):
        expand(f"[{nested.replace('{0}', '110')}]")


def test_values_that_refer_to_each_other_without_end_are_refused() -> None:
    chain = {f"v{at}": f"[concat(variables('v{at + 1}'), 'x')]" for at in range(3_000)}
    with pytest.raises(EvaluationError, match="too deeply"):
        expand("[variables('v0')]", variables={**chain, "v3000": "x"})


def test_deep_json_is_refused() -> None:
    value: Any = "x"
    for _ in range(3_000):
        value = [value]
    with pytest.raises(EvaluationError, match=r"too deeply|nests more"):
        expand(value)


def test_resources_of_all_nested_deployments_count_together() -> None:
    inner = {
        "resources": [{"type": "X.Y/a", "name": "[concat('n', copyIndex())]", "copy": {"name": "c", "count": 300}}]
    }
    deployment = {
        "type": "Microsoft.Resources/deployments",
        "name": "[concat('d', copyIndex())]",
        "copy": {"name": "all", "count": 3},
        "properties": {"expressionEvaluationOptions": {"scope": "inner"}, "template": inner},
    }
    with pytest.raises(NotSupported, match=r"more than 800 resources") as caught:
        expand_template({"resources": [deployment]})
    assert caught.value.path == "$.resources[0].properties.template.resources[0]"


@pytest.mark.parametrize("text", ["[" + "(" * 500, "[" + "concat(" * 500 + ")" * 500 + "]", "[a" + ".b" * 500 + "()]"])
def test_deep_expressions_are_refused(text: str) -> None:
    with pytest.raises(InvalidDefinition):
        expand([text, "[x"]) if text.endswith("]") else expand(text + "]")

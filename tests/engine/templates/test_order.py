"""Resources come after those that they depend on."""

from typing import Any

import pytest

from shared.engine import Context, InvalidDefinition, expand_template

GROUP = "/subscriptions/s/resourceGroups/rg"
WHERE = Context(resource_group={"name": "rg"}, subscription={"subscriptionId": "s"})


def resource(name: str, *after: str, **members: Any) -> dict[str, Any]:
    return {"type": "X.Y/a", "name": name, "dependsOn": list(after), **members}


def order(*resources: Any) -> list[str]:
    return [each["name"] for each in expand_template({"resources": list(resources)}, None, WHERE)]


@pytest.mark.parametrize(
    "name",
    [
        "[resourceId('X.Y/a', 'second')]",
        "[concat('X.Y/a/', 'SECOND')]",
        "second",
        f"{GROUP}/providers/x.y/a/second",
        "[resourceId('elsewhere', 'X.Y/a', 'second')]",
    ],
)
def test_dependencies_come_first_by_any_of_their_names(name: str) -> None:
    assert order(resource("first", name), resource("second"), resource("third")) == ["second", "first", "third"]


def test_without_dependencies_the_order_is_that_of_the_template() -> None:
    assert order(resource("b"), resource("a"), resource("c", "a")) == ["b", "a", "c"]


def test_all_iterations_of_a_loop_come_first() -> None:
    copied = resource("[concat('n', copyIndex())]", copy={"name": "loop", "count": 2})
    assert order(resource("last", "Loop"), copied) == ["n0", "n1", "last"]


def test_iterations_may_follow_each_other() -> None:
    after = "[concat('n', add(copyIndex(), 1))]"
    assert order(resource("[concat('n', copyIndex())]", after, copy={"name": "l", "count": 3})) == ["n2", "n1", "n0"]


def test_nested_deployments_come_as_a_whole() -> None:
    inner = {"resources": [resource("y", "x"), resource("x")]}
    deployment = {
        "type": "Microsoft.Resources/deployments",
        "name": "inner",
        "resourceGroup": "other",
        "properties": {"template": inner},
    }
    after = "[resourceId('other', 'Microsoft.Resources/deployments', 'inner')]"
    assert order(resource("last", after), deployment) == ["x", "y", "last"]


def test_children_come_after_what_they_name() -> None:
    child = {"type": "b", "name": "c", "dependsOn": ["[resourceId('X.Y/a', 'other')]"]}
    assert order(resource("parent", resources=[child]), resource("other")) == ["parent", "other", "parent/c"]


def test_what_is_left_out_may_be_depended_on_as_well_as_what_is_there() -> None:
    assert order(resource("b", "a", "outside"), resource("a", condition=False)) == ["b"]


def test_long_chains_are_no_deep_recursion() -> None:
    chain = [resource(f"n{at}", f"n{at + 1}") for at in range(799)]
    assert order(*chain, resource("n799")) == [f"n{at}" for at in reversed(range(800))]


@pytest.mark.parametrize(
    "resources",
    [
        [resource("a", "a")],
        [resource("a", "b"), resource("b", "a")],
        [resource("x"), resource("a", "b"), resource("b", "c"), resource("c", "x", "a")],
    ],
)
def test_circles_are_refused(resources: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"\$.resources\[\d\].dependsOn: it depends on itself in a circle"):
        order(*resources)


def test_what_is_unknown_orders_nothing() -> None:
    assert order(resource("a", "[reference('x').id]"), resource("b")) == ["a", "b"]

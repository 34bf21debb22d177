"""Append and modify carried out on a body."""

from typing import Any

import pytest

from shared.engine import EffectConflict
from shared.engine.effects.application import apply_effects
from shared.engine.effects.detail import EffectDetails, EffectOperation


def change(operation: str, path: str, value: Any = None, conflict: str = "deny") -> EffectDetails:
    return EffectDetails("modify", (EffectOperation(operation, "Test/field", tuple(path.split(".")), value),), conflict)


@pytest.mark.parametrize(
    ("body", "operation", "path", "value", "wanted"),
    [
        ({"A": 1, "a": 2}, "addOrReplace", "a", 3, {"A": 1, "a": 3}),
        ({"A": {"B": 1}}, "addOrReplace", "a.b", 3, {"A": {"B": 3}}),
        ({}, "addOrReplace", "a.b.c", 3, {"a": {"b": {"c": 3}}}),
        ({"a": "text"}, "addOrReplace", "a.b", 3, {"a": {"b": 3}}),
        ({"a": [1, 2]}, "addOrReplace", "a[*]", 3, {"a": [3]}),
        ({"A": [1, 2]}, "addOrReplace", "a[*]", 3, {"A": [3]}),
        ({"a": [{"b": 1}, {}, 7]}, "addOrReplace", "a[*].b", 3, {"a": [{"b": 3}, {"b": 3}, 7]}),
        ({"a": [{"b": {"c": 1}}, {}]}, "addOrReplace", "a[*].b.c", 3, {"a": [{"b": {"c": 3}}, {"b": {"c": 3}}]}),
        ({"a": {"b": 1}}, "addOrReplace", "a[*].b", 3, {"a": {"b": 1}}),
        ({"a": [1]}, "add", "a[*]", 2, {"a": [1, 2]}),
        ({"A": [1]}, "add", "a[*]", 2, {"A": [1, 2]}),
        ({"a": ["x"]}, "add", "a[*]", "X", {"a": ["x"]}),
        ({"a": "x"}, "add", "a[*]", 2, {"a": [2]}),
        ({"a": None}, "add", "a", 2, {"a": 2}),
        ({}, "append", "a.b", 2, {"a": {"b": 2}}),
        ({"a": "X"}, "append", "a", "x", {"a": "X"}),
        ({"a": 1, "B": 2}, "remove", "b", None, {"a": 1}),
        ({"a": 1}, "remove", "b", None, {"a": 1}),
        ({"a": 1}, "remove", "b.c", None, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, "remove", "a.b", None, {"a": {"c": 2}}),
        ({"a": [1, 2], "b": 3}, "remove", "a[*]", None, {"b": 3}),
        ({"a": [{"b": 1}, {"c": 2}]}, "remove", "a[*].b", None, {"a": [{}, {"c": 2}]}),
        ({"a": [{"b": {"c": 1}}, {}]}, "remove", "a[*].b.c", None, {"a": [{"b": {}}, {}]}),
    ],
)
def test_operations_are_carried_out_once_and_the_body_stays(
    body: Any, operation: str, path: str, value: Any, wanted: Any
) -> None:
    before = repr(body)
    effects = change(operation, path, value)
    changed = apply_effects(body, effects)
    assert changed == wanted
    assert apply_effects(changed, effects) == wanted
    assert repr(body) == before


@pytest.mark.parametrize("kind", ["addOrReplace", "add", "append"])
def test_a_later_operation_writes_into_an_earlier_one_s_value_without_changing_that_operation(kind: str) -> None:
    value: dict[str, Any] = {"deep": {}}
    operations = (
        EffectOperation(kind, "Test/a", ("a",), value),
        EffectOperation("add", "Test/x", ("a", "deep", "x"), 1),
    )
    assert apply_effects({}, EffectDetails("modify", operations, "deny")) == {"a": {"deep": {"x": 1}}}
    assert value == {"deep": {}}


def test_a_body_of_any_depth_is_changed() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    changed = apply_effects({"name": "a", "properties": {"deep": deep}}, change("addOrReplace", "properties.b", 1))
    assert changed["properties"]["b"] == 1
    assert changed["properties"]["deep"] is deep


def test_another_value_is_a_conflict_that_names_the_field() -> None:
    with pytest.raises(EffectConflict) as conflict:
        apply_effects({"a": {"b": "x"}}, change("append", "a.b", "y"))
    assert str(conflict.value) == (
        "append of Test/field: the resource already has another value, which only addOrReplace may change"
    )
    assert conflict.value.path == "a.b"


@pytest.mark.parametrize("conflict", ["audit", "disabled"])
def test_a_conflict_may_leave_the_operation_out(conflict: str) -> None:
    assert apply_effects({"a": "x"}, change("add", "a", "y", conflict)) == {"a": "x"}


def test_operations_whose_condition_is_false_are_left_out() -> None:
    one, two = (EffectOperation("add", "f", (key,), 1, applies=key == "b") for key in "ab")
    assert apply_effects({}, EffectDetails("modify", (one, two))) == {"b": 1}


@pytest.mark.parametrize(
    ("body", "operation", "path", "wanted"),
    [
        ({}, "addOrReplace", "properties.policy.enabled", {}),
        ({"properties": {}}, "addOrReplace", "properties.policy.enabled", {"properties": {}}),
        ({"properties": {}}, "add", "properties.acls.rules[*]", {"properties": {}}),
        ({"properties": {"acls": {}}}, "add", "properties.acls.rules[*]", {"properties": {"acls": {"rules": [3]}}}),
        (
            {"properties": {"policy": {}}},
            "add",
            "properties.policy.enabled",
            {"properties": {"policy": {"enabled": 3}}},
        ),
        ({"properties": {}}, "append", "properties.policy.enabled", {"properties": {"policy": {"enabled": 3}}}),
        ({}, "addOrReplace", "sku.name", {}),
        ({}, "addOrReplace", "properties.enabled", {"properties": {"enabled": 3}}),
        ({}, "addOrReplace", "kind", {"kind": 3}),
        ({}, "addOrReplace", "identity.type", {"identity": {"type": 3}}),
        ({"tags": None}, "add", "tags.x", {"tags": {"x": 3}}),
    ],
)
def test_a_request_that_omits_the_parent_is_left_alone(body: Any, operation: str, path: str, wanted: Any) -> None:
    """ "If the parent property isn't present in the request, modification is skipped" (modify effect)."""
    assert apply_effects(body, change(operation, path, 3), request=True) == wanted


def test_an_operation_that_conflicts_is_left_out_in_whole() -> None:
    body = {"rules": [{"a": 1}, {}]}
    assert apply_effects(body, change("add", "rules[*].a", 2, conflict="audit")) == body
    with pytest.raises(EffectConflict):
        apply_effects(body, change("add", "rules[*].a", 2))

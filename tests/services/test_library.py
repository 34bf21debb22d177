"""Policy files are told apart by their shape, and found by id or name."""

from typing import Any

import pytest

from shared.engine import InvalidDefinition
from shared.engine.initiative import Initiative
from shared.services.library import Shape, effect_of, is_built_in, is_definition_id, library, shape_of, version_of

PREFIX = "/providers/Microsoft.Authorization"
GUID = "00000000-0000-0000-0000-000000000001"
RULE = {"if": {"field": "name", "equals": "x"}, "then": {"effect": "[parameters('effect')]"}}
EFFECT = {"effect": {"type": "String", "defaultValue": "Audit"}}


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        (RULE, Shape.DEFINITION),
        ({"PolicyRule": RULE}, Shape.DEFINITION),
        ({"properties": {"policyRule": RULE}}, Shape.DEFINITION),
        ({"policyDefinitions": []}, Shape.INITIATIVE),
        ({"Properties": {"PolicyDefinitions": 1}}, Shape.INITIATIVE),
        ({"type": "Microsoft.Authorization/policySetDefinitions", "properties": {}}, Shape.INITIATIVE),
        ({"properties": {"policyDefinitionId": "/d"}}, Shape.ASSIGNMENT),
        ({"properties": {"policyAssignmentId": "/a"}}, None),
        ({"value": [{"policyRule": RULE}]}, None),
        ({}, None),
    ],
)
def test_shapes_are_told_apart(source: Any, shape: Shape | None) -> None:
    assert shape_of(source) is shape


@pytest.mark.parametrize(
    ("identity", "known", "built_in"),
    [
        (f"{PREFIX}/policyDefinitions/{GUID}", True, True),
        (f"{PREFIX}/policySetDefinitions/{GUID}/versions/1.0.0", True, True),
        (f"{PREFIX}/policyDefinitions/own", True, False),
        (f"/subscriptions/s{PREFIX}/policyDefinitions/{GUID}", True, False),
        (f"/providers/Microsoft.Management/managementGroups/m{PREFIX}/policyDefinitions/own", True, False),
        (f"{PREFIX}/policyDefinitions/", False, False),
        ("own", False, False),
    ],
)
def test_ids_are_recognised(identity: str, *, known: bool, built_in: bool) -> None:
    assert is_definition_id(identity) is known
    assert is_built_in(identity) is built_in


def test_a_document_is_read_once_and_what_is_wrong_told_each_time() -> None:
    found = library([("a", {"policyDefinitions": []}), ("b", {"policyRule": {}}), ("c", {})])
    first, second, third = found.entries
    assert isinstance(found.read(first), Initiative)
    assert found.read(first) is found.read(first)
    for each in (second, second, third):
        with pytest.raises(InvalidDefinition):
            found.read(each)
    assert found.names(Shape.DEFINITION) == ("b", "c")
    assert found.near("/x/policySetDefinitions/aa", Shape.INITIATIVE) is None
    deep: Any = {}
    for _ in range(5_000):
        deep = {"not": deep}
    hostile = library([("", {"if": deep, "then": {"effect": "audit"}})])
    with pytest.raises(InvalidDefinition, match="nests"):
        hostile.read(hostile.entries[0])


@pytest.mark.parametrize(
    ("source", "version"),
    [
        ({"properties": {"version": "1.2.3", "metadata": {"version": "1.0.0"}}}, "1.2.3"),
        ({"metadata": {"VERSION": "2.0.0", "version": "1.0.0"}}, "1.0.0"),
        ({"properties": {"metadata": []}}, ""),
        ({"properties": 1}, ""),
    ],
)
def test_versions_are_those_that_a_definition_says(source: Any, version: str) -> None:
    assert version_of(library([("", source)]).entries[0]) == version


@pytest.mark.parametrize(
    ("effect", "given", "found"),
    [
        ("Deny", {}, "deny"),
        ("[parameters('EFFECT')]", {}, "audit"),
        ("[parameters('effect')]", {"Effect": "Modify"}, "modify"),
        ("[if(true(), 'audit', 'deny')]", {}, ""),
    ],
)
def test_the_effect_follows_the_values(effect: str, given: dict[str, str], found: str) -> None:
    source = {"parameters": EFFECT, "policyRule": {**RULE, "then": {"effect": effect}}}
    shelf = library([("", source)])
    tree = shelf.read(shelf.entries[0])
    assert not isinstance(tree, Initiative)
    assert effect_of(tree, given) == found

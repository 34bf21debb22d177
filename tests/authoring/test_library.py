"""Policy files are recognized by their shape, and found by id or name."""

from dataclasses import replace
from typing import Any

import pytest

from shared.authoring.library import (
    DocumentShape,
    Library,
    build_library,
    document_of,
    effect_of,
    is_built_in,
    is_definition_id,
    shape_of,
    version_of,
)
from shared.engine import InvalidDefinition
from shared.engine.compile.initiative import Initiative

PREFIX = "/providers/Microsoft.Authorization"
GUID = "00000000-0000-0000-0000-000000000001"
RULE = {"if": {"field": "name", "equals": "x"}, "then": {"effect": "[parameters('effect')]"}}
EFFECT = {"effect": {"type": "String", "defaultValue": "Audit"}}


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        (RULE, DocumentShape.DEFINITION),
        ({"PolicyRule": RULE}, DocumentShape.DEFINITION),
        ({"properties": {"policyRule": RULE}}, DocumentShape.DEFINITION),
        ({"policyDefinitions": []}, DocumentShape.INITIATIVE),
        ({"Properties": {"PolicyDefinitions": 1}}, DocumentShape.INITIATIVE),
        ({"type": "Microsoft.Authorization/policySetDefinitions", "properties": {}}, DocumentShape.INITIATIVE),
        ({"properties": {"policyDefinitionId": "/d"}}, DocumentShape.ASSIGNMENT),
        ({"properties": {"policyAssignmentId": "/a"}}, None),
        ({"value": [{"policyRule": RULE}]}, None),
        ({}, None),
    ],
)
def test_shapes_are_recognized(source: Any, shape: DocumentShape | None) -> None:
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


def test_a_document_is_read_once_and_what_is_wrong_raised_each_time() -> None:
    found = build_library([("a", {"policyDefinitions": []}), ("b", {"policyRule": {}}), ("c", {})])
    first, second, third = found.entries
    assert isinstance(found.read(first), Initiative)
    assert found.read(first) is found.read(first)
    for each in (second, second, third):
        with pytest.raises(InvalidDefinition):
            found.read(each)
    assert found.names(DocumentShape.DEFINITION) == ("b", "c")
    assert found.near("/x/policySetDefinitions/aa", DocumentShape.INITIATIVE) is None
    deep: Any = {}
    for _ in range(5_000):
        deep = {"not": deep}
    hostile = build_library([("", {"if": deep, "then": {"effect": "audit"}})])
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
    assert version_of(build_library([("", source)]).entries[0]) == version


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
    library = build_library([("", source)])
    tree = library.read(library.entries[0])
    assert not isinstance(tree, Initiative)
    assert effect_of(tree, given) == found


@pytest.mark.parametrize("scope", ["${root_scope_resource_id}", "{policyLocationResourceId}", "/<scope>", "/${a.b}"])
def test_an_id_may_have_a_place_for_its_scope(scope: str) -> None:
    identity = f"{scope}/providers/Microsoft.Authorization/policyDefinitions/tls"
    assert is_definition_id(identity)
    entry = document_of("tls", {"policyRule": {}})
    assert Library((entry,)).find(identity, DocumentShape.DEFINITION) is entry


def test_of_several_with_one_name_that_in_the_most_similar_folder_counts() -> None:
    public = replace(document_of("tls", {"policyRule": {}}), folder="lib/definitions")
    china = replace(document_of("tls", {"policyRule": {}}), folder="lib/china/definitions")
    library = Library((china, public))
    assert library.find("tls", DocumentShape.DEFINITION) is china
    assert library.seen_from("lib/assignments").find("tls", DocumentShape.DEFINITION) is public
    assert library.seen_from("lib/china/assignments").find("tls", DocumentShape.DEFINITION) is china


def test_of_several_with_one_id_that_in_the_most_similar_folder_counts() -> None:
    source = {"id": f"{PREFIX}/policyDefinitions/{GUID}", "policyRule": {}}
    public = replace(document_of("a", source), folder="definitions/tls")
    other = replace(document_of("b", source), folder="definitions/government/tls")
    library = Library((other, public)).seen_from("sets/tls")
    assert library.find(source["id"], DocumentShape.DEFINITION) is public
    assert library.seen_from("sets/government/tls").find(source["id"], DocumentShape.DEFINITION) is other

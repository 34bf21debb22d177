"""Initiatives and assignments that people write: their form, what members get, what assignments say."""

import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.engine import InvalidDefinition
from shared.engine.compile.initiative import name_from_id, parse_initiative
from shared.engine.language.assignment import ASSIGNMENT_OVERRIDES, Override, Selector, parse_assignment
from shared.engine.language.form import Form, normalize, split_properties

ROOT = Path(__file__).parents[3]
PUBLIC = Path(os.environ.get("CORTEX_TEST_DATA", ROOT.parent / "shared")) / "azure-policy"
FORM: Mapping[str, Form] = {"name": "string", "tags": ("string",), "inner": {"size": "number"}, "free": "any"}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"NAME": "a", "Tags": ["x"]}, {"name": "a", "tags": ["x"]}),
        ({"inner": {"SIZE": 1}, "zebra": {"SIZE": 1}}, {"inner": {"size": 1}, "zebra": {"SIZE": 1}}),
        ({"name": None, "free": [1]}, {"name": None, "free": [1]}),
    ],
)
def test_known_keys_get_their_spelling_and_others_stay(source: Any, found: Any) -> None:
    assert normalize(source, FORM, "$") == found


@pytest.mark.parametrize(
    ("source", "path", "message", "suggestion"),
    [
        ([], "$", "expected an object, found array", None),
        ({"name": 1}, "$.name", "expected a string, found number", None),
        ({"tags": ["a", True]}, "$.tags[1]", "expected a string, found boolean", None),
        ({"inner": {"sise": 1}}, "$.inner.sise", "unknown key 'sise'", "size"),
        ({"name": "a", "Name": "b"}, "$", "the key 'name' occurs twice in different spellings", None),
    ],
)
def test_what_has_another_form_is_refused_with_the_place(
    source: Any, path: str, message: str, suggestion: str | None
) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        normalize(source, FORM, "$")
    assert (refused.value.path, refused.value.suggestion) == (path, suggestion)
    assert message in refused.value.message


def test_a_resource_is_opened_and_bare_properties_are_both() -> None:
    outer, inner = split_properties(
        {"Properties": {"TAGS": []}, "NAME": "a"}, {"name": "string", "properties": "object"}, FORM
    )
    assert (outer["name"], inner) == ("a", {"tags": []})
    outer, inner = split_properties({"TAGS": [], "NAME": "a"}, {"name": "string"}, FORM)
    assert outer == inner == {"tags": [], "name": "a"}


INITIATIVE = {
    "name": "i",
    "properties": {
        "Parameters": {"n": {"type": "Integer"}, "s": {"type": "String", "defaultValue": "a"}},
        "policyDefinitions": [
            {
                "policyDefinitionId": "/x/policyDefinitions/d/versions/1.0.0",
                "parameters": {
                    "sum": {"value": "[add(parameters('N'), 1)]"},
                    "text": {"Value": "[[parameters('s')]"},
                    "object": {"value": {"value": "[parameters('s')]"}},
                },
            }
        ],
    },
}


def test_members_get_values_of_the_initiative() -> None:
    found = parse_initiative(INITIATIVE)
    (member,) = found.members
    assert (member.label, member.reference) == ("d", "")
    values = found.values({"N": {"value": 2}, "s": "b"})
    assert member.arguments(values) == {"sum": 3, "text": "[parameters('s')]", "object": {"value": "b"}}


def test_values_are_needed_and_must_fit() -> None:
    found = parse_initiative(INITIATIVE)
    with pytest.raises(InvalidDefinition, match="the initiative i needs values for n") as lacking:
        found.values()
    assert lacking.value.path == "$.parameters"
    with pytest.raises(InvalidDefinition, match="expected a value of type integer"):
        found.values({"n": "2"})
    with pytest.raises(InvalidDefinition, match="this cannot be computed") as failed:
        found.members[0].arguments({"s": "a"})
    assert failed.value.path == "$.policyDefinitions[0].parameters.sum"


def test_the_name_is_the_last_part_of_an_id() -> None:
    assert (
        name_from_id("/x/policyDefinitions/d/versions/1.0.0")
        == name_from_id("/x/policyDefinitions/d")
        == name_from_id("d")
        == "d"
    )


ASSIGNED = {"policyDefinitionId": "/i"}


def test_an_assignment_knows_its_scope_and_its_messages() -> None:
    identity = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Authorization/policyAssignments/a"
    messages = [
        {"message": "all"},
        {"message": "one", "policyDefinitionReferenceId": "R"},
        {"message": "two", "policyDefinitionReferenceId": "r"},
    ]
    found = parse_assignment({"id": identity, "properties": {**ASSIGNED, "nonComplianceMessages": messages}})
    assert found.scope == "/subscriptions/s/resourcegroups/rg"
    assert (found.message(), found.message("r"), found.message("x")) == ("all", "one", "all")
    assert parse_assignment({"id": identity, **ASSIGNED, "scope": "/subscriptions/t"}).scope == "/subscriptions/t"
    assert parse_assignment(ASSIGNED).message("x") == ""


@pytest.mark.parametrize(
    ("mode", "enforced"), [("default", True), (None, True), ("DoNotEnforce", False), ("Enroll", False)]
)
def test_only_the_default_mode_enforces(mode: str | None, *, enforced: bool) -> None:
    assert parse_assignment({**ASSIGNED, "enforcementMode": mode}).enforced is enforced


@pytest.mark.parametrize(
    ("selectors", "may"),
    [
        ((), True),
        ((Selector("policydefinitionreferenceid", frozenset({"r"}), negated=False),), True),
        ((Selector("policydefinitionreferenceid", frozenset({"r"}), negated=True),), False),
        ((Selector("policydefinitionreferenceid", frozenset({"x"}), negated=False),), False),
        ((Selector("resourcelocation", frozenset({"x"}), negated=False),), True),
    ],
)
def test_an_override_may_be_about_a_member(selectors: Any, *, may: bool) -> None:
    assert Override("audit", selectors).may_select("R") is may


def test_overrides_are_bounded() -> None:
    overrides = [{"kind": "policyEffect", "value": "Audit"}] * (ASSIGNMENT_OVERRIDES + 1)
    assert len(parse_assignment({**ASSIGNED, "overrides": overrides[1:]}).overrides) == ASSIGNMENT_OVERRIDES
    with pytest.raises(InvalidDefinition, match="1,001 overrides"):
        parse_assignment({**ASSIGNED, "overrides": overrides})


def test_every_public_initiative_is_read() -> None:
    if not PUBLIC.exists():
        pytest.skip("no public initiatives next to the project; set CORTEX_TEST_DATA")
    with gzip.open(PUBLIC / "policySetDefinitions.jsonl.gz", "rb") as file:
        found = [parse_initiative(json.loads(line)["definition"]) for line in file]
    assert len(found) > 200
    assert sum(len(each.members) for each in found) > 20_000
    for each in found:
        values = {name: parameter.default for name, parameter in each.parameters.items()}
        for member in each.members[::20]:
            assert len(member.arguments(values)) == len(member.parameters)

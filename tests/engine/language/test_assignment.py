"""Assignments and roll-up."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import InvalidDefinition
from shared.engine.language.assignment import Assignment, is_within, roll_up

ONE = Resource(
    {"id": "/subscriptions/S/resourceGroups/RG/providers/T.One/a/n", "type": "T.One/a", "location": "West Europe"}
)
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def assignment(**members: Any) -> Assignment:
    return Assignment.from_json({"id": "/as", "scope": "/subscriptions/s", **members})


@pytest.mark.parametrize(
    ("scope", "inside"),
    [
        ("/subscriptions/s", True),
        ("/subscriptions/s/", True),
        ("/subscriptions/s/resourceGroups/rg", True),
        ("/subscriptions/s/resourceGroups/r", False),
        ("/subscriptions/other", False),
        ("/providers/Microsoft.Management/managementGroups/m", True),
        (ONE.id, True),
    ],
)
def test_scopes_hold_what_stands_below_them(scope: str, *, inside: bool) -> None:
    assert is_within(ONE.id, scope) is inside
    assert assignment(scope=scope).covers(ONE) is inside


def test_excluded_scopes_are_left_out() -> None:
    assert not assignment(notScopes=["/subscriptions/s/resourceGroups/rg"]).covers(ONE)
    assert assignment(notScopes=["/subscriptions/s/resourceGroups/other"]).covers(ONE)


@pytest.mark.parametrize(
    ("selectors", "selected"),
    [
        ([{"kind": "resourceLocation", "in": ["westeurope"]}], True),
        ([{"kind": "resourceLocation", "in": ["West Europe", "eastus"]}], True),
        ([{"kind": "resourceLocation", "notIn": ["westeurope"]}], False),
        ([{"kind": "resourceType", "in": ["t.one/A"]}], True),
        ([{"kind": "resourceType", "in": ["t.one/A"]}, {"kind": "resourceLocation", "in": ["eastus"]}], False),
        ([{"kind": "resourceWithoutLocation", "in": ["true"]}], False),
        ([], True),
    ],
)
def test_every_selector_of_a_resource_selector_must_hold(selectors: Any, *, selected: bool) -> None:
    assert assignment(resourceSelectors=[{"name": "x", "selectors": selectors}]).covers(ONE) is selected


def test_one_resource_selector_is_enough() -> None:
    none = {"selectors": [{"kind": "resourceLocation", "in": ["eastus"]}]}
    some = {"selectors": [{"kind": "resourceLocation", "in": ["westeurope"]}]}
    assert assignment(resourceSelectors=[none, some]).covers(ONE)


def test_an_unknown_selector_is_refused() -> None:
    with pytest.raises(InvalidDefinition) as refused:
        assignment(resourceSelectors=[{"selectors": [{"kind": "resourceColour", "in": ["x"]}]}])
    assert refused.value.path == "$.resourceSelectors[0].selectors[0]"


def test_overrides_put_another_effect_in_place() -> None:
    chosen = [{"kind": "policyDefinitionReferenceId", "in": ["A"]}]
    found = assignment(overrides=[{"kind": "policyEffect", "value": "disabled", "selectors": chosen}])
    assert found.effect(ONE, "a") == "disabled"
    assert found.effect(ONE, "b") is None
    everything = assignment(overrides=[{"kind": "policyEffect", "value": "audit"}])
    assert everything.effect(ONE, "b") == "audit"


@pytest.mark.parametrize(
    ("body", "selected"),
    [
        ({"id": "/subscriptions/s/providers/T.One/a/n"}, True),
        ({"id": "/subscriptions/s"}, True),
        ({"id": "/subscriptions/s/providers/T.One/a/n", "location": "westeurope"}, False),
        ({"id": "/subscriptions/s/resourceGroups/rg/providers/T.One/a/n"}, False),
    ],
)
def test_resources_without_location_are_those_of_the_subscription(body: Any, *, selected: bool) -> None:
    """ "Select resources at the subscription level that don't have a location" (assignment structure)."""
    for negated, key in ((False, "in"), (True, "notIn")):
        selector = {"kind": "resourceWithoutLocation", key: ["subscriptionLevelResources"]}
        found = assignment(resourceSelectors=[{"selectors": [selector]}])
        assert found.covers(Resource(body)) is (selected is not negated)


def test_resource_groups_are_selected_by_the_type_that_policies_know() -> None:
    body = {"id": "/subscriptions/s/resourceGroups/rg", "type": "Microsoft.Resources/resourceGroups"}
    selector = {"kind": "resourceType", "in": ["Microsoft.Resources/subscriptions/resourceGroups"]}
    assert assignment(resourceSelectors=[{"selectors": [selector]}]).covers(Resource(body))


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        ([State.COMPLIANT, State.NON_COMPLIANT, State.EXEMPT], State.NON_COMPLIANT),
        ([State.UNKNOWN, State.EXEMPT], State.EXEMPT),
        ([State.ERROR, State.EXEMPT, State.UNKNOWN], State.ERROR),
        ([State.ERROR, State.COMPLIANT], State.COMPLIANT),
        ([State.ERROR, State.NON_COMPLIANT], State.NON_COMPLIANT),
        ([State.UNKNOWN, State.COMPLIANT], State.COMPLIANT),
        ([], State.NOT_APPLICABLE),
    ],
)
def test_the_state_that_ranks_first_wins(states: list[State], wanted: State) -> None:
    assert roll_up(states) is wanted


UNREAD = ("userPrincipalId", "groupPrincipalId", "resourceRolloutPercentage")


@pytest.mark.parametrize("kind", UNREAD)
@pytest.mark.parametrize("key", ["in", "notIn"])
def test_a_selector_of_what_is_not_read_has_no_answer(kind: str, key: str) -> None:
    unread = {"kind": kind, key: ["x"]}
    east, west = ({"kind": "resourceLocation", "in": [each]} for each in ("eastus", "westeurope"))
    assert assignment(resourceSelectors=[{"selectors": [unread]}]).covers(ONE) is None
    assert assignment(resourceSelectors=[{"selectors": [unread, east]}]).covers(ONE) is False
    assert assignment(resourceSelectors=[{"selectors": [unread]}, {"selectors": [west]}]).covers(ONE) is True
    assert assignment(resourceSelectors=[{"selectors": [unread]}], notScopes=["/subscriptions/s"]).covers(ONE) is False
    found = assignment(resourceSelectors=[{"selectors": [unread, west]}])
    assert found.undecided(ONE) == f"whether the assignment selects the resource depends on {kind}, not read here"


@pytest.mark.parametrize("kind", ["policyVersion", "definitionVersion"])
def test_an_override_of_the_version_leaves_its_members_undecided(kind: str) -> None:
    chosen = [{"kind": "policyDefinitionReferenceId", "in": ["A"]}]
    version = {"kind": kind, "value": "2.0.*", "selectors": chosen}
    found = assignment(overrides=[{"kind": "policyEffect", "value": "audit"}, version])
    assert "version 2.0.*" in found.undecided(ONE, "a")
    assert found.undecided(ONE, "b") == ""
    assert found.effect(ONE, "a") == "audit"
    assert (found.may_be_undecided("a"), found.may_be_undecided("b")) == (True, False)


def test_an_override_after_the_one_that_wins_leaves_nothing_undecided() -> None:
    unread = {"kind": "policyEffect", "value": "deny", "selectors": [{"kind": "userPrincipalId", "in": ["x"]}]}
    plain = {"kind": "policyEffect", "value": "audit"}
    assert assignment(overrides=[plain, unread]).undecided(ONE) == ""
    assert assignment(overrides=[unread, plain]).undecided(ONE) == (
        "whether an override holds depends on userPrincipalId, not read here"
    )


def test_an_unknown_kind_of_override_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="unknown override kind 'policyEfect'; did you mean") as refused:
        assignment(overrides=[{"kind": "policyEfect", "value": "audit"}])
    assert refused.value.path == "$.overrides[0].kind"

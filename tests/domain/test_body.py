"""Bodies: what is written, what is compared, what holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.arm_id import type_of
from shared.domain.body import (
    comparable,
    contradicts,
    fingerprint,
    hidden_secret,
    holds,
    is_outcome,
    masked_member,
    patch_between,
    request_body,
    writable,
)
from shared.domain.canonical import digest
from shared.domain.merge_patch import merged

STORAGE = "Microsoft.Storage/storageAccounts"
NSG = "Microsoft.Network/networkSecurityGroups"

numbers = st.integers(-(2**63), 2**64 - 1) | st.integers(-2, 2) | st.floats(allow_nan=False, allow_infinity=False)
parts = st.recursive(
    st.none() | st.booleans() | numbers | st.text("abAB\u0131\u0130\u017f\u00df", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text("abAB", max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return value


def body(**properties: Any) -> dict[str, Any]:
    return {
        "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
        "name": "a",
        "type": STORAGE,
        "etag": '"1"',
        "location": "westeurope",
        "tags": {"etag": "mine"},
        "systemData": {"createdAt": "2026-01-01T00:00:00Z"},
        "properties": {"provisioningState": "Succeeded", "x": 1, **properties},
    }


def test_a_written_body_has_only_what_people_own() -> None:
    assert writable(body()) == {"location": "westeurope", "tags": {"etag": "mine"}, "properties": {"x": 1}}


def test_an_identity_is_written_without_the_ids_that_entra_gave_it() -> None:
    user = {"/subscriptions/s/…/id": {"principalId": "p", "clientId": "c"}}
    given_back = {"type": "SystemAssigned, UserAssigned", "principalId": "p", "tenantId": "t"}
    written = writable({"identity": {**given_back, "userAssignedIdentities": user}})
    assert written["identity"] == {
        "type": "SystemAssigned, UserAssigned",
        "userAssignedIdentities": {"/subscriptions/s/…/id": {}},
    }


def test_resources_within_lose_their_etag_and_state_but_keep_their_names() -> None:
    rule = {"id": "/r", "name": "r", "etag": "W/1", "properties": {"provisioningState": "Succeeded", "access": "Deny"}}
    kept = writable({"properties": {"securityRules": [rule]}})["properties"]["securityRules"][0]
    assert kept == {"id": "/r", "name": "r", "properties": {"access": "Deny"}}


def test_a_property_named_etag_that_is_no_etag_is_kept() -> None:
    assert writable({"properties": {"rule": {"etag": "x"}}})["properties"] == {"rule": {"etag": "x"}}


@pytest.mark.parametrize("volatile", ["etag", "systemData", "createdTime", "changedTime"])
def test_what_the_service_changes_by_itself_is_not_compared(volatile: str) -> None:
    assert fingerprint({**body(), volatile: "other"}) == fingerprint(body())
    assert volatile not in comparable(body())


def test_what_people_change_is_compared() -> None:
    assert fingerprint(body(x=2)) != fingerprint(body())
    assert fingerprint({**body(), "tags": {}}) != fingerprint(body())
    assert fingerprint(None) is None


def test_true_and_one_differ() -> None:
    assert digest({"a": True}) != digest({"a": 1})
    assert patch_between({"a": True}, {"a": 1}) == {"a": 1}


@given(objects, objects)
def test_a_patch_between_two_bodies_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    before, after = without_nulls(before), without_nulls(after)
    assert merged(before, patch_between(before, after)) == after
    assert patch_between(before, before) == {}


@given(values, values)
def test_a_change_holds_once_it_was_made(before: Any, after: Any) -> None:
    assert holds(after, before, after)


@given(objects, objects, objects)
def test_what_the_service_adds_does_not_hide_the_change(before: Any, after: Any, extra: Any) -> None:
    now = {**{f"server-{key}": value for key, value in extra.items()}, **after}
    assert holds(now, before, after)


@given(before=objects, one=objects, other=objects)
def test_two_changes_contradict_each_other_in_either_order(before: Any, one: Any, other: Any) -> None:
    assert contradicts(before, one, other) == contradicts(before, other, one)
    assert not contradicts(before, one, one)
    assert not contradicts(before, before, other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"a": 1, "b": [2, 2]}, {"a": 0, "b": [2, 3]}, False),
        ({"a": 1}, {"a": 2}, True),
        ({"a": 0, "b": [3, 2]}, {"a": 0, "b": [2, 3]}, False),
        ({"a": 0, "b": [3, 2]}, {"a": 0, "b": [2, 2, 2]}, True),
        ({"a": 0}, {"a": 0, "b": [2, 3]}, True),
        ({"a": 0, "b": [2, 2], "c": "On"}, {"a": 0, "b": [2, 2], "c": "on"}, False),
    ],
)
def test_two_changes_contradict_each_other_in_the_part_that_both_change(
    one: Any, other: Any, *, expected: bool
) -> None:
    assert contradicts({"a": 0, "b": [2, 2]}, one, other) == expected


def test_a_change_does_not_hold_where_a_part_is_missing() -> None:
    before, after = {"a": {"x": 1, "y": 1}}, {"a": {"x": 2, "y": 1}}
    assert not holds(before, before, after)
    assert holds({"a": {"x": 2, "y": 5}}, before, after), "y is not of the change"
    assert not holds({"a": {"x": 2, "z": 1}, "b": 0}, {"a": {"x": 1}, "b": 0}, {"a": {"x": 2}})
    assert holds({"a": 1.0}, {"a": 2}, {"a": 1})
    assert not holds({"a": True}, {"a": 2}, {"a": 1})
    assert holds({"a": "tls1_2"}, {"a": "x"}, {"a": "TLS1_2"}), "services spell names their own way"


@pytest.mark.parametrize(
    ("kind", "before", "after", "expected"),
    [
        (
            STORAGE,
            {"properties": {"a": 1, "b": 2}},
            {"properties": {"a": 3, "b": 2}},
            ("PATCH", {"properties": {"a": 3}}),
        ),
        (STORAGE, {"properties": {"a": 1, "b": 2}}, {"properties": {"b": 2}}, ("PUT", {"properties": {"b": 2}})),
        (
            NSG,
            {"properties": {"a": 1, "b": 2}},
            {"properties": {"a": 3, "b": 2}},
            ("PUT", {"properties": {"a": 3, "b": 2}}),
        ),
        (NSG, {"tags": {"a": "1"}}, {"tags": {"a": "1", "b": "2"}}, ("PATCH", {"tags": {"a": "1", "b": "2"}})),
        (NSG, {"tags": {"a": "1"}}, {"tags": {}}, ("PUT", {"tags": {}})),
        (STORAGE, {"sku": {"name": "a"}}, {"sku": {"name": "b"}}, ("PUT", {"sku": {"name": "b"}})),
        (
            "Microsoft.App/containerApps",
            {"properties": {"secrets": [{"name": "key"}], "ingress": {"allowInsecure": True}}},
            {"properties": {"secrets": [{"name": "key"}], "ingress": {"allowInsecure": False}}},
            ("PATCH", {"properties": {"ingress": {"allowInsecure": False}}}),
        ),
        (
            "Microsoft.App/containerApps",
            {"properties": {"secrets": [{"name": "key"}], "ingress": {"allowInsecure": False}}},
            {"properties": {"secrets": [{"name": "key"}], "ingress": {}}},
            ("PATCH", {"properties": {"ingress": {"allowInsecure": None}}}),
        ),
        (STORAGE, None, {"id": "/x", "properties": {"a": 1}}, ("PUT", {"properties": {"a": 1}})),
    ],
)
def test_a_request_is_the_smallest_that_leads_to_the_target(
    kind: str, before: Any, after: Any, expected: tuple[str, Any]
) -> None:
    assert request_body(kind, before, after) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({"tags": {"a": "1"}, "properties": {"x": 2, "y": 1}}, True),
        ({"tags": {"a": "1"}, "properties": {"x": 2, "y": 1, "added": "by the service"}, "etag": "2"}, True),
        ({"tags": {"a": "1", "b": "2"}, "properties": {"x": 2, "y": 1}}, False),
        ({"tags": {"a": "1"}, "properties": {"x": 2, "y": 9}}, False),
        ({"tags": {"a": "1"}, "properties": {"x": 2}}, False),
    ],
)
def test_the_outcome_of_a_write_is_its_target_and_what_the_service_adds(now: Any, *, expected: bool) -> None:
    target = {"etag": "1", "tags": {"a": "1"}, "properties": {"x": 2, "y": 1, "provisioningState": "Creating"}}
    assert is_outcome(now, target) is expected


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (
            "/subscriptions/s/providers/Microsoft.Sql/servers/a/databases/b",
            "Microsoft.Sql/servers/databases",
        ),
        ("/subscriptions/s/providers/Microsoft.Security/pricings/KeyVaults", "Microsoft.Security/pricings"),
        (
            "/x/providers/A/c/d/providers/Microsoft.Insights/diagnosticSettings/e",
            "Microsoft.Insights/diagnosticSettings",
        ),
        ("/subscriptions/s/resourceGroups/g", "Microsoft.Resources/subscriptions/resourceGroups"),
        ("", ""),
    ],
)
def test_an_id_names_a_type(identity: str, expected: str) -> None:
    assert type_of(identity) == expected


def is_same(left: Any, right: Any) -> bool:
    """Compare two values by what they mean: text without regard to case, all else by its canonical text."""
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return digest(left) == digest(right)


@given(parts, parts)
def test_what_is_told_apart_without_a_digest_is_told_apart_as_by_one(one: Any, other: Any) -> None:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        assert contradicts("~", one, other) is not is_same(one, other)
    if not isinstance(other, dict | list):
        assert holds(one, "~", other) is is_same(one, other)


@pytest.mark.parametrize(
    ("now", "after", "expected"),
    [
        (1, 1.0, True), (1, True, False), (0, False, False), (0, None, False), ("TLS1_2", "tls1_2", True),
        (2**60, 2**60, True), (2**60, 2**60 + 1, False), ("1", 1, False), (-0.0, 0, True), ([], "", False),
    ],
)  # fmt: skip
def test_a_leaf_holds_where_it_means_the_same(now: Any, after: Any, *, expected: bool) -> None:
    assert holds(now, "before", after) is expected
    assert is_same(now, after) is expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (
            {"a": [{"connectionString": "Endpoint=sb://a/;SharedAccessKeyName=b;SharedAccessKey=****;EntityPath=c"}]},
            True,
        ),
        ({"a": [{"connectionString": "HostName=a;SharedAccessKey=*****"}]}, True),
        ({"a": [{"connectionString": "***"}]}, True),
        ({"a": [{"connectionString": "Endpoint=sb://a/;SharedAccessKeyName=b;SharedAccessKey=x"}]}, False),
        ({"a": [{"connectionString": ""}, {"paths": ["*", "/*", "**"]}, {"text": "starred **** by four"}]}, False),
    ],
)
def test_what_a_service_shows_masked_is_found(shown: Any, *, expected: bool) -> None:
    assert masked_member({"properties": shown}) == ("properties.a[0].connectionString" if expected else None)


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ([{"name": "a"}], "properties.configuration.secrets[0].value"),
        (
            [{"name": "a", "value": "x"}, {"name": "b", "keyVaultUrl": "https://v/b"}],
            "properties.configuration.secrets[1].value",
        ),
        ([{"name": "a", "keyVaultUrl": "https://v/a", "identity": "System"}], None),
        (None, None),
    ],
)
def test_a_secret_of_a_container_app_without_its_value_is_hidden(secrets: Any, expected: str | None) -> None:
    body = {"properties": {"configuration": {"secrets": secrets}}}
    assert hidden_secret("Microsoft.App/containerApps", body) == expected
    assert hidden_secret(NSG, body) is None
    assert hidden_secret("Microsoft.App/containerApps", {"properties": {"template": {}}}) is None

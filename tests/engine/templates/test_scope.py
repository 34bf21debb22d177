"""Ids and the surroundings of a deployment."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.engine import Context, EvaluationError, NotSupported, evaluate_expression

GROUP = "/subscriptions/s/resourceGroups/rg"
OTHER = "11111111-2222-3333-4444-555555555555"
WHERE = Context(
    resource_group={"name": "rg", "location": "eastus", "id": GROUP},
    subscription={"subscriptionId": "s", "id": "/subscriptions/s"},
    now=datetime(2024, 6, 1, tzinfo=UTC),
    tenant="t",
)
IN_SUBSCRIPTION = Context(subscription=WHERE.subscription)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("resourceId('X.Y/a/b', 'n', 'm')", f"{GROUP}/providers/X.Y/a/n/b/m"),
        ("resourceId('other', 'X.Y/a', 'n')", "/subscriptions/s/resourceGroups/other/providers/X.Y/a/n"),
        ("resourceId('s2', 'other', 'X.Y/a', 'n')", "/subscriptions/s2/resourceGroups/other/providers/X.Y/a/n"),
        ("subscriptionResourceId('X.Y/a', 'n')", "/subscriptions/s/providers/X.Y/a/n"),
        ("subscriptionResourceId('s2', 'X.Y/a', 'n')", "/subscriptions/s2/providers/X.Y/a/n"),
        (
            "managementGroupResourceId('m', 'X.Y/a', 'n')",
            "/providers/Microsoft.Management/managementGroups/m/providers/X.Y/a/n",
        ),
        ("tenantResourceId('X.Y/a', 'n')", "/providers/X.Y/a/n"),
        ("extensionResourceId('/r', 'X.Y/a', 'n')", "/r/providers/X.Y/a/n"),
        ("tenant().tenantId", "t"),
        ("utcNow('yyyy-MM-dd')", "2024-06-01"),
        ("utcNow()", "20240601T000000Z"),
        ("subscription().SUBSCRIPTIONID", "s"),
        ("resourceGroup()['location']", "eastus"),
    ],
)
def test_ids_and_names_are_computed(expression: str, value: str) -> None:
    assert evaluate_expression(f"[{expression}]", context=WHERE) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("resourceId('X.Y/a', 'n')", "/subscriptions/s/providers/X.Y/a/n"),
        (f"resourceId('{OTHER}', 'X.Y/a', 'n')", f"/subscriptions/{OTHER}/providers/X.Y/a/n"),
        ("resourceId('other', 'X.Y/a', 'n')", "/subscriptions/s/resourceGroups/other/providers/X.Y/a/n"),
        ("resourceId('X.Y/a', '')", "/subscriptions/s/providers/X.Y/a/"),
    ],
)
def test_ids_in_deployments_to_a_subscription(expression: str, value: str) -> None:
    assert evaluate_expression(f"[{expression}]", context=IN_SUBSCRIPTION) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("resourceId('a', 'b')", "no argument is a resource type"),
        ("resourceId('X.Y/a/b', 'n')", "needs 2 names, found 1"),
        ("resourceId('X.Y/a', 'n', 'm')", "needs 1 names, found 2"),
        ("resourceId('a', 'b', 'c', 'X.Y/a', 'n')", "only a subscription and a resource group"),
        ("resourceId('X.Y/a', 1)", "expected a string"),
        ("extensionResourceId('/s')", "takes 3 or more arguments, found 1"),
        ("subscription(1)", "takes 0 arguments, found 1"),
    ],
)
def test_what_is_no_id_is_refused(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluate_expression(f"[{expression}]", context=WHERE)


@pytest.mark.parametrize(
    ("expression", "context", "unknown"),
    [
        ("subscription().displayName", WHERE, "subscription().displayName"),
        ("resourceGroup().tags['a b']", WHERE, r"resourceGroup\(\).tags\['a b'\]"),
        ("resourceGroup().name", IN_SUBSCRIPTION, "resourceGroup().name"),
        ("string(subscription())", WHERE, "subscription()"),
        ("tenant().displayName", WHERE, "tenant().displayName"),
        ("tenant().tenantId", IN_SUBSCRIPTION, "tenant().tenantId"),
        ("utcNow()", IN_SUBSCRIPTION, "utcNow()"),
        ("resourceId('X.Y/a', 'n')", Context(), "subscription()"),
        ("subscriptionResourceId('X.Y/a', 'n')", Context(), "subscription()"),
        ("managementGroupResourceId('X.Y/a', 'n')", WHERE, "managementGroup()"),
    ],
)
def test_what_the_context_does_not_tell_is_not_known_here(expression: str, context: Any, unknown: str) -> None:
    with pytest.raises(NotSupported, match=f"not known here: {unknown.replace('()', r'\(\)')}"):
        evaluate_expression(f"[{expression}]", context=context)

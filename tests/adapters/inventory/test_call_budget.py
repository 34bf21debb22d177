"""Each call of Resource Manager is taken from its budget, which learns from each response."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.adapters.azure.arm import Arm, ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.azure.related import TYPE_SECONDS
from shared.adapters.azure.retry_policy import principal_of
from shared.domain.call_budget import CallScope
from shared.domain.error import CortexError, Throttled
from tests.adapters.cloud import SCOPE, SUBSCRIPTION, Answer, Cloud, error
from tests.adapters.inventory.conftest import ROWS, TENANT, WANTED, Reading, fill

V = "2021-04-01"
READS = "x-ms-ratelimit-remaining-subscription-reads"
GLOBAL_READS = "x-ms-ratelimit-remaining-subscription-global-reads"


def token(**claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.signature"


@dataclass
class KeptBudget:
    """A budget that keeps what it is told, and gives every call the same wait."""

    wait: float = 0.0
    taken: list[CallScope] = field(default_factory=list)
    learned: list[tuple[str, float]] = field(default_factory=list)

    def take(self, scope: CallScope) -> float:
        if self.wait > 10:
            raise Throttled("used up", retry_after=self.wait)
        self.taken.append(scope)
        return self.wait

    def learn(self, scope: CallScope, remaining: int) -> None:
        self.learned.append((scope.operation, remaining))

    def learn_throttling(self, scope: CallScope, retry_after: float) -> None:
        self.learned.append((f"{scope.operation} refused", retry_after))


@pytest.fixture
def budget() -> KeptBudget:
    return KeptBudget()


@pytest.fixture
def arm(cloud: Cloud, budget: KeptBudget, waits: list[float]) -> Iterator[Arm]:
    connection = ArmConnection("contoso", cloud.endpoint, StaticToken(token(oid="p1")), budget)
    opened = Arm(connection, sleep=waits.append, timeout=5.0)
    yield opened
    opened.close()


def test_a_call_waits_for_its_turn(arm: Arm, budget: KeptBudget, waits: list[float]) -> None:
    budget.wait = 3.0
    arm.get(SCOPE, V)
    assert (budget.taken, waits) == ([CallScope("p1", SUBSCRIPTION, "reads")], [3.0])


def test_a_turn_that_is_too_far_off_is_not_waited_for(arm: Arm, budget: KeptBudget, cloud: Cloud) -> None:
    budget.wait = 11.0
    with pytest.raises(Throttled):
        arm.get(SCOPE, V)
    assert cloud.calls == []


def test_each_attempt_is_a_call(arm: Arm, cloud: Cloud, budget: KeptBudget) -> None:
    cloud.once(SCOPE, error(503, "Busy"), Answer(drop=True), error(429, "TooManyRequests", Retry_After="2"))
    arm.get(SCOPE, V)
    assert len(budget.taken) == len(cloud.calls) == 4
    assert budget.learned == [("reads refused", 2.0)]


@pytest.mark.parametrize(
    ("path", "body", "scope"),
    [
        ("/subscriptions", None, CallScope("p1", "", "reads")),
        (f"{SCOPE.upper()}/resourceGroups/rg", None, CallScope("p1", SUBSCRIPTION, "reads")),
        (f"{SCOPE}/providers/Microsoft.X/y", {}, CallScope("p1", SUBSCRIPTION, "writes")),
        ("/providers/Microsoft.Management/managementGroups/g", None, CallScope("p1", "", "reads")),
        ("/providers/Microsoft.ResourceGraph/resources", {"query": "", "options": {"$top": 1}}, None),
    ],
)
def test_a_call_is_counted_where_the_cloud_counts_it(
    arm: Arm, budget: KeptBudget, path: str, body: dict[str, Any] | None, scope: CallScope | None
) -> None:
    with contextlib.suppress(CortexError):  # the cloud has none of these
        arm.ask(path, V, body=body)
    assert budget.taken == ([scope] if scope else [])


@pytest.mark.parametrize(
    ("told", "learned"),
    [
        ("249", [("reads", 249)]),
        ("0", [("reads", 0)]),
        ("11999", [("reads", 11_999)]),
        ("-1", []),
        ("1.5", []),
        ("nan", []),
        ("1e9", []),
        ("9" * 400, []),
        ("\u00b2", []),
        ("", []),
        ("soon", []),
    ],
)
def test_only_a_number_is_learned(
    arm: Arm, cloud: Cloud, budget: KeptBudget, told: str, learned: list[tuple[str, float]]
) -> None:
    cloud.once(SCOPE, Answer(200, cloud.bodies[SCOPE], {READS: told}))
    arm.get(SCOPE, V)
    assert budget.learned == learned


def test_what_is_left_of_other_operations_is_not_mistaken(arm: Arm, cloud: Cloud, budget: KeptBudget) -> None:
    other = {READS.replace("reads", "writes"): "7", READS.replace("subscription", "tenant"): "8"}
    cloud.once(SCOPE, Answer(200, cloud.bodies[SCOPE], other))
    arm.get(SCOPE, V)
    assert budget.learned == []


def test_a_refusal_of_a_provider_is_not_one_of_resource_manager(arm: Arm, cloud: Cloud, budget: KeptBudget) -> None:
    """Providers have limits of their own; Resource Manager still tells what it has left."""
    headers = {"Retry-After": "2", READS: "240"}
    cloud.once(SCOPE, Answer(429, {"error": {"code": "TooManyRequests", "message": ""}}, headers))
    arm.get(SCOPE, V)
    assert budget.learned == [("reads", 240)]


@pytest.mark.parametrize(
    ("told", "learned"),
    [
        ({"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/GetVMScaleSet3Min;0"}, []),
        ({"x-ms-ratelimit-remaining-subscription-resource-requests": "0"}, []),
        ({"X-Ms-Ratelimit-Remaining-Subscription-Resource-Entities-Read": "0"}, []),
        ({"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/x;0", READS: "0"}, [("reads refused", 2.0)]),
        ({"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/x;0", READS: "9"}, [("reads", 9)]),
        ({GLOBAL_READS: "0"}, [("reads refused", 2.0)]),
        ({GLOBAL_READS: "0", READS: "240"}, [("reads refused", 2.0)]),
        ({"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/x;0", GLOBAL_READS: "3000"}, []),
        ({GLOBAL_READS: "3000", READS: "240"}, [("reads", 240)]),
        ({}, [("reads refused", 2.0)]),
    ],
)
def test_a_refusal_is_of_whose_limits_it_tells(
    arm: Arm, cloud: Cloud, budget: KeptBudget, told: dict[str, str], learned: list[tuple[str, float]]
) -> None:
    refused = Answer(429, {"error": {"code": "TooManyRequests", "message": ""}}, {"Retry-After": "2", **told})
    cloud.once(SCOPE, refused)
    arm.get(SCOPE, V)
    assert budget.learned == learned


def test_a_type_is_not_given_up_for_the_turns_of_its_calls(cloud: Cloud, budget: KeptBudget) -> None:
    """A page that takes minutes because the budget is used up has all that belongs to it."""
    at = [0.0]
    lock = threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            at[0] += seconds

    ids = fill(cloud, 40)
    budget.wait = 5.0
    connection = ArmConnection(TENANT, cloud.endpoint, StaticToken(token(oid="p1")), budget)
    inventory = ArmInventory(connection, resource_types=ROWS, sleep=sleep, clock=lambda: at[0], timeout=5.0)
    try:
        read = Reading(WANTED).to_end(inventory)
    finally:
        inventory.close()
    assert at[0] > 6 * TYPE_SECONDS
    assert read.ids == [SCOPE, *ids]
    assert not read.gaps


def test_a_token_names_its_principal() -> None:
    assert principal_of(f"Bearer {token(oid='5a0dc1d0-0000-4000-8000-000000000001')}") == (
        "5a0dc1d0-0000-4000-8000-000000000001"
    )


@pytest.mark.parametrize("claims", [{}, {"oid": 7}, {"oid": ""}, {"oid": "a/b"}, {"oid": "x" * 65}, {"oid": None}])
def test_a_token_without_an_object_id_is_a_principal_by_itself(claims: dict[str, Any]) -> None:
    names = {principal_of(f"Bearer {text}") for text in (token(**claims), token(**claims, n=1), "opaque", "a.b.c", "")}
    assert len(names) == 5
    assert all(name.isalnum() and len(name) == 32 for name in names)


def test_a_new_token_of_the_same_principal_shares_its_budget(cloud: Cloud, budget: KeptBudget) -> None:
    tokens = iter([token(oid="p1", n=1), token(oid="p1", n=2)])

    class Renewed:
        def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
            return AccessToken(next(tokens), 0)  # expired at once, so that each call asks for another

    arm = Arm(ArmConnection("contoso", cloud.endpoint, Renewed(), budget), sleep=lambda _: None, timeout=5.0)
    try:
        arm.get(SCOPE, V)
        arm.get(SCOPE, V)
    finally:
        arm.close()
    assert len(set(budget.taken)) == 1

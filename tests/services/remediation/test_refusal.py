"""What the cloud is sure to refuse is left out while planning: locked resources, and tags beyond its limits."""

from typing import Any

import pytest

from shared.domain.error import Forbidden, Unavailable
from shared.domain.item import ItemOutcome
from shared.domain.lock import LockLevel, ManagementLock
from shared.domain.remediation import RemediationStatus
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from tests.fakes.cloud import GROUP, SUBSCRIPTION, VAULT, account, resource
from tests.fakes.world import World
from tests.services.remediation.test_plan import LOGGED, TAGGED, of, rule, with_policies

BODY = account()
IN_GROUP = BODY["id"].partition("/providers/")[0]


@pytest.fixture
def world(store: Store, queue: Queue) -> World:
    return World(store, queue)


def lock(scope: str, level: LockLevel = LockLevel.READ_ONLY) -> ManagementLock:
    return ManagementLock(name="keep", level=level, scope=scope)


@pytest.mark.parametrize("scope", [f"/subscriptions/{SUBSCRIPTION}", IN_GROUP.upper(), BODY["id"]])
def test_a_locked_resource_is_left_out_with_the_name_and_scope_of_the_lock(world: World, scope: str) -> None:
    world.put(BODY)
    world.cloud.locked.append(lock(scope))
    world.request(BODY, "https-only")
    known = world.plan()
    assert (known.status, known.counts) == (RemediationStatus.FAILED, {"refused": 1})
    assert world.item().reason == f"the lock 'keep' (ReadOnly) at {scope} forbids changes of {BODY['id']}"
    assert world.cloud.writes == []


@pytest.mark.parametrize(
    "scope", [f"{IN_GROUP}x", f"{BODY['id']}x", f"{BODY['id']}/blobServices/default", f"/subscriptions/{SUBSCRIPTION}0"]
)
def test_a_lock_elsewhere_is_none(world: World, scope: str) -> None:
    world.put(BODY)
    world.cloud.locked.append(lock(scope))
    world.request(BODY, "https-only")
    assert world.plan().status == RemediationStatus.AWAITING_APPROVAL


def test_a_lock_against_deletion_lets_a_fix_pass_and_is_told_where_a_rollback_would_delete(world: World) -> None:
    vault = resource(VAULT, "kv", {"enablePurgeProtection": True})
    with_policies(world, LOGGED).put(vault, BODY)
    world.cloud.locked.append(lock(IN_GROUP, LockLevel.CAN_NOT_DELETE))
    world.request(BODY, "https-only", more=(world.finding(vault, "logged").id,))
    assert world.plan().counts == {"pending": 2}
    notes = {each.resource_id: " ".join(each.notes) for each in world.items()}
    assert "the lock 'keep' (CanNotDelete)" in notes[vault["id"]]
    assert "keeps a rollback from deleting" in notes[vault["id"]]
    assert "lock" not in notes[BODY["id"]]


def test_the_locks_of_a_subscription_are_read_once_in_a_step(world: World) -> None:
    beta = account("beta")
    world.put(BODY, beta)
    world.request(BODY, "https-only", more=(world.finding(beta, "https-only").id,))
    world.plan()
    assert world.cloud.lock_reads == 1


def test_locks_that_may_not_be_read_are_left_to_the_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(**_asked: str) -> None:
        raise Forbidden("no", permission="Microsoft.Authorization/locks/read")

    monkeypatch.setattr(world.cloud, "locks", forbidden)
    world.put(BODY)
    world.request(BODY, "https-only")
    assert world.plan().status == RemediationStatus.AWAITING_APPROVAL


def test_locks_that_cannot_be_read_at_present_are_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(**_asked: str) -> None:
        raise Unavailable("the cloud answered 503")

    world.put(BODY)
    world.request(BODY, "https-only")
    with monkeypatch.context() as patch:
        patch.setattr(world.cloud, "locks", busy)
        known = world.plan()
    assert (known.status, known.reason) == (RemediationStatus.PLANNING, "the cloud answered 503")
    world.run()
    assert world.now().status == RemediationStatus.AWAITING_APPROVAL


@pytest.mark.parametrize(("number", "outcome"), [(49, ItemOutcome.PENDING), (50, ItemOutcome.REFUSED)])
def test_a_tag_too_many_is_refused_while_planning(world: World, number: int, outcome: ItemOutcome) -> None:
    body = resource(GROUP, "nsg", {"securityRules": []}, tags={f"t{at}": "x" for at in range(number)})
    with_policies(world, TAGGED).put(body)
    world.request(body, "tagged")
    world.plan()
    assert world.item().outcome == outcome
    assert ("Azure would refuse the tags" in world.item().reason) is (outcome == ItemOutcome.REFUSED)
    assert ("Requested tag count - '51'" in world.item().reason) is (outcome == ItemOutcome.REFUSED)


SHOWN = "Endpoint=sb://a.servicebus.windows.net:5671/;SharedAccessKeyName=hub;SharedAccessKey={};EntityPath=e"
RULES = f"{GROUP}/securityRules[*]"
APPENDED = rule(
    "deny-all",
    of(GROUP, count={"field": RULES, "where": {"field": f"{RULES}.name", "equals": "deny-all"}}, less=1),
    {"effect": "append", "details": [{"field": RULES, "value": {"name": "deny-all", "properties": {}}}]},
)


def holding(key: str) -> dict[str, Any]:
    """A resource of a type that is written whole, with a secret as IoT Hub shows those of its endpoints."""
    return resource(GROUP, "nsg", {"securityRules": [], "endpoints": [{"connectionString": SHOWN.format(key)}]})


@pytest.mark.parametrize(("key", "outcome"), [("****", ItemOutcome.REFUSED), ("k", ItemOutcome.PENDING)])
def test_a_secret_that_is_shown_masked_is_not_written_over(world: World, key: str, outcome: ItemOutcome) -> None:
    with_policies(world, APPENDED).put(holding(key))
    world.request(holding(key), "deny-all")
    world.plan()
    assert (world.item().outcome, world.cloud.writes) == (outcome, [])
    told = "Azure does not show the secret in properties.endpoints[0].connectionString"
    assert (told in world.item().reason) is (outcome == ItemOutcome.REFUSED)


def test_a_rollback_that_would_write_a_mask_is_told_beforehand_and_not_done(world: World) -> None:
    body = holding("****")
    with_policies(world, TAGGED).put(body)
    world.request(body, "tagged")
    world.plan()
    assert f"a rollback cannot put back {body['id']}" in " ".join(world.item().notes)
    world.approve()
    world.run()
    world.rollback()
    world.run()
    assert world.cloud.writes == [("PATCH", body["id"])]
    assert "undo the change by hand" in world.item().reason

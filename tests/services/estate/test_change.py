"""Change messages: what they name, however spelled, and what it belongs to; nothing that no scan would list."""

from typing import Any

import pytest

from shared.adapters.local.queue import SqliteQueue
from shared.domain.error import CortexError, InvalidInput, Malformed, NotFound, Throttled, Unavailable
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services import compliance, finding
from shared.services.estate import change, estate, resource
from shared.services.message import MessageBody
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes.assignment import id_of
from tests.fakes.inventory import MemoryInventory, account

BODY = account("a", https=False)


def event(resource_id: str) -> dict[str, Any]:
    return {"subject": resource_id, "data": {}}


def queued(queue: SqliteQueue) -> list[str]:
    return [MessageBody.model_validate_json(each.body).id for each in queue.receive(change.QUEUE, limit=32)]


def test_ids_in_any_spelling_name_one_resource(store: Store, queue: SqliteQueue) -> None:
    name = BODY["id"]
    assert change.take([event(name), event(name.upper()), event(name.lower())], store=store, queue=queue) == 1
    assert queued(queue) == [name.lower()]


def test_a_child_brings_all_that_it_belongs_to(store: Store, queue: SqliteQueue) -> None:
    owner = BODY["id"].lower()
    change.take([event(f"{owner}/blobServices/default/containers/x")], store=store, queue=queue)
    assert queued(queue) == [f"{owner}/blobservices/default/containers/x", f"{owner}/blobservices/default", owner]


def test_a_changed_resource_is_judged(store: Store, inventory: MemoryInventory, policies: EffectivePolicies) -> None:
    inventory.put(BODY)
    change.judge(BODY["id"].lower(), store=store, inventory=inventory, policies=policies)
    (found,) = dict(resource.stored(Query(), store)).values()
    assert found["resourceId"] == BODY["id"]


def test_what_no_scan_lists_is_not_judged_by_itself(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    child = {
        **BODY,
        "id": f"{BODY['id']}/privateEndpointConnections/x",
        "type": f"{BODY['type']}/privateEndpointConnections",
    }
    inventory.put(child)
    change.judge(child["id"].lower(), store=store, inventory=inventory, policies=policies)
    assert not dict(resource.stored(Query(), store))


@pytest.mark.parametrize("bad", [{}, {"data": 7}, {"data": {}}, {"data": {"resourceUri": "x"}}, event("/" * 3000)])
def test_an_event_that_names_nothing_is_refused(store: Store, queue: SqliteQueue, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        change.take([event(BODY["id"]), bad], store=store, queue=queue)
    assert str(refused.value.path).startswith("$[1]")
    assert not queued(queue), "a delivery is taken as a whole or not at all"


def test_a_known_resource_that_may_not_be_read_any_more_is_unknown_and_a_gap(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(BODY)
    change.judge(BODY["id"].lower(), store=store, inventory=inventory, policies=policies)
    inventory.hidden.add(BODY["id"].lower())
    for _ in range(2):  # a second delivery says nothing new
        change.judge(BODY["id"].lower(), store=store, inventory=inventory, policies=policies)
    found = finding.get(id_of(BODY["id"], "https-only"), store=store).model
    assert (found.state, {need.reason for need in found.missing}) == ("unknown", {"forbidden"})
    summary = compliance.of_tenant(store=store)
    assert summary is not None
    told = [(gap.scope, gap.reason, gap.permission) for gap in summary.model.gaps]
    assert told == [(BODY["id"], "forbidden", "Microsoft.Storage/storageAccounts/read")]
    inventory.hidden.clear()
    change.judge(BODY["id"].lower(), store=store, inventory=inventory, policies=policies)
    assert finding.get(found.id, store=store).model.state == "nonCompliant"


def test_an_unknown_resource_that_may_not_be_read_leaves_nothing(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.hidden.add(BODY["id"].lower())
    change.judge(BODY["id"].lower(), store=store, inventory=inventory, policies=policies)
    assert not dict(resource.stored(Query(), store))
    assert not estate.every(store)


@pytest.mark.parametrize("error", [Throttled("busy", retry_after=9), Unavailable("away")])
def test_a_throttled_change_is_delivered_again(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies, error: CortexError
) -> None:
    class Busy(MemoryInventory):
        def read(self, **_: object) -> None:
            raise error

    with pytest.raises(type(error)):
        change.judge(BODY["id"].lower(), store=store, inventory=Busy(now=inventory.now), policies=policies)


def test_a_change_where_no_cloud_is_connected_changes_nothing(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(BODY)
    change.judge(BODY["id"].lower(), store=store, inventory=inventory, policies=policies)
    before = dict(resource.stored(Query(), store))

    class Unconnected(MemoryInventory):
        def read(self, **_: object) -> None:
            raise NotFound("no cloud is connected")

    change.judge(BODY["id"].lower(), store=store, inventory=Unconnected(now=inventory.now), policies=policies)
    assert dict(resource.stored(Query(), store)) == before


def test_the_summary_is_refreshed_by_a_delivery_that_cannot_judge_any_more(
    store: Store, inventory: MemoryInventory, policies: EffectivePolicies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who judged it died before the summary; on the next delivery the cloud says nothing of use."""

    class KilledError(Exception):
        pass

    def killed(**_: object) -> None:
        raise KilledError

    class Lying(MemoryInventory):
        def read(self, **_: object) -> None:
            raise Malformed("nonsense")

    inventory.put(BODY)
    with monkeypatch.context() as patched:
        patched.setattr(compliance, "refresh", killed)
        with pytest.raises(KilledError):
            change.judge(BODY["id"].lower(), store=store, inventory=inventory, policies=policies)
    assert compliance.of_tenant(store=store) is None
    with pytest.raises(Malformed):
        change.judge(BODY["id"].lower(), store=store, inventory=Lying(now=inventory.now), policies=policies)
    summary = compliance.of_tenant(store=store)
    assert summary is not None
    assert sum(summary.model.open_by_severity.values()) == len(
        list(finding.stored(Query(equals={"open": True}), store))
    )

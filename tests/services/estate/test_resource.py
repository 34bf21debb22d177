"""Resources of any size: kept whole, judged whole, shown whole; what no store takes costs nothing but itself."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.domain.estate_event import ResourceJudged
from shared.domain.finding import resource_key
from shared.domain.scan import ScanRequest, ScanStatus
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services import compliance, evaluation, finding
from shared.services.estate import estate, judgement, resource
from shared.services.estate.resource_change import CHANGE_KIND, RESOURCE_KIND
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes import event
from tests.fakes.assignment import id_of, key_of
from tests.fakes.inventory import STORAGE, SUBSCRIPTION, MemoryInventory, account
from tests.fakes.rebuilt import rebuilt
from tests.services.scan.test_scan import Run, run
from tests.services.test_rebuild import everything

__all__ = ["run"]  # the fixture

MB = 1024 * 1024
APART = 200 * 1024
"""More than lies in a document."""


def large(name: str, size: int, *, https: bool = True) -> dict[str, Any]:
    """An account whose body is so large, and whose verdict hangs on what comes last in it."""
    body = account(name)
    rules = [{"n": number, "text": "x" * 1000} for number in range(size // 1024)]
    return {**body, "properties": {"rules": rules, "supportsHttpsTrafficOnly": https}}


def row(store: Store, body: Mapping[str, Any]) -> Mapping[str, Any]:
    found = store.documents.get(tenant=store.tenant, kind=RESOURCE_KIND, id=resource_key(body["id"]))
    assert found is not None
    return found.body


def state(store: Store, body: Mapping[str, Any]) -> str | None:
    identity = id_of(body["id"], "https-only")
    found = store.documents.get(tenant=store.tenant, kind="finding", id=identity)
    return found.body["state"] if found else None


@pytest.mark.parametrize("size", [3 * MB, pytest.param(16 * MB, marks=pytest.mark.slow)])
def test_a_large_body_is_kept_compared_and_judged_whole(
    run: Run, store: Store, inventory: MemoryInventory, size: int
) -> None:
    first = large("big", size)
    inventory.put(account("one"), first, account("two", https=False))
    assert run("s1").status == ScanStatus.COMPLETED
    assert resource.record(row(store, first), store)["body"] == first
    assert state(store, first) is None
    second = large("big", size, https=False)
    inventory.put(second)
    assert run("s2").status == ScanStatus.COMPLETED
    assert state(store, second) == "nonCompliant"
    (change,) = store.documents.query(tenant=store.tenant, kind=CHANGE_KIND, query=Query()).items
    told = [each["path"] for each in change.body["differences"]]
    assert told == ["properties.supportsHttpsTrafficOnly"]
    assert state(store, account("two")) == "nonCompliant"


def test_a_large_body_unchanged_is_written_once(run: Run, store: Store, inventory: MemoryInventory) -> None:
    inventory.put(large("big", APART))
    run("s1")
    before = row(store, large("big", APART))
    run("s2")
    assert row(store, large("big", APART)) == before
    assert len(store.blobs.names(tenant=store.tenant, prefix="resource/")) == 1


@pytest.mark.parametrize(
    "properties",
    [{"big": "x" * 300_001}, {"lone": "\ud800"}, {"huge": 2**70}],
    ids=["over the bound", "no text", "no number of JSON"],
)
def test_a_body_that_no_store_takes_is_a_gap_and_the_others_are_kept(
    run: Run, store: Store, inventory: MemoryInventory, properties: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "DOCUMENT_BYTES", 300_000)
    strange = {**account("big"), "properties": properties}
    inventory.put(account("one", https=False), strange, account("two"))
    ended = run("s1")
    assert ended.status == ScanStatus.PARTIAL
    assert [(gap.scope, gap.reason) for gap in ended.gaps] == [(strange["id"], "unsupported")]
    assert ended.resources == 3
    assert state(store, strange) == "unknown"
    assert state(store, account("one")) == "nonCompliant"
    inventory.remove(strange)
    assert run("s2").status == ScanStatus.COMPLETED
    assert row(store, strange)["gone"] is True


@pytest.mark.parametrize(("depth", "expected"), [(110, "nonCompliant"), (200, "nonCompliant"), (400, "unknown")])
def test_a_body_too_deep_for_a_document_is_kept_in_a_blob(
    run: Run, store: Store, inventory: MemoryInventory, depth: int, expected: str
) -> None:
    nested: Any = "end"
    for _ in range(depth):
        nested = {"a": nested}
    deep = {**account("deep"), "properties": {"supportsHttpsTrafficOnly": False, "nested": nested}}
    inventory.put(deep, account("one"))
    run("s1")
    assert state(store, deep) == expected
    assert row(store, account("one"))["gone"] is False


def test_one_resource_is_judged_whole_from_its_blob(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    body = large("big", APART, https=False)
    inventory.put(body)
    run("s1")
    states = judgement.judge_resource(body["id"], store=store, inventory=inventory, policies=policies)
    assert states[key_of("https-only")] == "nonCompliant"
    kept = judgement.judge_stored((resource_key(body["id"]),), SUBSCRIPTION, store=store, policies=policies)
    assert kept.counts[key_of("https-only")] == {"nonCompliant": 1}


def lose(store: Store, torn: bytes | None = None) -> None:
    """Take away the one blob of a resource, or tear it."""
    (name,) = store.blobs.names(tenant=store.tenant, prefix="resource/")
    store.blobs.delete(tenant=store.tenant, name=name)
    if torn is not None:
        store.blobs.put(tenant=store.tenant, name=name, data=torn)


@pytest.mark.parametrize("torn", [None, b"", b"torn"])
def test_a_lost_blob_is_a_gap_and_the_others_are_judged(
    run: Run,
    store: Store,
    inventory: MemoryInventory,
    policies: EffectivePolicies,
    torn: bytes | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = large("big", APART, https=False)
    inventory.put(body, account("one", https=False))
    assert run("s1").status == ScanStatus.COMPLETED
    lose(store, torn)
    ended = run("s2", ScanRequest(collect=False))
    assert (ended.status, ended.gap_count, ended.unknown) == (ScanStatus.PARTIAL, 1, {"damaged": 2})
    (gap,) = ended.gaps
    assert (gap.scope, gap.part, gap.reason) == (body["id"], body["type"], "damaged")
    assert "1 thing could not be read, the first because its stored body is lost or damaged" in ended.reason
    assert body["id"] in caplog.text
    summary = compliance.refresh(store=store, policies=policies)
    assert (summary.gap_count, summary.gaps, summary.scopes[SUBSCRIPTION].gap_count) == (1, (gap,), 1)
    assert state(store, account("one")) == "nonCompliant"
    assert resource.record(row(store, body), store)["body"]["type"] == STORAGE
    told = evaluation.explain(id_of(body["id"], "https-only"), store=store, policies=policies)
    assert {each["reason"] for each in told["missing"]} == {"damaged"}
    assert "lost or damaged" in told["summary"]


@pytest.mark.parametrize("https", [False, True], ids=["unchanged", "changed"])
def test_a_scan_that_collects_restores_a_lost_blob(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies, *, https: bool
) -> None:
    body = large("big", APART, https=False)
    inventory.put(body)
    run("s1")
    before = row(store, body)
    lose(store)
    run("s2", ScanRequest(collect=False))
    inventory.put(large("big", APART, https=https))
    ended = run("s3")
    assert (ended.status, ended.gap_count) == (ScanStatus.COMPLETED, 0)
    found = finding.get(id_of(body["id"], "https-only"), store=store).model
    assert found.open is not https
    assert resource.record(row(store, body), store)["body"]["properties"]["supportsHttpsTrafficOnly"] is https
    assert (row(store, body)["changedAt"] == before["changedAt"]) is not https
    changes = store.documents.query(tenant=store.tenant, kind=CHANGE_KIND, query=Query()).items
    assert [each.body["differences"] for each in changes] == ([[]] if https else [])
    assert compliance.refresh(store=store, policies=policies).gap_count == 0


def test_a_change_event_restores_a_lost_blob(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    body = large("big", APART, https=False)
    inventory.put(body)
    run("s1")
    lose(store)
    judgement.judge_resource(body["id"], store=store, inventory=inventory, policies=policies)
    assert resource.record(row(store, body), store)["body"] == body


def test_what_is_lost_and_then_forbidden_stays_unread(run: Run, store: Store, inventory: MemoryInventory) -> None:
    body = large("big", APART, https=False)
    inventory.put(body, account("one"))
    run("s1")
    lose(store)
    inventory.hidden.add(body["id"].lower())
    run("s2")
    unread = resource.record(row(store, body), store)["unread"]
    assert (unread["properties"]["reason"], unread["tags"]["reason"]) == ("forbidden", "damaged")


def test_resources_of_any_size_are_rebuilt(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(large("big", APART, https=False), account("one"))
    run("s1")
    before = everything(store)
    assert everything(rebuilt(store, policies)) == before


def test_an_event_that_cannot_be_projected_is_a_gap_and_the_stream_goes_on(
    run: Run, store: Store, inventory: MemoryInventory, policies: EffectivePolicies
) -> None:
    inventory.put(account("one"))
    run("s1")
    known = estate.current(store, SUBSCRIPTION)
    documents = {
        RESOURCE_KIND: {"bad/id": {"resourceId": "/bad"}, "good": {**row(store, account("one")), "id": "good"}}
    }
    poison = ResourceJudged(resource="/bad", new=1, body={"documents": documents})
    event.append(store, "estate", SUBSCRIPTION, poison)
    after = estate.current(store, SUBSCRIPTION)
    assert after.sequence == known.sequence + 1
    assert [(gap.scope, gap.reason) for gap in after.gaps] == [("/bad", "failed")]
    summary = compliance.refresh(store=store, policies=policies)
    assert (summary.gap_count, [gap.scope for gap in summary.gaps]) == (1, ["/bad"])
    assert store.documents.get(tenant=store.tenant, kind=RESOURCE_KIND, id="good") is not None
    assert estate.current(store, SUBSCRIPTION) == after
    inventory.put(account("two"))
    assert run("s2").status == ScanStatus.COMPLETED
    assert row(store, account("two"))["gone"] is False


def test_what_a_store_refuses_is_left_out_before_it_is_recorded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estate, "DOCUMENT_BYTES", 1000)
    bodies = {"large": {"text": "x" * 1000}, "strange": {"number": 2**70}, "good": {"resourceId": "/good"}}
    change = estate.EstateChange(ResourceJudged(resource="/x", new=1), {RESOURCE_KIND: bodies})
    known = estate.decide(store, SUBSCRIPTION, lambda _: change)
    assert [gap.scope for gap in known.gaps] == ["large", "strange"]
    assert store.documents.get(tenant=store.tenant, kind=RESOURCE_KIND, id="good") is not None

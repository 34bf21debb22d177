"""All documents can be rebuilt from the streams, and a step that dies anywhere is made good by the next."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.index import INDEXES
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import Forbidden
from shared.domain.exemption import ExemptionCategory, ExemptionRequest
from shared.domain.scan import ScanStatus
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import rebuild
from shared.services.estate import judgement
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import scan
from tests.fakes import scan_run
from tests.fakes.exemption import approved_exemption
from tests.fakes.interruption import InterruptedDocuments, Killed
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.fakes.rebuilt import rebuilt
from tests.services.scan.test_scan import Run, run

__all__ = ["run"]  # the fixture

PROJECTED = ("resource", "change", "finding", "estate", "scan", "scan-subscription", "exemption", "summary")


def everything(store: Store) -> dict[str, dict[str, Mapping[str, Any]]]:
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for kind in PROJECTED:
        page = store.documents.query(tenant=store.tenant, kind=kind, query=Query(), limit=1000)
        found[kind] = {each.id: {**each.body, "at": None} for each in page.items}
    return found


def test_every_document_is_rebuilt_from_the_streams(
    run: Run,
    store: Store,
    queue: Queue,
    inventory: MemoryInventory,
    policies: EffectivePolicies,
) -> None:
    bodies = [account(f"a{number}", https=number % 3 > 0) for number in range(9)]
    inventory.put(*bodies)
    run("s1")
    inventory.put(account("a0"), account("a1", https=False))
    judgement.judge_resource(bodies[1]["id"], store=store, inventory=inventory, policies=policies)
    inventory.remove(bodies[3])
    asked = ExemptionRequest(
        scope=f"/subscriptions/{SUBSCRIPTION}",
        assignment="baseline",
        references=("https-only",),
        category=ExemptionCategory.MITIGATED,
        reason="behind a gateway until June",
        owner="ada@example.com",
        expires_at=store.now() + timedelta(days=30),
    )
    made = approved_exemption("e1", asked, store=store, queue=queue, policies=policies)
    judgement.judge_covered(made, store=store, policies=policies)
    run("s2")
    original = everything(store)
    after = rebuilt(store, policies)
    assert rebuild.latest(store=after).model.streams == 4
    assert {kind: len(found) for kind, found in original.items()} == {
        "resource": 9,
        "change": 2,
        "finding": 4,
        "estate": 1,
        "scan": 2,
        "scan-subscription": 2,
        "exemption": 1,
        "summary": 1,
    }
    assert everything(after) == original


def workflow(
    store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, name: str = "s1"
) -> None:
    scan_run.run(name, store, queue, inventory, policies)


def outcome(store: Store) -> object:
    ended = scan.find("s1", store=store)
    kept = everything(store)
    return (
        ended.status,
        ended.resources,
        ended.evaluation_count,
        ended.finding_count,
        (ended.collected, ended.expected, ended.unfinished, ended.failed),
        [(each.collected, each.expected, each.judged) for each in scan_run.progress(store, "s1").values()],
        sorted(kept["finding"]),
        sorted(kept["resource"]),
        kept["estate"][SUBSCRIPTION]["counts"],
        kept["summary"]["tenant"]["nonCompliant"],
    )


@pytest.mark.parametrize("after", [False, True])
def test_a_scan_killed_at_any_write_ends_the_same(
    *, after: bool, store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, tmp_path: Path
) -> None:
    inventory.put(*(account(f"a{number}", https=number % 2 > 0) for number in range(4)))
    counting = InterruptedDocuments(store.documents, 0, after=after)  # type: ignore[arg-type] # the fixture's adapter
    workflow(replace(store, documents=counting), queue, inventory, policies)  # type: ignore[arg-type] # duck
    expected = outcome(store)
    assert expected[0] == ScanStatus.COMPLETED  # type: ignore[index] # a tuple
    assert counting.writes > 15
    for at in range(1, counting.writes + 1):
        with SqliteDocuments(tmp_path / f"{after}{at}.db", indexes=INDEXES) as documents:
            fresh = replace(store, documents=documents)
            dying = replace(fresh, documents=InterruptedDocuments(documents, at, after=after))  # type: ignore[arg-type] # duck
            with pytest.raises(Killed):
                workflow(dying, queue, inventory, policies)
            workflow(fresh, queue, inventory, policies)
            assert outcome(fresh) == expected, f"killed at write {at}"


@pytest.mark.parametrize("after", [False, True])
def test_a_refused_scan_killed_at_any_write_takes_nothing_for_gone(
    *, after: bool, store: Store, queue: Queue, inventory: MemoryInventory, policies: EffectivePolicies, tmp_path: Path
) -> None:
    inventory.put(account("a1"), account("a2", https=False))
    refused = Forbidden("not for you", permission="*/read")
    for at in range(1, 40):
        with SqliteDocuments(tmp_path / f"{after}{at}.db", indexes=INDEXES) as documents:
            fresh = replace(store, documents=documents)
            workflow(fresh, queue, inventory, policies)
            inventory.faults = [refused] * 3
            dying = InterruptedDocuments(documents, at, after=after)
            with suppress(Killed):
                workflow(replace(fresh, documents=dying), queue, inventory, policies, "s2")  # type: ignore[arg-type] # duck
            workflow(fresh, queue, inventory, policies, "s2")
            inventory.faults = []
            kept = everything(fresh)
            assert not any(each["gone"] for each in kept["resource"].values()), f"killed at write {at}"
            assert [each["open"] for each in kept["finding"].values()] == [True]
            assert scan.find("s2", store=fresh).status == ScanStatus.PARTIAL
            assert len(scan.find("s2", store=fresh).gaps) == 1
    assert dying.writes < at, "it was killed at every write"

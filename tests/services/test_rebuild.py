"""All documents can be rebuilt from the streams, and a step that dies anywhere is made good by the next."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.index import INDEXES
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import Forbidden
from shared.domain.exemption import Category, ExemptionRequest
from shared.domain.scan import ScanRequest, Status, Trigger
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import exemption, judgement, rebuild, scan
from shared.services.estate import Store
from shared.services.policy import Book

from .conftest import SUBSCRIPTION, MemoryInventory, account
from .test_scan import Run, run

__all__ = ["run"]  # the fixture

PROJECTED = ("resource", "change", "finding", "posture", "scan", "exemption", "summary")


def everything(store: Store) -> dict[str, dict[str, Mapping[str, Any]]]:
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for kind in PROJECTED:
        page = store.documents.query(tenant=store.tenant, kind=kind, query=Query(), limit=1000)
        found[kind] = {each.id: {**each.body, "at": None} for each in page.items}
    return found


@pytest.fixture
def other(tmp_path: Path) -> Iterator[SqliteDocuments]:
    with SqliteDocuments(tmp_path / "other.db", indexes=INDEXES) as opened:
        yield opened


def test_every_document_is_rebuilt_from_the_streams(
    run: Run, store: Store, queue: Queue, inventory: MemoryInventory, book: Book, other: SqliteDocuments
) -> None:
    bodies = [account(f"a{number}", https=number % 3 > 0) for number in range(9)]
    inventory.put(*bodies)
    run("s1")
    inventory.put(account("a0"), account("a1", https=False))
    judgement.judge_resource(bodies[1]["id"], store=store, inventory=inventory, book=book)
    inventory.remove(bodies[3])
    asked = ExemptionRequest(
        scope=f"/subscriptions/{SUBSCRIPTION}",
        policies=("https-only",),
        category=Category.MITIGATED,
        reason="behind a gateway until June",
        owner="ada",
        expires_at=store.now() + timedelta(days=30),
    )
    made = exemption.create("e1", asked, store=store, queue=queue, policies=book.entries)
    judgement.restate_covered(made, store=store, book=book)
    run("s2")
    target = replace(store, documents=other)
    assert rebuild.rebuild(source=store, target=target, book=book) == 4
    rebuilt, original = everything(target), everything(store)
    assert {kind: len(found) for kind, found in original.items()} == {
        "resource": 9,
        "change": 2,
        "finding": 4,
        "posture": 1,
        "scan": 2,
        "exemption": 1,
        "summary": 1,
    }
    assert rebuilt == original


class Killed(BaseException):
    """The process died here."""


class Dying:
    """Documents that die at the nth write, before or after it happened."""

    def __init__(self, documents: SqliteDocuments, at: int, *, after: bool) -> None:
        self._documents, self._at, self._after, self.writes = documents, at, after, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._documents, name)
        if name not in {"put", "create", "put_many", "create_all", "delete"}:
            return method
        return lambda **given: self._write(method, given)

    def _write(self, method: Callable[..., Any], given: dict[str, Any]) -> Any:
        self.writes += 1
        if self.writes == self._at and not self._after:
            raise Killed
        answer = method(**given)
        if self.writes == self._at:
            raise Killed
        return answer


def workflow(store: Store, queue: Queue, inventory: MemoryInventory, book: Book, name: str = "s1") -> None:
    scan.request(name, ScanRequest(), Trigger.HTTP, store=store, queue=queue)
    for subscription in scan.prepare(name, store=store, inventory=inventory):
        while scan.step(name, subscription, store=store, inventory=inventory, book=book).state != "done":
            pass
    scan.finish(name, store=store, book=book)


def outcome(store: Store) -> object:
    scans = scan.find("s1", store=store)
    kept = everything(store)
    return (
        scans.status,
        scans.resources,
        scans.pairs,
        scans.attention,
        [(each.collected, each.expected, each.judged) for each in scans.progress.values()],
        sorted(kept["finding"]),
        sorted(kept["resource"]),
        kept["posture"][SUBSCRIPTION]["counts"],
        kept["summary"]["tenant"]["nonCompliant"],
    )


@pytest.mark.parametrize("after", [False, True])
def test_a_scan_killed_at_any_write_ends_the_same(
    *, after: bool, store: Store, queue: Queue, inventory: MemoryInventory, book: Book, tmp_path: Path
) -> None:
    inventory.put(*(account(f"a{number}", https=number % 2 > 0) for number in range(4)))
    counting = Dying(store.documents, 0, after=after)  # type: ignore[arg-type] # the fixture's adapter
    workflow(replace(store, documents=counting), queue, inventory, book)  # type: ignore[arg-type] # duck
    expected = outcome(store)
    assert expected[0] == Status.COMPLETED  # type: ignore[index] # a tuple
    assert counting.writes > 15
    for at in range(1, counting.writes + 1):
        with SqliteDocuments(tmp_path / f"{after}{at}.db", indexes=INDEXES) as documents:
            fresh = replace(store, documents=documents)
            dying = replace(fresh, documents=Dying(documents, at, after=after))  # type: ignore[arg-type] # duck
            with pytest.raises(Killed):
                workflow(dying, queue, inventory, book)
            workflow(fresh, queue, inventory, book)
            assert outcome(fresh) == expected, f"killed at write {at}"


@pytest.mark.parametrize("after", [False, True])
def test_a_refused_scan_killed_at_any_write_takes_nothing_for_gone(
    *, after: bool, store: Store, queue: Queue, inventory: MemoryInventory, book: Book, tmp_path: Path
) -> None:
    inventory.put(account("a1"), account("a2", https=False))
    refused = Forbidden("not for you", permission="*/read")
    for at in range(1, 40):
        with SqliteDocuments(tmp_path / f"{after}{at}.db", indexes=INDEXES) as documents:
            fresh = replace(store, documents=documents)
            workflow(fresh, queue, inventory, book)
            inventory.faults = [refused] * 3
            dying = Dying(documents, at, after=after)
            with suppress(Killed):
                workflow(replace(fresh, documents=dying), queue, inventory, book, "s2")  # type: ignore[arg-type] # duck
            workflow(fresh, queue, inventory, book, "s2")
            inventory.faults = []
            kept = everything(fresh)
            assert not any(each["gone"] for each in kept["resource"].values()), f"killed at write {at}"
            assert [each["open"] for each in kept["finding"].values()] == [True]
            assert scan.find("s2", store=fresh).status == Status.PARTIAL
            assert len(scan.find("s2", store=fresh).gaps) == 1
    assert dying.writes < at, "it was killed at every write"

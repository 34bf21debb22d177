import gzip
import json
from datetime import timedelta

import pytest

from shared.domain.error import InvalidInput, TooLarge
from shared.domain.transfer import Origin, Status, Transfer
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import collection, compliance, judgement, transfer
from shared.services.estate import Store
from shared.services.policy import Book
from tests.conftest import Clock

from .conftest import SUBSCRIPTION, SmallCatalog, account

CATALOG = SmallCatalog()


def lines(*bodies: object) -> bytes:
    return b"".join(json.dumps(body).encode() + b"\n" for body in bodies)


def run(data: bytes, store: Store, queue: Queue, origin: Origin | None = None) -> Transfer:
    transfer.request("i1", "file.json", [data], store=store, queue=queue, origin=origin)
    while (known := transfer.run("i1", store=store, queue=queue, catalog=CATALOG)).status in transfer.ACTIVE:
        pass
    return known


def stored(store: Store) -> list[str]:
    return sorted(body["name"] for _, body in collection.stored(Query(equals={"gone": False}), store))


def test_an_import_is_kept_judged_and_found(store: Store, queue: Queue, book: Book) -> None:
    ended = run(lines(account("a", https=False), account("b")), store, queue)
    assert (ended.status, ended.records, ended.kept, ended.subscriptions) == (Status.COMPLETED, 2, 2, (SUBSCRIPTION,))
    assert store.blobs.names(tenant=store.tenant, prefix="import/") == []
    posture = compliance.postures(store)[0]
    assert (posture.source, posture.resources) == ("import", 2)
    judgement.judge("s1", SUBSCRIPTION, store=store, book=book, until=store.now() + timedelta(days=1))
    assert compliance.refresh(store=store, book=book).non_compliant == 1


def test_bad_records_are_told_and_the_good_ones_kept(store: Store, queue: Queue) -> None:
    ended = run(lines(account("a"), {"name": "no id"}, 7, account("b")), store, queue)
    assert (ended.status, ended.records, ended.kept, ended.bad) == (Status.PARTIAL, 4, 2, 2)
    assert [(each.position, each.line) for each in ended.first_bad] == [(2, 2), (3, 3)]
    assert stored(store) == ["a", "b"]


def test_importing_the_same_again_changes_nothing(store: Store, queue: Queue) -> None:
    data = gzip.compress(lines(account("a"), account("b")))
    run(data, store, queue)
    before = compliance.postures(store)[0].sequence
    transfer.request("i2", "again.json.gz", [data], store=store, queue=queue)
    ended = transfer.run("i2", store=store, queue=queue, catalog=CATALOG)
    assert (ended.status, ended.kept) == (Status.COMPLETED, 2)
    assert compliance.postures(store)[0].sequence == before


def test_a_long_import_goes_on_in_bounded_steps(store: Store, queue: Queue, clock: Clock) -> None:
    clock.tick = timedelta(seconds=30)
    data = lines(*(account(f"a{number:04}") for number in range(2500)))
    transfer.request("i1", "file.json", [data], store=store, queue=queue)
    first = transfer.run("i1", store=store, queue=queue, catalog=CATALOG)
    assert (first.status, first.records) == (Status.RUNNING, 1000)
    ended = run(data, store, queue)
    assert (ended.status, ended.records, ended.kept) == (Status.COMPLETED, 2500, 2500)
    assert len(stored(store)) == 2500


def test_an_exported_template_is_from_where_it_is_said_to_be(store: Store, queue: Queue) -> None:
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "resources": [{"type": "Microsoft.Storage/storageAccounts", "name": "a", "apiVersion": "2023-05-01"}],
    }
    ended = run(json.dumps(template).encode(), store, queue, Origin(subscription=SUBSCRIPTION, resource_group="rg"))
    assert (ended.status, ended.subscriptions) == (Status.COMPLETED, (SUBSCRIPTION,))


def test_garbage_fails_with_a_reason(store: Store, queue: Queue) -> None:
    ended = run(b"\x00\x01\x02 not json at all", store, queue)
    assert ended.kept == 0
    assert ended.status in (Status.PARTIAL, Status.FAILED)
    assert ended.reason


def test_nothing_and_too_much_are_refused(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        transfer.request("i1", "x", [], store=store, queue=queue)
    monkeypatch.setattr(transfer, "LARGEST", 10)
    with pytest.raises(TooLarge, match="split"):
        transfer.request("i2", "x", [b"x" * 11], store=store, queue=queue)


def test_an_import_that_ended_is_not_run_again(store: Store, queue: Queue) -> None:
    ended = run(lines(account("a")), store, queue)
    assert transfer.run("i1", store=store, queue=queue, catalog=CATALOG) == ended
    assert transfer.fail("i1", "late", store=store) == ended
    assert transfer.unfinished(store=store) == []

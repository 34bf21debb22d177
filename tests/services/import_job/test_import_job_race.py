"""Deliveries of one import at once, overtaken and killed anywhere: what is told is what is stored."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.index import INDEXES
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import Conflict, CortexError, NotFound, Throttled, Unavailable
from shared.domain.import_job import ImportJob, ImportProgressed, ImportStatus
from shared.eventstore import aggregate
from shared.eventstore.store import Store
from shared.importing.inventory_reader import InventoryReader
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services.estate import resource
from shared.services.import_job import import_job, upload
from tests.fakes import event
from tests.fakes.catalog import SmallCatalog
from tests.fakes.clock import Clock
from tests.fakes.interruption import InterruptedDocuments, Killed
from tests.fakes.inventory import account

CATALOG = SmallCatalog()
GOOD, BAD, TWICE = 3, 2, 1
BATCH_RECORDS = 2
ENDS = {"importCompleted", "importPartial", "importFailed", "importCancelled"}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_job, "BATCH_RECORDS", BATCH_RECORDS)


def content(good: int = GOOD) -> bytes:
    bodies: list[Any] = [account(f"a{number:05}") for number in range(good)]
    bodies[2:2] = [{"name": "no id"}, 7][:BAD]
    return b"\n".join(json.dumps(body).encode() for body in [*bodies, bodies[0]][: good + BAD + TWICE])


def request(store: Store, queue: Queue, data: bytes) -> None:
    upload.take("i1", "file.jsonl", [data], store=store, queue=queue)


def run(store: Store, queue: Queue) -> ImportJob:
    return import_job.run("i1", store=store, queue=queue, catalog=CATALOG)


def to_the_end(store: Store, queue: Queue) -> ImportJob:
    """Deliver whatever is in the queue until there is nothing."""
    while found := queue.receive(import_job.QUEUE, limit=1):
        run(store, queue)
        queue.delete(import_job.QUEUE, found[0])
    return import_job.find("i1", store=store)


def check(store: Store, good: int = GOOD) -> None:
    """Told = stored, each record of the file once, in events that follow each other."""
    ended = import_job.find("i1", store=store)
    stored = [key for key, _ in resource.stored(Query(equals={"gone": False}), store)]
    assert (ended.status, ended.records) == (ImportStatus.PARTIAL, good + BAD + TWICE)
    assert (ended.imported, ended.error_count) == (good, BAD + TWICE)
    assert len(stored) == ended.imported
    assert len(ended.errors) == ended.error_count
    moves = [each.event for each in _events(store, "import:i1") if each.event.type == "importProgressed"]
    assert [each.start for each in moves] == [0, *(each.end for each in moves[:-1])]
    pages = [each for each in _events(store, f"estate:{ended.subscriptions[0]}") if each.event.type == "pageImported"]
    assert sum(each.event.new for each in pages) == good, "every resource was new once"
    assert store.blobs.names(tenant=store.tenant, prefix="import/") == []


def _events(store: Store, name: str) -> list[Any]:
    return event.of(store, name)


def at_every_write(
    store: Store, queue: Queue, folder: Path, do: Callable[[Store], object], *, after: bool
) -> Iterator[Store]:
    """Run an import in which something happens at its first write, one in which at its second, and so on."""
    for at in range(1, 100):
        with SqliteDocuments(folder / f"{after}{at}.db", indexes=INDEXES) as documents:
            fresh = replace(store, documents=documents)
            interrupted = InterruptedDocuments(documents, at, lambda fresh=fresh: do(fresh), after=after)  # type: ignore[misc]
            request(fresh, queue, content())
            with suppress(Killed):
                run(replace(fresh, documents=interrupted), queue)  # type: ignore[arg-type] # duck
            to_the_end(fresh, queue)
            yield fresh
        if interrupted.writes < at:
            return
    raise AssertionError("it never ended")


@pytest.mark.parametrize("after", [False, True])
def test_a_delivery_overtaken_at_any_write_changes_nothing(
    *, after: bool, store: Store, queue: Queue, tmp_path: Path
) -> None:
    for each in at_every_write(store, queue, tmp_path, lambda fresh: run(fresh, queue), after=after):
        check(each)


@pytest.mark.parametrize("after", [False, True])
def test_a_delivery_killed_at_any_write_is_continued_by_the_next(
    *, after: bool, store: Store, queue: Queue, tmp_path: Path
) -> None:
    def die(_fresh: Store) -> None:
        raise Killed

    for each in at_every_write(store, queue, tmp_path, die, after=after):
        check(each)


def test_an_overtaken_delivery_stops_without_another_message(store: Store, queue: Queue, clock: Clock) -> None:
    request(store, queue, content(50))
    clock.tick = timedelta(seconds=10)
    queue.delete(import_job.QUEUE, queue.receive(import_job.QUEUE)[0])
    interrupted = InterruptedDocuments(store.documents, 3, lambda: run(store, queue), after=True)
    stopped = run(replace(store, documents=interrupted), queue)  # type: ignore[arg-type] # duck
    assert stopped.status == ImportStatus.RUNNING
    assert queue.length(import_job.QUEUE) == 1, "the one that is ahead goes on, and it alone"


def test_deliveries_at_once_keep_each_record_once(store: Store, queue: Queue) -> None:
    request(store, queue, content(60))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run(store, queue), range(8)))
    to_the_end(store, queue)
    check(store, 60)


def stop(store: Store) -> None:
    with suppress(Conflict):  # it had ended by itself
        import_job.cancel("i1", store=store)


@pytest.mark.parametrize("after", [False, True])
def test_an_import_cancelled_at_any_write_ends_and_what_was_kept_stays(
    *, after: bool, store: Store, queue: Queue, tmp_path: Path
) -> None:
    ends = set()
    for each in at_every_write(store, queue, tmp_path, stop, after=after):
        ended = import_job.find("i1", store=each)
        ends.add(ended.status)
        assert ended.ended_at is not None
        assert len(list(resource.stored(Query(equals={"gone": False}), each))) >= ended.imported
        assert each.blobs.names(tenant=each.tenant, prefix="import/") == []
    assert ends == {ImportStatus.CANCELLED, ImportStatus.PARTIAL}, "the last one is not interrupted"


def test_an_import_is_cancelled_once_however_often_it_is_asked(store: Store, queue: Queue) -> None:
    request(store, queue, content(60))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: stop(store) if number % 2 else run(store, queue), range(8)))
    to_the_end(store, queue)
    ended = [each.event.type for each in _events(store, "import:i1") if each.event.type in ENDS]
    assert len(ended) == 1
    assert import_job.find("i1", store=store).ended_at is not None
    assert store.blobs.names(tenant=store.tenant, prefix="import/") == []


def test_a_cancelled_import_is_neither_run_nor_sent_again(store: Store, queue: Queue, clock: Clock) -> None:
    request(store, queue, content(60))
    clock.tick = import_job.STEP_DURATION / 2
    going = run(store, queue)
    assert (going.status, going.imported) == (ImportStatus.RUNNING, BATCH_RECORDS)
    clock.tick = timedelta(0)
    first, again = (import_job.cancel("i1", store=store) for _ in range(2))
    assert (first.status, first.reason) == (ImportStatus.CANCELLED, f"cancelled after {BATCH_RECORDS} records")
    assert again == first
    clock.at += 2 * import_job.STALLED_AFTER
    assert import_job.stalled(store=store) == []
    assert to_the_end(store, queue) == first
    assert len(list(resource.stored(Query(), store))) == BATCH_RECORDS


def test_an_upload_that_waits_is_cancelled_and_takes_no_file(store: Store, queue: Queue) -> None:
    upload.start("i1", "file.jsonl", store=store)
    assert import_job.cancel("i1", store=store).status == ImportStatus.CANCELLED
    with pytest.raises(Conflict):
        upload.receive("i1", [content()], store=store)
    with pytest.raises(Conflict, match="cancelled"):
        upload.complete("i1", 1, "a" * 64, store=store, queue=queue)


def test_what_has_ended_by_itself_is_not_cancelled(store: Store, queue: Queue) -> None:
    request(store, queue, content())
    to_the_end(store, queue)
    with pytest.raises(Conflict, match="i1 is partial already"):
        import_job.cancel("i1", store=store)
    with pytest.raises(NotFound):
        import_job.cancel("i2", store=store)


def test_a_late_delivery_does_not_undo_what_a_newer_import_said(store: Store, queue: Queue, clock: Clock) -> None:
    """The file of the first import says less than that of the second, which is requested and ends in its midst."""
    old, new = account("a", https=False), account("a", https=True)
    request(store, queue, json.dumps(old).encode())

    def newer() -> None:
        clock.at += timedelta(seconds=1)
        run(store, queue)
        upload.take("i2", "new.json", [json.dumps(new).encode()], store=store, queue=queue)
        import_job.run("i2", store=store, queue=queue, catalog=CATALOG)

    interrupted = InterruptedDocuments(store.documents, 1, newer, after=False)
    run(replace(store, documents=interrupted), queue)  # type: ignore[arg-type] # duck
    ((_, kept),) = resource.stored(Query(), store)
    assert kept["record"]["body"]["properties"] == new["properties"]


def test_only_a_stalled_import_is_sent_again(store: Store, queue: Queue, clock: Clock) -> None:
    request(store, queue, content())
    assert import_job.stalled(store=store) == []
    clock.at += import_job.STALLED_AFTER
    assert [each.id for each in import_job.stalled(store=store)] == ["i1"]
    clock.tick = import_job.STEP_DURATION / 4
    run(store, queue)
    clock.tick = timedelta(0)
    assert import_job.find("i1", store=store).status == ImportStatus.RUNNING
    assert import_job.stalled(store=store) == [], "it came further"


def test_an_import_whose_counts_do_not_match_its_file_fails(store: Store, queue: Queue) -> None:
    request(store, queue, content())
    wrong = ImportProgressed(start=0, end=10, imported=10, error_count=0, errors=(), subscriptions=())
    aggregate.decide(import_job.STREAM, "i1", lambda _: [wrong], store=store)
    ended = run(store, queue)
    assert ended.status == ImportStatus.FAILED
    assert "10 imported and 0 left out were recorded, the file has 3 and 3" in ended.reason


@pytest.mark.parametrize(("data", "reason"), [(b"[]", "0 records"), (b'{"name": "x"}', "1 record.*there is no id")])
def test_an_import_without_any_kept_record_fails(store: Store, queue: Queue, data: bytes, reason: str) -> None:
    request(store, queue, data)
    ended = run(store, queue)
    assert (ended.status, ended.imported) == (ImportStatus.FAILED, 0)
    assert re.search(f"none of the {reason}", ended.reason)


@pytest.mark.parametrize("error", [Throttled("wait", retry_after=40), Unavailable("down", retry_after=40)])
def test_an_import_waits_for_a_store_that_does_not_answer(
    store: Store, queue: Queue, clock: Clock, error: CortexError
) -> None:
    def fail() -> None:
        raise error

    request(store, queue, content())
    queue.delete(import_job.QUEUE, queue.receive(import_job.QUEUE)[0])
    assert (
        run(replace(store, documents=InterruptedDocuments(store.documents, 2, fail, after=False)), queue).status
        == "requested"
    )  # type: ignore[arg-type] # duck
    assert queue.receive(import_job.QUEUE) == []
    clock.at += timedelta(seconds=40)
    to_the_end(store, queue)
    check(store)


def test_a_second_delivery_stops_before_it_has_read_up_to_the_position(
    store: Store, queue: Queue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    request(store, queue, content(40))
    clock.tick = import_job.STEP_DURATION / 40
    run(store, queue)
    read: Counter[InventoryReader] = Counter()
    batch = InventoryReader.batch

    def counting(file: InventoryReader, size: int) -> Any:
        read[file] += 1
        if read.total() == 1:
            run(store, queue)
        return batch(file, size)

    monkeypatch.setattr(InventoryReader, "batch", counting)
    assert import_job.find("i1", store=store).records > 5 * BATCH_RECORDS
    run(store, queue)
    assert len(read) == 2
    assert min(read.values()) == 1

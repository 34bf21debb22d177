"""An import job reads a file in steps and records what it found."""

import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain import timestamp
from shared.domain.error import InvalidInput, Throttled, TooLarge
from shared.domain.finding import resource_key
from shared.domain.import_job import ImportJob, ImportOrigin, ImportStatus
from shared.eventstore.store import Store
from shared.importing import buffer, inventory_reader
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import compliance
from shared.services.estate import estate, judgement, resource, surroundings
from shared.services.import_job import import_job, upload
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes.catalog import SmallCatalog
from tests.fakes.clock import Clock
from tests.fakes.inventory import SUBSCRIPTION, account

CATALOG = SmallCatalog()


def lines(*bodies: object) -> bytes:
    return b"".join(json.dumps(body).encode() + b"\n" for body in bodies)


def run(data: bytes, store: Store, queue: Queue, origin: ImportOrigin | None = None) -> ImportJob:
    upload.take("i1", "file.json", [data], store=store, queue=queue, origin=origin)
    while (
        known := import_job.run("i1", store=store, queue=queue, catalog=CATALOG)
    ).status in import_job.ACTIVE_STATUSES:
        pass
    return known


def key_of(name: str) -> str:
    return resource_key(account(name)["id"])


def stored(store: Store) -> list[str]:
    return sorted(body["name"] for _, body in resource.stored(Query(equals={"gone": False}), store))


def test_an_import_is_kept_judged_and_found(store: Store, queue: Queue, policies: EffectivePolicies) -> None:
    ended = run(lines(account("a", https=False), account("b")), store, queue)
    assert (ended.status, ended.records, ended.imported, ended.subscriptions) == (
        ImportStatus.COMPLETED,
        2,
        2,
        (SUBSCRIPTION,),
    )
    assert store.blobs.names(tenant=store.tenant, prefix="import/") == []
    posture = estate.every(store)[0]
    assert (posture.source, posture.resources) == ("import", 2)
    judgement.judge("s1", SUBSCRIPTION, fence=1, store=store, policies=policies, until=store.now() + timedelta(days=1))
    assert compliance.refresh(store=store, policies=policies).non_compliant == 1


def test_bad_records_are_listed_and_the_others_kept(store: Store, queue: Queue) -> None:
    ended = run(lines(account("a"), {"name": "no id"}, 7, account("b")), store, queue)
    assert (ended.status, ended.records, ended.imported, ended.error_count) == (ImportStatus.PARTIAL, 4, 2, 2)
    assert [(each.position, each.line) for each in ended.errors] == [(2, 2), (3, 3)]
    assert stored(store) == ["a", "b"]


def test_importing_the_same_again_changes_nothing(store: Store, queue: Queue) -> None:
    data = gzip.compress(lines(account("a"), account("b")))
    run(data, store, queue)
    before = estate.every(store)[0].sequence
    upload.take("i2", "again.json.gz", [data], store=store, queue=queue)
    ended = import_job.run("i2", store=store, queue=queue, catalog=CATALOG)
    assert (ended.status, ended.imported) == (ImportStatus.COMPLETED, 2)
    assert estate.every(store)[0].sequence == before


def test_a_list_without_properties_does_not_replace_a_body(
    store: Store, queue: Queue, policies: EffectivePolicies, clock: Clock
) -> None:
    run(lines(account("a", https=False)), store, queue)
    read = resource.get(key_of("a"), store=store).model.collected_at
    clock.at += timedelta(hours=1)
    bare = {name: value for name, value in account("a", team="b").items() if name != "properties"}
    upload.take("i2", "list.json", [json.dumps([bare]).encode()], store=store, queue=queue)
    ended = import_job.run("i2", store=store, queue=queue, catalog=CATALOG)
    assert (ended.status, ended.retained, len(ended.retained_examples)) == (ImportStatus.COMPLETED, 1, 1)
    assert "of 1 resource what was stored before says more or is newer, and was kept (a)" in ended.reason
    found = resource.get(key_of("a"), store=store).model
    body = found.record["body"]
    assert (body["properties"], body["tags"]["team"]) == ({"supportsHttpsTrafficOnly": False}, "b")
    assert "unread" not in found.record
    assert found.collected_at == read < found.changed_at
    judgement.judge("s1", SUBSCRIPTION, fence=1, store=store, policies=policies, until=store.now() + timedelta(days=1))
    assert compliance.refresh(store=store, policies=policies).non_compliant == 1


def test_a_long_import_goes_on_in_bounded_steps(store: Store, queue: Queue, clock: Clock) -> None:
    clock.tick = timedelta(seconds=30)
    data = lines(*(account(f"a{number:04}") for number in range(2500)))
    upload.take("i1", "file.json", [data], store=store, queue=queue)
    first = import_job.run("i1", store=store, queue=queue, catalog=CATALOG)
    assert (first.status, first.records) == (ImportStatus.RUNNING, 1000)
    ended = run(data, store, queue)
    assert (ended.status, ended.records, ended.imported) == (ImportStatus.COMPLETED, 2500, 2500)
    assert len(stored(store)) == 2500


def test_an_import_whose_store_asks_to_wait_says_until_when_and_why(
    store: Store, queue: Queue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = lines(account("a"))
    upload.take("i1", "file.json", [data], store=store, queue=queue)

    def throttled(*_: object, **__: object) -> None:
        raise Throttled("the store asks to wait 600 s", retry_after=600)

    with monkeypatch.context() as patched:
        patched.setattr(import_job, "_step", throttled)
        known = import_job.run("i1", store=store, queue=queue, catalog=CATALOG)
    assert (known.status, known.reason) == (ImportStatus.REQUESTED, "the store asks to wait 600 s")
    assert known.waiting_until is not None
    clock.at += timedelta(seconds=590)
    assert import_job.stalled(store=store) == []
    clock.at += timedelta(seconds=15) + import_job.STALLED_AFTER
    assert import_job.stalled(store=store) == [known]
    ended = run(data, store, queue)
    assert (ended.status, ended.waiting_until, ended.reason) == (ImportStatus.COMPLETED, None, "")


def test_an_exported_template_is_from_where_it_is_said_to_be(store: Store, queue: Queue) -> None:
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "resources": [{"type": "Microsoft.Storage/storageAccounts", "name": "a", "apiVersion": "2023-05-01"}],
    }
    ended = run(
        json.dumps(template).encode(), store, queue, ImportOrigin(subscription=SUBSCRIPTION, resource_group="rg")
    )
    assert (ended.status, ended.subscriptions) == (ImportStatus.COMPLETED, (SUBSCRIPTION,))


def test_a_complete_list_without_properties_says_what_gives_them(store: Store, queue: Queue) -> None:
    rows = [{name: each for name, each in account(number).items() if name != "properties"} for number in "ab"]
    ended = run(json.dumps(rows).encode(), store, queue)
    assert (ended.status, ended.imported) == (ImportStatus.COMPLETED, 2)
    assert ended.reason.startswith("2 of 2 resources came without properties")
    assert "az graph query" in ended.reason


def test_a_file_that_is_not_an_inventory_fails_with_a_reason(store: Store, queue: Queue) -> None:
    ended = run(b"\x00\x01\x02 not json at all", store, queue)
    assert ended.imported == 0
    assert ended.status in (ImportStatus.PARTIAL, ImportStatus.FAILED)
    assert ended.reason


def test_empty_and_too_large_files_are_rejected(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        upload.take("i1", "x", [], store=store, queue=queue)
    monkeypatch.setattr(upload, "UPLOAD_BYTES", 10)
    with pytest.raises(TooLarge, match="split"):
        upload.take("i2", "x", [b"x" * 11], store=store, queue=queue)


def test_an_import_that_ended_is_not_run_again(store: Store, queue: Queue) -> None:
    ended = run(lines(account("a")), store, queue)
    assert import_job.run("i1", store=store, queue=queue, catalog=CATALOG) == ended
    assert import_job.fail("i1", "late", store=store) == ended
    assert import_job.unfinished(store=store) == []


def test_what_came_before_a_file_turns_bad_is_kept(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_reader, "BAD_RECORDS", 2)
    ended = run(lines(account("a"), 1, 2, 3, account("b")), store, queue)
    assert (ended.status, ended.records, ended.imported, ended.error_count) == (ImportStatus.FAILED, 4, 1, 3)
    assert "more than 2 bad records" in ended.reason
    assert stored(store) == ["a"]


def test_a_file_that_is_gone_fails_with_a_reason(store: Store, queue: Queue) -> None:
    upload.take("i1", "file.json", [lines(account("a"))], store=store, queue=queue)
    store.blobs.delete(tenant=store.tenant, name="import/i1/content")
    ended = import_job.run("i1", store=store, queue=queue, catalog=CATALOG)
    assert (ended.status, ended.reason) == (ImportStatus.FAILED, "there is no blob 'import/i1/content'")


@pytest.mark.parametrize("said", ["9999-01-01T00:00:00Z", "soon", "~", None])
def test_a_reading_later_than_its_import_counts_as_of_the_import(
    store: Store, queue: Queue, clock: Clock, said: str | None
) -> None:
    run(lines({"body": account("a"), "collectedAt": said}), store, queue)
    clock.at += timedelta(seconds=1)
    upload.take("i2", "later.json", [lines(account("a", https=False))], store=store, queue=queue)
    import_job.run("i2", store=store, queue=queue, catalog=CATALOG)
    ((_, kept),) = resource.stored(Query(), store)
    assert kept["record"]["body"]["properties"] == {"supportsHttpsTrafficOnly": False}


def test_times_are_compared_as_times() -> None:
    assert timestamp.parse_time("2026-03-01T12:00:00Z") < timestamp.parse_time("2026-03-01T12:00:00.000001Z")
    assert timestamp.parse_time("2026-03-01T13:00:00+01:00") == timestamp.parse_time("2026-03-01T12:00:00")


def test_a_large_record_is_kept_whole_and_the_next_import_works(
    store: Store, queue: Queue, policies: EffectivePolicies
) -> None:
    big = {**account("big"), "properties": {"note": "x" * 2_100_000, "supportsHttpsTrafficOnly": False}}
    ended = run(lines(account("one"), big, account("two")), store, queue)
    assert (ended.status, ended.records, ended.imported) == (ImportStatus.COMPLETED, 3, 3)
    upload.take("i2", "tiny.json", [lines(account("tiny"))], store=store, queue=queue)
    assert import_job.run("i2", store=store, queue=queue, catalog=CATALOG).status == ImportStatus.COMPLETED
    assert stored(store) == ["big", "one", "tiny", "two"]
    judgement.judge("s1", SUBSCRIPTION, fence=1, store=store, policies=policies, until=store.now() + timedelta(days=1))
    assert compliance.refresh(store=store, policies=policies).non_compliant == 1


def test_a_record_over_the_bound_is_left_out_and_the_others_are_kept(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer, "RECORD_BYTES", 100_000)
    big = {**account("big"), "properties": {"note": "x" * 200_000}}
    ended = run(lines(account("one"), big, account("two")), store, queue)
    assert (ended.status, ended.imported, ended.error_count) == (ImportStatus.PARTIAL, 2, 1)
    assert [(each.position, each.reason) for each in ended.errors] == [(2, "longer than 100000 bytes")]
    assert stored(store) == ["one", "two"]


def test_few_large_records_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_reader, "BATCH_BYTES", 5_000)
    bodies = [{**account(f"a{number}"), "properties": {"note": "x" * 2_000}} for number in range(10)]
    file = inventory_reader.InventoryReader([lines(*bodies)])
    sizes = [len(found) for found in iter(lambda: file.batch(1000), [])]
    assert sizes == [3, 3, 3, 1]


def test_a_template_is_read_to_its_end_past_what_is_not_deployed(
    store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory_reader, "BATCH_BYTES", 5_000)
    kind = {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-05-01"}
    nothing = [{**kind, "name": f"no{at}", "condition": False, "tags": {"note": "x" * 2_000}} for at in range(40)]
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "resources": [{**kind, "name": "a"}, *nothing, {**kind, "name": "b"}, *nothing],
    }
    ended = run(
        json.dumps(template).encode(), store, queue, ImportOrigin(subscription=SUBSCRIPTION, resource_group="rg")
    )
    assert (ended.status, ended.imported) == (ImportStatus.COMPLETED, 2)
    assert stored(store) == ["a", "b"]


def test_an_import_with_skipped_records_fails(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    take = inventory_reader.InventoryReader._next
    monkeypatch.setattr(inventory_reader.InventoryReader, "_next", lambda file: (take(file), take(file))[1])
    ended = run(lines(*(account(name) for name in "abcdef")), store, queue)
    assert ended.status == ImportStatus.FAILED
    assert "3 of the 6 records found in the file were read" in ended.reason


def test_a_record_with_an_unstorable_subscription_is_left_out_alone(store: Store, queue: Queue) -> None:
    long = {**account("b"), "id": account("b")["id"].replace(SUBSCRIPTION, "s" * 240)}
    ended = run(lines(account("a"), long, account("c")), store, queue)
    assert (ended.status, ended.imported, ended.error_count, ended.errors[0].line) == (ImportStatus.PARTIAL, 2, 1, 2)
    assert stored(store) == ["a", "c"]


class Refusing:
    """Documents that take no resource of one id."""

    def __init__(self, documents: Any, resource_id: str) -> None:
        self._documents, self._key = documents, resource_key(resource_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> Any:
        if self._key in ids:
            raise InvalidInput("no such id can be stored")
        return self._documents.get_many(tenant=tenant, kind=kind, ids=ids)


def test_what_the_store_rejects_is_left_out_and_the_others_are_kept(store: Store, queue: Queue) -> None:
    bodies = [account(f"a{number}") for number in range(20)]
    refusing = replace(store, documents=Refusing(store.documents, bodies[7]["id"]))  # type: ignore[arg-type] # duck
    ended = run(lines(*bodies[:3], {"name": "no id"}, *bodies[3:]), refusing, queue)
    assert (ended.status, ended.records, ended.imported, ended.error_count) == (ImportStatus.PARTIAL, 21, 19, 2)
    told = [(each.position, each.line, each.reason.partition(";")[0]) for each in ended.errors]
    assert told == [(4, 4, "there is no id"), (9, 9, "it cannot be stored: no such id can be stored")]
    assert len(stored(store)) == 19


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            {"totalRecords": 5000, "count": 2, "resultTruncated": "true", "$skipToken": "x"},
            "2 of 5000 .*az graph query",
        ),
        ({"count": 2, "skip_token": "x", "total_records": 5000}, "2 of 5000 records, and skip_token .*--skip-token"),
        ({"count": 2, "skip_token": None, "total_records": 5000}, "2 of 5000 records; .*--skip-token"),
        ({"count": 2, "resultTruncated": "true"}, "2 records, and it was cut short; .*az graph query"),
        ({"nextLink": "https://x/y"}, "2 records, and nextLink points to more; get the others with `az rest"),
    ],
)
def test_a_single_page_of_a_list_is_a_partial_import_that_says_how_to_get_the_rest(
    store: Store, queue: Queue, said: dict[str, Any], reason: str
) -> None:
    name = "value" if "nextLink" in said else "data"
    ended = run(json.dumps({**said, name: [account("a"), account("b")]}).encode(), store, queue)
    assert (ended.status, ended.imported, ended.error_count) == (ImportStatus.PARTIAL, 2, 0)
    assert re.search(f"the file is one page of a list: {reason}", ended.reason)


@pytest.mark.parametrize(
    "body",
    [
        {"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "displayName": "Harbor"},
        {"id": f"/subscriptions/{SUBSCRIPTION}", "type": "microsoft.resources/subscriptions", "name": "Harbor"},
    ],
)
def test_an_imported_subscription_is_called_by_its_name(store: Store, queue: Queue, body: dict[str, Any]) -> None:
    run(lines(account("a"), body), store, queue)
    upload.take(
        "i2",
        "later.json",
        [lines(account("b"), {**body, "name": SUBSCRIPTION, "displayName": ""})],
        store=store,
        queue=queue,
    )
    import_job.run("i2", store=store, queue=queue, catalog=CATALOG)
    assert estate.every(store)[0].display_name == "Harbor"


def test_what_lies_right_in_a_subscription_is_judged_with_it(store: Store, queue: Queue) -> None:
    holder = f"/subscriptions/{SUBSCRIPTION}"
    plan = {"id": f"{holder}/providers/Microsoft.Security/pricings/VirtualMachines", "name": "VirtualMachines"}
    run(
        lines(
            {"id": holder, "displayName": "Harbor"}, {**plan, "properties": {"pricingTier": "Standard"}}, account("a")
        ),
        store,
        queue,
    )
    row = resource.get(resource_key(holder), store=store).model
    found = surroundings.stored_children((row.id,), store)
    assert {key: [each["name"] for each in those] for key, those in found.items()} == {row.id: ["VirtualMachines"]}

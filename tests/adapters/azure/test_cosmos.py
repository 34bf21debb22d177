"""The account of the tests behaves as Cosmos DB is documented to, and the documents on it stand that."""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from shared.adapters.azure.documents import CosmosDocuments
from shared.domain.error import AlreadyExists, Throttled, Unavailable
from tests.fakes.cosmos.account import Account, Fault
from tests.fakes.cosmos.exchange import Answer
from tests.fakes.emulator import COSMOS_KEY, Cosmos

pytestmark = pytest.mark.emulator
DATABASE = "behaviour"
POLICY = {
    "indexingMode": "consistent",
    "includedPaths": [{"path": "/pk/?"}, {"path": "/n/?"}],
    "excludedPaths": [{"path": "/*"}],
    "compositeIndexes": [[{"path": "/n", "order": "ascending"}, {"path": "/id", "order": "ascending"}]],
}


@pytest.fixture
def account(cosmos_emulator: Cosmos) -> Iterator[Account]:
    yield cosmos_emulator.account
    cosmos_emulator.account.reset()


@pytest.fixture
def session(cosmos_emulator: Cosmos, account: Account) -> Iterator[Callable[[], ContainerProxy]]:
    """Makes clients that try once, each a session of its own."""
    assert account
    opened: list[CosmosClient] = []

    def session() -> ContainerProxy:
        client = CosmosClient(cosmos_emulator.address, COSMOS_KEY, retry_total=0)
        opened.append(client)
        database = client.create_database_if_not_exists(DATABASE)
        container: ContainerProxy = database.create_container_if_not_exists(
            "things", PartitionKey("/pk"), indexing_policy=POLICY, default_ttl=-1
        )
        return container

    yield session
    for client in opened:
        client.close()


@pytest.fixture
def container(session: Callable[[], ContainerProxy]) -> ContainerProxy:
    return session()


@pytest.fixture
def documents(cosmos_emulator: Cosmos, account: Account) -> Iterator[CosmosDocuments]:
    assert account
    with CosmosDocuments(cosmos_emulator.address, DATABASE, **cosmos_emulator.options) as store:
        yield store


def listed(container: ContainerProxy, tenant: str, order: str = "") -> list[str]:
    query = f"SELECT * FROM c WHERE c.pk = @pk {order}"  # noqa: S608 - constants
    found = container.query_items(query, parameters=[{"name": "@pk", "value": tenant}], partition_key=tenant)
    return [each["id"] for each in found]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("item", "status"),
    [
        ({"id": "large", "x": "y" * (2 << 20)}, 413),
        ({"id": "i" * 1_024}, 400),
        ({"id": "\u00fc" * 512}, 400),
        ({"id": "deep", "x": nested(128)}, 400),
        ({"id": "key", "pk": "p" * 2_049}, 400),
    ],
)
def test_what_is_over_a_limit_is_refused(container: ContainerProxy, item: dict[str, Any], status: int) -> None:
    with pytest.raises(CosmosHttpResponseError) as caught:
        container.create_item({"pk": "p", **item})
    assert caught.value.status_code == status


@pytest.mark.parametrize(
    "item", [{"id": "i" * 1_023}, {"id": "large", "x": "y" * 2_000_000}, {"id": "d", "x": nested(120)}]
)
def test_what_is_within_the_limits_is_kept(container: ContainerProxy, tenant: str, item: dict[str, Any]) -> None:
    container.create_item({"pk": tenant, **item})
    assert container.read_item(item["id"], tenant)["id"] == item["id"]


def test_a_batch_is_bounded_and_done_as_a_whole(container: ContainerProxy, tenant: str) -> None:
    def batch(items: list[dict[str, Any]]) -> None:
        container.execute_item_batch([("create", ({"pk": tenant, **each},)) for each in items], tenant)

    batch([{"id": str(number)} for number in range(100)])
    with pytest.raises(CosmosHttpResponseError) as caught:
        batch([{"id": f"x{number}"} for number in range(101)])
    assert caught.value.status_code == 400
    with pytest.raises(CosmosHttpResponseError) as caught:
        batch([{"id": f"y{number}", "x": "y" * (1 << 20)} for number in range(2)])
    assert caught.value.status_code == 413
    with pytest.raises(CosmosBatchOperationError) as failed:
        batch([{"id": "new"}, {"id": "5"}, {"id": "newer"}])
    assert [each["statusCode"] for each in failed.value.operation_responses] == [424, 409, 424]
    assert failed.value.error_index == 1
    assert [
        each["id"] for each in container.read_all_items() if each["id"].startswith("n") and each["pk"] == tenant
    ] == []


def test_every_response_has_its_request_charge(container: ContainerProxy, tenant: str) -> None:
    told: list[float] = []

    def hook(headers: Any, _body: Any) -> None:
        told.append(float(headers["x-ms-request-charge"]))

    container.create_item({"id": "a", "pk": tenant, "x": "y" * 10_000}, response_hook=hook)
    container.read_item("a", tenant, response_hook=hook)
    assert told[0] > told[1] > 1


def test_requests_over_the_provisioned_throughput_are_rejected(
    account: Account, container: ContainerProxy, tenant: str
) -> None:
    clock = [1000.0]
    account.now = lambda: clock[0]
    account.throughput = 400
    container.create_item({"id": "large", "pk": tenant, "x": "y" * 90_000})
    with pytest.raises(CosmosHttpResponseError) as caught:
        container.create_item({"id": "b", "pk": tenant})
    assert (caught.value.status_code, caught.value.sub_status) == (429, 3200)
    clock[0] += int(caught.value.headers["x-ms-retry-after-ms"]) / 1000
    container.create_item({"id": "b", "pk": tenant})


def test_a_reset_account_forgets_the_clock_it_had(account: Account, container: ContainerProxy, tenant: str) -> None:
    account.now = lambda: 1e9
    account.throughput = 400
    container.create_item({"id": "a", "pk": tenant})
    account.reset()
    account.throughput = 400
    container.create_item({"id": "b", "pk": tenant})
    assert [operation for _, operation in account.asked] == ["create"]


def test_a_session_reads_its_writes_and_another_may_not_yet(
    account: Account, session: Callable[[], ContainerProxy], tenant: str
) -> None:
    writer, other = session(), session()
    account.lag = 2
    writer.create_item({"id": "a", "pk": tenant, "n": 1})
    assert writer.read_item("a", tenant)["n"] == 1
    for _ in range(2):
        with pytest.raises(CosmosHttpResponseError) as caught:
            other.read_item("a", tenant)
        assert caught.value.status_code == 404
    assert other.read_item("a", tenant)["n"] == 1
    writer.upsert_item({"id": "a", "pk": tenant, "n": 2})
    assert [other.read_item("a", tenant)["n"] for _ in range(3)] == [1, 1, 2]


def test_an_item_expires_after_its_time_to_live(account: Account, container: ContainerProxy, tenant: str) -> None:
    clock = [1000.0]
    account.now = lambda: clock[0]
    container.create_item({"id": "short", "pk": tenant, "ttl": 10})
    container.create_item({"id": "for ever", "pk": tenant})
    clock[0] += 10
    assert listed(container, tenant) == ["for ever"]


def test_a_composite_index_serves_both_directions(container: ContainerProxy, tenant: str) -> None:
    for number in range(3):
        container.create_item({"id": str(number), "pk": tenant, "n": 1})
    assert listed(container, tenant, "ORDER BY c.n DESC, c.id DESC") == ["2", "1", "0"]
    assert listed(container, tenant, "ORDER BY c.n ASC, c.id ASC") == ["0", "1", "2"]


def writes(account: Account) -> list[float]:
    return [at for at, operation in account.asked if operation in {"create", "upsert", "batch"}]


def test_a_throttled_write_waits_as_long_as_it_is_told(
    account: Account, documents: CosmosDocuments, tenant: str
) -> None:
    documents.get(tenant=tenant, kind="thing", id="a")
    account.asked.clear()
    account.faults.append(Fault(Answer.error(429, "slow", sub_status="3200", x_ms_retry_after_ms="150"), times=2))
    documents.put(tenant=tenant, kind="thing", id="a", body={"n": 1})
    assert len(writes(account)) == 3
    assert all(later - earlier >= 0.15 for earlier, later in pairwise(writes(account)))


def test_a_throttled_bulk_is_done_when_it_is_done_again(
    account: Account, documents: CosmosDocuments, tenant: str
) -> None:
    account.throughput = 400
    items = {str(number): {"n": number} for number in range(150)}
    waits: list[float] = []
    while len(waits) < 2_000:
        try:
            documents.put_many(tenant=tenant, kind="thing", items=items, newer_by="n")
            break
        except Throttled as error:
            waits.append(error.retry_after)
            time.sleep(error.retry_after)  # as the store asks
    account.throughput = None
    found = documents.get_many(tenant=tenant, kind="thing", ids=list(items))
    assert {id_: each.body for id_, each in found.items()} == items
    assert all(0 < wait < 60 for wait in waits)


WRITES: dict[str, Callable[[CosmosDocuments, str], Any]] = {
    "put": lambda store, tenant: store.put(tenant=tenant, kind="thing", id="a", body={"n": 1}),
    "create": lambda store, tenant: store.create(tenant=tenant, kind="thing", id="a", body={"n": 1}),
    "put_many": lambda store, tenant: store.put_many(tenant=tenant, kind="thing", items={"a": {"n": 1}}),
    "newer": lambda store, tenant: store.put_many(tenant=tenant, kind="thing", items={"a": {"n": 1}}, newer_by="n"),
    "create_all": lambda store, tenant: store.create_all(tenant=tenant, kind="thing", group="g", items={"a": {}}),
    "delete": lambda store, tenant: store.delete(tenant=tenant, kind="thing", id="a"),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_in_conflict_with_another_is_tried_again(
    account: Account, documents: CosmosDocuments, tenant: str, write: str
) -> None:
    fault = Fault(Answer.error(449, "Retry with"), times=2, matches=lambda asked: asked.writes)
    account.faults.append(fault)
    WRITES[write](documents, tenant)
    assert fault.times == 0


@pytest.mark.parametrize("status", [408, 410, 503])
def test_a_service_that_does_not_answer_for_a_moment_is_unavailable_at_most(
    account: Account, documents: CosmosDocuments, tenant: str, status: int
) -> None:
    account.faults.append(Fault(Answer.error(status, "passing"), matches=lambda asked: asked.writes))
    try:
        documents.put(tenant=tenant, kind="thing", id="a", body={"n": 1})
    except Unavailable:
        documents.put(tenant=tenant, kind="thing", id="a", body={"n": 1})
    found = documents.get(tenant=tenant, kind="thing", id="a")
    assert found is not None


def test_a_missing_session_is_unavailable_and_not_absence(
    account: Account, documents: CosmosDocuments, tenant: str
) -> None:
    documents.put(tenant=tenant, kind="thing", id="a", body={"n": 1})
    missing = Answer.error(404, "The read session is not available", sub_status="1002")
    account.faults.append(Fault(missing, times=100))
    with pytest.raises(Unavailable):
        documents.get(tenant=tenant, kind="thing", id="a")
    account.faults.clear()
    assert documents.get(tenant=tenant, kind="thing", id="a") is not None


def test_an_append_whose_answer_is_lost_is_found_when_it_is_done_again(
    account: Account, documents: CosmosDocuments, tenant: str
) -> None:
    given = {"tenant": tenant, "kind": "event", "group": "g"}
    documents.create_all(**given, items={"1": {"n": 1}})
    account.faults.append(Fault(Answer(0), times=100, matches=lambda asked: asked.operation == "batch", late=True))
    with pytest.raises((Unavailable, AlreadyExists)):
        documents.create_all(**given, items={"2": {"n": 2}})
    account.faults.clear()
    with pytest.raises(AlreadyExists):
        documents.create_all(**given, items={"2": {"n": 2}})
    assert [each.id for each in documents.get_group(**given)] == ["1", "2"]


def test_a_process_never_overwrites_a_document_that_it_cannot_see_yet(
    account: Account, cosmos_emulator: Cosmos, documents: CosmosDocuments, tenant: str
) -> None:
    where = {"tenant": tenant, "kind": "thing"}
    with CosmosDocuments(cosmos_emulator.address, DATABASE, **cosmos_emulator.options) as other:
        other.put_many(**where, items={"a": {"sequence": 1}})
        account.lag = 3
        documents.put_many(**where, items={"a": {"sequence": 5}, "b": {"sequence": 5}}, newer_by="sequence")
        assert other.get(**where, id="b") is None
        other.put_many(**where, items={"a": {"sequence": 3}, "b": {"sequence": 3}}, newer_by="sequence")
    found = documents.get_many(**where, ids=["a", "b"])
    assert {id_: each.body["sequence"] for id_, each in found.items()} == {"a": 5, "b": 5}

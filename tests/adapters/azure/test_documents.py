"""What only the Cosmos DB documents promise: its refusals in our words, and what it all costs."""

import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.adapters.azure.documents import CosmosDocuments
from shared.adapters.azure.request_unit import RequestUnitCounter
from shared.domain.error import (
    AlreadyExists,
    CortexError,
    InvalidInput,
    NotFound,
    Stale,
    Throttled,
    TooLarge,
    Unavailable,
)
from shared.ports.documents import Query
from tests.adapters.azure.loopback import Answer, Loopback, loopback
from tests.fakes.emulator import COSMOS_KEY, Cosmos

ACCOUNT = {
    "id": "account",
    "_rid": "account",
    "writableLocations": [],
    "readableLocations": [],
    "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
}
CONTAINER = {
    "id": "documents",
    "_rid": "AbcdAIhc2Lw=",
    "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2},
}
RANGE = {"id": "0", "_rid": "AbcdAIhc2LwCAAAAAAAAUA==", "minInclusive": "", "maxExclusive": "FF", "parents": []}
FIXED = {
    "dbs/cortex/colls/documents/pkranges": Answer(
        200, {"etag": '"1"'}, {"_rid": "AbcdAIhc2Lw=", "PartitionKeyRanges": [RANGE], "_count": 1}
    ),
    "dbs": Answer(201, {}, {"id": "cortex", "_rid": "Abcd", "_self": "dbs/Abcd/"}),
    "dbs/cortex": Answer(200, {}, {"id": "cortex", "_rid": "Abcd", "_self": "dbs/Abcd/"}),
    "dbs/cortex/colls/documents": Answer(200, {}, CONTAINER),
    "": Answer(200, {}, ACCOUNT),
}


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback(Answer(500), FIXED) as told:
        yield told


@pytest.fixture
def documents(server: Loopback) -> Iterator[CosmosDocuments]:
    options = {"enable_endpoint_discovery": False, "retry_total": 1, "retry_backoff_max": 1}
    with CosmosDocuments(server.address, "cortex", key=COSMOS_KEY, **options) as store:
        yield store


WHERE = {"tenant": "t", "kind": "thing"}
CALLS: dict[str, Callable[[CosmosDocuments], Any]] = {
    "get": lambda store: store.get(**WHERE, id="a"),
    "get_many": lambda store: store.get_many(**WHERE, ids=["a", "b"]),
    "put": lambda store: store.put(**WHERE, id="a", body={}),
    "put if match": lambda store: store.put(**WHERE, id="a", body={}, if_match='"1"'),
    "create": lambda store: store.create(**WHERE, id="a", body={}),
    "put_many": lambda store: store.put_many(**WHERE, items={"a": {}, "b": {}}),
    "create_all": lambda store: store.create_all(**WHERE, group="g", items={"a": {}}),
    "get_group": lambda store: store.get_group(**WHERE, group="g"),
    "groups": lambda store: store.groups(**WHERE),
    "delete": lambda store: store.delete(**WHERE, id="a"),
    "query": lambda store: store.query(**WHERE, query=Query()),
    "count": lambda store: store.count(**WHERE, query=Query()),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_throttled_call_says_how_long_to_wait(server: Loopback, documents: CosmosDocuments, call: str) -> None:
    server.answer = Answer(429, {"x-ms-retry-after-ms": "20", "x-ms-request-charge": "0.5"})
    with pytest.raises(Throttled, match=r"wait 0\.02 s") as caught:
        CALLS[call](documents)
    assert caught.value.retry_after == 0.02
    assert len(server.asked) >= 2  # the SDK was patient first
    assert sum(spent["units"] for spent in documents.request_units().values()) > 0


@pytest.mark.parametrize("status", [500, 503, 410])
@pytest.mark.parametrize("call", ["get", "put", "query", "create_all"])
def test_a_failing_store_is_unavailable(server: Loopback, documents: CosmosDocuments, call: str, status: int) -> None:
    server.answer = Answer(status)
    with pytest.raises(Unavailable, match="does not answer"):
        CALLS[call](documents)


@pytest.mark.parametrize("call", CALLS)
def test_a_refused_identity_is_unavailable_and_says_what_to_check(
    server: Loopback, documents: CosmosDocuments, call: str
) -> None:
    server.answer = Answer(403)
    with pytest.raises(Unavailable, match="check key or role"):
        CALLS[call](documents)


def test_a_full_partition_is_not_reported_as_a_rejected_identity(server: Loopback, documents: CosmosDocuments) -> None:
    server.answer = Answer(403, {"x-ms-substatus": "1014"})
    with pytest.raises(Unavailable, match="20 GB") as caught:
        CALLS["put"](documents)
    assert "check key or role" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "call", "expected"),
    [
        (412, "put if match", Stale),
        (404, "put if match", NotFound),
        (412, "delete", Stale),
        (409, "create", AlreadyExists),
        (413, "put", TooLarge),
        (413, "create_all", TooLarge),
        (400, "query", InvalidInput),
    ],
)
def test_errors_of_cosmos_db_are_translated(
    server: Loopback, documents: CosmosDocuments, status: int, call: str, expected: type[CortexError]
) -> None:
    server.answer = Answer(status)
    with pytest.raises(expected):
        CALLS[call](documents)


@pytest.mark.parametrize(
    ("status", "expected"), [(409, AlreadyExists), (429, Throttled), (503, Unavailable), (413, TooLarge)]
)
def test_errors_within_a_batch_are_translated(
    server: Loopback, documents: CosmosDocuments, status: int, expected: type[CortexError]
) -> None:
    documents._marked.add("t/thing/g")
    failed = [
        {"statusCode": 424, "requestCharge": 0},
        {"statusCode": status, "requestCharge": 1, "retryAfterMilliseconds": 30},
    ]
    server.answer = Answer(207, {"x-ms-retry-after-ms": "30", "x-ms-request-charge": "1"}, failed)
    with pytest.raises(expected):
        documents.create_all(**WHERE, group="g", items={"a": {}, "b": {}})


def test_a_missing_document_is_none_but_a_missing_session_or_container_is_not(
    server: Loopback, documents: CosmosDocuments
) -> None:
    server.answer = Answer(404, {"x-ms-substatus": "0"})
    assert documents.get(**WHERE, id="a") is None
    documents.delete(**WHERE, id="a")
    for sub_status in ("1002", "1003"):
        server.answer = Answer(404, {"x-ms-substatus": sub_status})
        with pytest.raises(Unavailable):
            documents.get(**WHERE, id="a")


def test_a_store_that_cannot_be_reached_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    options = {"enable_endpoint_discovery": False, "retry_total": 1, "retry_backoff_max": 1}
    with CosmosDocuments(address, "cortex", key=COSMOS_KEY, **options) as store, pytest.raises(Unavailable):
        store.get(**WHERE, id="a")


def test_a_silent_store_is_unavailable(server: Loopback) -> None:
    server.answer = Answer(0)
    options = {"enable_endpoint_discovery": False, "retry_total": 1, "retry_backoff_max": 1, "read_timeout": 0.05}
    with CosmosDocuments(server.address, "cortex", key=COSMOS_KEY, **options) as store, pytest.raises(Unavailable):
        store.get(**WHERE, id="a")


def test_the_headers_that_a_thread_reads_are_changed_by_no_other_thread(
    server: Loopback, documents: CosmosDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = Answer(200, {"x-ms-request-charge": "1"}, {"Documents": [], "_count": 0})
    add, seen = RequestUnitCounter.add, []

    def reads(counter: RequestUnitCounter, operation: str, headers: Mapping[str, Any]) -> None:
        """Another thread gets a whole answer while this one is half through the headers of its own."""
        first = not seen
        for name in headers:
            seen.append(name)
            if first and len(seen) == 1:
                with ThreadPoolExecutor(1) as other:
                    other.submit(CALLS["query"], documents).result()
        add(counter, operation, headers)

    CALLS["query"](documents)
    monkeypatch.setattr(RequestUnitCounter, "add", reads)
    assert CALLS["query"](documents).items == []
    assert seen.count("x-ms-request-charge") == 2


def test_nothing_is_asked_before_the_first_call() -> None:
    with CosmosDocuments("https://nowhere.invalid", "cortex") as store:
        assert store.request_units() == {}


@pytest.mark.emulator
def test_request_units_are_counted_by_operation(cosmos_emulator: Cosmos, tenant: str) -> None:
    with CosmosDocuments(cosmos_emulator.address, "charges", **cosmos_emulator.options) as store:
        where = {"tenant": tenant, "kind": "thing"}
        store.put_many(**where, items={str(number): {"n": number} for number in range(5)})
        store.get(**where, id="1")
        store.get(**where, id="missing")
        store.query(**where, query=Query())
        store.create_all(**where, group="g", items={"1": {}, "2": {}})
        store.create_all(**where, group="g", items={"3": {}})
        spent = store.request_units()
    assert {name: operation["calls"] for name, operation in spent.items()} == {
        "put_many": 5,
        "get": 2,
        "query": 1,
        "create_all": 3,  # one of them marks the group
    }
    assert all(operation["units"] >= operation["calls"] - 1 for operation in spent.values())

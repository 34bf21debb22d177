"""What only Azure Storage promises: its refusals in our words, and how its addresses are read."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.adapters.azure.blobs import StorageBlobs
from shared.adapters.azure.queue import StorageQueue
from shared.domain.error import InvalidInput, Throttled, TooLarge, Unavailable
from shared.ports.queue import QueueMessage
from tests.adapters.azure.loopback import Answer, Loopback, loopback
from tests.fakes.emulator import STORAGE_KEY


class Identity:
    """A credential that is never asked."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        raise AssertionError("nothing should have been asked")


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback(Answer(500), {}) as told:
        yield told


@pytest.fixture
def connection(server: Loopback) -> str:
    ends = f"BlobEndpoint={server.address}/account;QueueEndpoint={server.address}/account"
    return f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey={STORAGE_KEY};{ends}"


@pytest.fixture
def blobs(connection: str) -> Iterator[StorageBlobs]:
    with StorageBlobs(connection, retry_total=0) as store:
        yield store


@pytest.fixture
def queue(connection: str) -> Iterator[StorageQueue]:
    with StorageQueue(connection, retry_total=0) as store:
        yield store


BLOB_CALLS: dict[str, Callable[[StorageBlobs], Any]] = {
    "put": lambda store: store.put(tenant="t", name="a", data=b""),
    "create": lambda store: store.create(tenant="t", name="a", data=b""),
    "get": lambda store: store.get(tenant="t", name="a"),
    "exists": lambda store: store.exists(tenant="t", name="a"),
    "names": lambda store: store.names(tenant="t", prefix=""),
    "delete": lambda store: store.delete(tenant="t", name="a"),
}
HELD = QueueMessage("1", "", "receipt", 1, datetime.now(UTC), datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1))
QUEUE_CALLS: dict[str, Callable[[StorageQueue], Any]] = {
    "send": lambda store: store.send("work", "x"),
    "receive": lambda store: store.receive("work"),
    "delete": lambda store: store.delete("work", HELD),
    "release": lambda store: store.release("work", HELD),
    "renew": lambda store: store.renew("work", HELD),
    "length": lambda store: store.length("work"),
}


@pytest.mark.parametrize("call", BLOB_CALLS)
def test_errors_of_blob_storage_are_translated(server: Loopback, blobs: StorageBlobs, call: str) -> None:
    blobs._made = True
    server.answer = Answer(429, {"Retry-After": "7"})
    with pytest.raises(Throttled) as throttled:
        BLOB_CALLS[call](blobs)
    assert throttled.value.retry_after == 7
    server.answer = Answer(503, {"Retry-After": "3"})
    with pytest.raises(Unavailable) as unavailable:
        BLOB_CALLS[call](blobs)
    assert unavailable.value.retry_after == 3
    server.answer = Answer(403)
    with pytest.raises(Unavailable, match="check key or role"):
        BLOB_CALLS[call](blobs)


@pytest.mark.parametrize("call", QUEUE_CALLS)
def test_errors_of_queue_storage_are_translated(server: Loopback, queue: StorageQueue, call: str) -> None:
    server.answer = Answer(429, {"Retry-After": "7"})
    with pytest.raises(Throttled) as throttled:
        QUEUE_CALLS[call](queue)
    assert throttled.value.retry_after == 7
    server.answer = Answer(503)
    with pytest.raises(Unavailable):
        QUEUE_CALLS[call](queue)
    server.answer = Answer(403)
    with pytest.raises(Unavailable, match="check key or role"):
        QUEUE_CALLS[call](queue)


def test_a_blob_that_the_service_finds_too_large_is_too_large(server: Loopback, blobs: StorageBlobs) -> None:
    blobs._made = True
    server.answer = Answer(413)
    with pytest.raises(TooLarge):
        blobs.put(tenant="t", name="a", data=b"")


def test_the_address_of_one_service_leads_to_the_other() -> None:
    for address in ("https://name.blob.core.windows.net", "https://name.queue.core.windows.net/"):
        with StorageQueue(address, identity=Identity()) as queue, StorageBlobs(address, identity=Identity()) as blobs:
            assert queue._service.url.rstrip("/") == "https://name.queue.core.windows.net"
            assert blobs._service.url.rstrip("/") == "https://name.blob.core.windows.net"


def test_an_address_that_is_not_an_account_is_rejected() -> None:
    with pytest.raises(InvalidInput, match=r"NAME\.blob"):
        StorageBlobs("https://localhost", identity=Identity())

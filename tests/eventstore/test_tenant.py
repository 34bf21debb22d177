"""The registry of tenants: everybody's work is found, by one read."""

from dataclasses import replace
from typing import Any

from shared.adapters.local.documents import SqliteDocuments
from shared.eventstore import stream, tenant
from shared.eventstore.store import Store
from shared.ports.documents import BATCH_DOCUMENTS
from tests.eventstore.conftest import COUNTER, Added
from tests.fakes.caller import caller


def record(store: Store) -> None:
    stream.append(stream.prepare(COUNTER, "1", [Added(by=1)], thing=None, store=store), store=store)


def test_the_configured_tenant_is_always_listed(documents: SqliteDocuments) -> None:
    assert tenant.listed(documents=documents, configured="local") == ["local"]


def test_a_tenant_is_listed_from_its_first_event_on(store: Store) -> None:
    for name in ("tailwind", "adatum"):
        record(replace(store, caller=caller(tenant=name)))
    assert tenant.listed(documents=store.documents, configured="local") == ["adatum", "local", "tailwind"]


def test_a_tenant_is_registered_before_its_event_is_there(store: Store) -> None:
    order: list[str] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            order.append(name)
            return getattr(store.documents, name)

    watched: Any = Watched()
    record(replace(store, documents=watched))
    assert order == ["create", "create_all"]


def test_a_process_writes_a_tenant_once(store: Store) -> None:
    record(store)
    before = store.documents.get(tenant="cortex-registry", kind=tenant.KIND, id=store.tenant)
    tenant.register(store.tenant, documents=store.documents)
    assert store.documents.get(tenant="cortex-registry", kind=tenant.KIND, id=store.tenant) == before


def test_more_tenants_than_a_page(store: Store, documents: SqliteDocuments) -> None:
    names = [f"tenant-{number:04}" for number in range(BATCH_DOCUMENTS + 5)]
    bodies = {name: {"tenant": name} for name in names}
    documents.put_many(tenant="cortex-registry", kind=tenant.KIND, items=bodies)
    assert tenant.listed(documents=store.documents, configured="tenant-0000") == names

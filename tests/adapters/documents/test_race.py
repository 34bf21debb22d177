"""Contract of `Documents`: of several writers at once, as many win as the port promises."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from shared.domain.error import AlreadyExists, Stale
from shared.ports.documents import Documents

WRITERS = 8


def together(act: Callable[[int], object]) -> list[object]:
    """Run `act` in several threads from the same moment on; answers, or the conflicts they met."""
    start = Barrier(WRITERS)

    def run(number: int) -> object:
        start.wait(timeout=30)
        try:
            return act(number)
        except (AlreadyExists, Stale) as conflict:
            return type(conflict)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(run, range(WRITERS)))


def test_of_several_creations_at_once_one_succeeds(documents: Documents, tenant: str) -> None:
    outcomes = together(lambda number: documents.create(tenant=tenant, kind="thing", id="a", body={"n": number}).body)
    assert outcomes.count(AlreadyExists) == WRITERS - 1
    got = documents.get(tenant=tenant, kind="thing", id="a")
    assert got is not None
    assert got.body in outcomes


def test_of_several_puts_with_one_etag_one_succeeds(documents: Documents, tenant: str) -> None:
    etag = documents.put(tenant=tenant, kind="thing", id="a", body={}).etag
    outcomes = together(
        lambda number: documents.put(tenant=tenant, kind="thing", id="a", body={"n": number}, if_match=etag).body
    )
    assert outcomes.count(Stale) == WRITERS - 1


def test_of_several_appends_at_once_one_succeeds(documents: Documents, tenant: str) -> None:
    items = [{"5": {"by": number}, f"6-{number}": {"by": number}} for number in range(WRITERS)]
    outcomes = together(
        lambda number: documents.create_all(tenant=tenant, kind="event", group="g", items=items[number])
    )
    assert outcomes.count(AlreadyExists) == WRITERS - 1
    stream = documents.get_group(tenant=tenant, kind="event", group="g")
    assert len(stream) == 2
    assert {item.body["by"] for item in stream} == {outcomes.index(None)}


def test_retried_increments_are_all_counted(documents: Documents, tenant: str) -> None:
    documents.put(tenant=tenant, kind="thing", id="a", body={"n": 0})

    def increment(_: int) -> None:
        for _attempt in range(1000):
            read = documents.get(tenant=tenant, kind="thing", id="a")
            assert read is not None
            try:
                body = {"n": read.body["n"] + 1}
                documents.put(tenant=tenant, kind="thing", id="a", body=body, if_match=read.etag)
            except Stale:
                continue
            return

    together(increment)
    got = documents.get(tenant=tenant, kind="thing", id="a")
    assert got is not None
    assert got.body == {"n": WRITERS}

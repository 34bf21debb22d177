"""Messages that failed over HTTP: paged, the newest first, and shown so that they steer nothing."""

from datetime import timedelta

from shared.domain.identity import Role
from shared.domain.poison import MessagePoisoned
from shared.eventstore import aggregate
from shared.eventstore.store import Store
from shared.services import poison
from tests.fakes.clock import Clock
from tests.functions.api.conftest import Api, problem


def put_aside(store: Store, name: str, text: str) -> None:
    result = MessagePoisoned(queue="scan-requests", text=text, reason="it failed\u202e", sent_at=store.now())
    aggregate.decide(poison.STREAM, name, lambda _: (result,), store=store)


def test_what_failed_is_listed_by_page_the_newest_first(api: Api, store: Store, clock: Clock) -> None:
    for name in ("one", "two", "three"):
        put_aside(store, name, "\x1b[2J" + "x" * 60_000)
        clock.at += timedelta(minutes=1)
    first = api.get("/poison?limit=2&total=true", Role.OPERATOR).json()
    assert ([each["id"] for each in first["items"]], first["total"]) == (["three", "two"], 3)
    shown = first["items"][0]
    assert (shown["queue"], shown["reason"]) == ("scan-requests", r"it failed\u202e")
    assert shown["text"].startswith(r"\x1b[2Jxxx")
    assert len(shown["text"]) == poison.TEXT_CHARACTERS
    second = api.get(f"/poison?limit=2&cursor={first['nextCursor']}", Role.OPERATOR).json()
    assert ([each["id"] for each in second["items"]], second["nextCursor"]) == (["one"], None)


def test_messages_of_another_tenant_are_not_among_them(api: Api, store: Store) -> None:
    put_aside(store, "one", "x")
    assert api.get("/poison", Role.OPERATOR, tenant="other").json()["items"] == []
    problem(api.get("/poison", Role.READER), 403)

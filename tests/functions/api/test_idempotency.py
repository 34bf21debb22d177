"""The same key and body: the same answer and one effect, also at once, also after death."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient

from functions.api.http import idempotency
from shared.domain.error import Unavailable
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services.idempotency import KEY_LIFETIME, KIND, LEASE_DURATION, IdempotencyKey
from shared.services.scan import scan
from tests.fakes.clock import TENANT, Clock
from tests.functions.api.conftest import Api, problem


def scans(api: Api) -> int:
    return len(api.get("/scans").json()["items"])


parsed = datetime.fromisoformat


def stored(api: Api) -> list[dict[str, Any]]:
    found = api.ports.documents.query(tenant=TENANT, kind=KIND, query=Query())
    return [dict(each.body) for each in found.items]


def test_the_same_request_gets_the_same_answer(api: Api, store: Store) -> None:
    first = api.post("/scans", {"collect": False}, idempotency_key="k1")
    scan.cancel(first.json()["id"], store=store, queue=api.ports.queue)
    again = api.post("/scans", {"collect": False}, idempotency_key="k1")
    assert (again.status_code, again.json(), again.headers["location"]) == (
        202,
        first.json(),
        first.headers["location"],
    )
    assert scans(api) == 1


def test_without_a_key_each_request_counts(api: Api) -> None:
    assert api.post("/scans", {}).status_code == 202
    problem(api.post("/scans", {}), 409)


def test_another_body_under_the_same_key_is_refused(api: Api) -> None:
    api.post("/scans", {"collect": False}, idempotency_key="k1")
    assert "use a new one" in problem(api.post("/scans", {"collect": True}, idempotency_key="k1"), 422)["detail"]


def test_another_address_under_the_same_key_is_refused(api: Api) -> None:
    started = api.post("/scans", {}, idempotency_key="k1").json()
    problem(api.post(f"/scans/{started['id']}/cancel", idempotency_key="k1"), 422)


def test_keys_are_each_callers_own(api: Api) -> None:
    api.post("/scans", {}, idempotency_key="k1")
    problem(api.post("/scans", {}, name="bob", idempotency_key="k1"), 409)
    assert api.post("/scans", {}, tenant="fabrikam", idempotency_key="k1").status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "k" * 256, "tab\there"])
def test_what_is_no_key_is_refused(api: Api, key: str) -> None:
    assert problem(api.post("/scans", {}, idempotency_key=key), 400)["path"] == "header.Idempotency-Key"


def test_fifty_at_once_have_one_effect_and_one_answer(api: Api) -> None:
    headers = api.headers(idempotency_key="k1")

    async def all_at_once() -> list[tuple[int, str]]:
        async with AsyncClient(transport=ASGITransport(app=api.app), base_url="http://api") as client:
            asked = (client.post("/api/v1/scans", json={}, headers=headers) for _ in range(50))
            return [(each.status_code, each.text) for each in await asyncio.gather(*asked)]

    answers = asyncio.run(all_at_once())
    assert set(answers) == {(202, answers[0][1])}
    assert scans(api) == 1
    assert api.ports.queue.length(scan.QUEUE) == 1


def test_after_an_error_the_key_may_try_again_under_the_same_id(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    request = scan.request

    def failing(scan_id: str, *rest: Any, **more: Any) -> Any:
        tried.append(scan_id)
        if len(tried) == 1:
            request(scan_id, *rest, **more)
            raise Unavailable("the queue does not answer", retry_after=1)
        return request(scan_id, *rest, **more)

    monkeypatch.setattr(scan, "request", failing)
    problem(api.post("/scans", {}, idempotency_key="k1"), 503)
    assert api.post("/scans", {}, idempotency_key="k1").status_code == 202
    assert tried == [tried[0]] * 2
    assert scans(api) == 1


def test_a_request_that_died_is_followed_by_the_next_after_the_lease(
    api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "POLL_SECONDS", 0)
    monkeypatch.setattr(idempotency, "POLL_ATTEMPTS", 3)
    monkeypatch.setattr(IdempotencyKey, "keep", lambda *_, **__: None)
    first = api.post("/scans", {}, idempotency_key="k1").json()
    clock.tick = timedelta(0)
    clock.at = parsed(stored(api)[0]["at"]) + timedelta(seconds=4.5)
    refused = api.post("/scans", {}, idempotency_key="k1")
    assert "is still running" in problem(refused, 409)["detail"]
    assert timedelta(seconds=int(refused.headers["retry-after"])) == LEASE_DURATION - timedelta(seconds=4)
    clock.at += timedelta(seconds=int(refused.headers["retry-after"]))
    assert api.post("/scans", {}, idempotency_key="k1").json()["id"] == first["id"]
    assert scans(api) == 1


def test_the_lease_of_work_that_goes_on_is_renewed(api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "RENEWAL_INTERVAL", timedelta(milliseconds=1))
    request = scan.request

    def slow(*given: Any, **more: Any) -> Any:
        (begun,) = stored(api)
        clock.at += 2 * LEASE_DURATION
        for _ in range(2000):
            if stored(api)[0]["at"] > begun["at"]:
                return request(*given, **more)
        raise AssertionError("the lease was not renewed")

    monkeypatch.setattr(scan, "request", slow)
    started = api.post("/scans", {}, idempotency_key="k1")
    assert started.status_code == 202
    assert stored(api)[0]["answer"] == started.json()


def test_keys_are_kept_for_a_day_and_more_and_then_cleared_away(api: Api, clock: Clock) -> None:
    assert timedelta(hours=24) <= KEY_LIFETIME
    first = api.post("/scans", {}, idempotency_key="k1").json()
    clock.at += KEY_LIFETIME - timedelta(minutes=1)
    assert api.post("/scans", {}, idempotency_key="k1").json() == first
    clock.at += timedelta(minutes=2)
    api.post("/scans/none/cancel", idempotency_key="k2")
    assert len(stored(api)) == 1


def test_a_key_whose_time_is_over_starts_anew(api: Api, clock: Clock, store: Store) -> None:
    first = api.post("/scans", {}, idempotency_key="k1").json()
    scan.fail(first["id"], "stopped", store=store)
    clock.at += KEY_LIFETIME + timedelta(minutes=1)
    again = api.post("/scans", {"collect": False}, idempotency_key="k1")
    assert again.status_code == 202
    assert again.json()["id"] != first["id"]


def test_keys_themselves_are_not_stored(api: Api) -> None:
    api.post("/scans", {}, idempotency_key="a-secret-of-the-caller")
    assert "a-secret-of-the-caller" not in str(stored(api))

"""Scans over HTTP."""

import pytest

from shared.eventstore.store import Store
from shared.services.scan import scan
from tests.functions.api.conftest import Api, problem


def test_a_scan_is_started_and_found(api: Api) -> None:
    answer = api.post("/scans", {"subscriptions": ["5d1c9c4e-0000-4000-8000-000000000001"]})
    started = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/scans/{started['id']}"
    assert started["requestedBy"] == "ada"
    assert started["trigger"] == "http"
    assert api.client.get(answer.headers["location"], headers=api.headers()).json() == started
    assert started["id"] in api.ports.queue.receive(scan.QUEUE)[0].body


def test_one_runs_at_a_time(api: Api, store: Store) -> None:
    first = api.post("/scans", {}).json()
    assert first["id"] in problem(api.post("/scans", {}), 409)["detail"]
    scan.fail(first["id"], "stopped", store=store)
    assert api.post("/scans", {}).status_code == 202


def test_scans_are_listed_latest_first_and_by_status(api: Api, store: Store) -> None:
    first = api.post("/scans", {}).json()["id"]
    scan.fail(first, "stopped", store=store)
    second = api.post("/scans", {}).json()["id"]
    assert [each["id"] for each in api.get("/scans").json()["items"]] == [second, first]
    assert [each["id"] for each in api.get("/scans?status=failed").json()["items"]] == [first]
    assert len(api.get("/scans?status=failed&status=requested").json()["items"]) == 2


def test_a_scan_is_cancelled_once(api: Api, store: Store) -> None:
    identity = api.post("/scans", {}).json()["id"]
    assert api.post(f"/scans/{identity}/cancel").json()["status"] == "cancelling"
    assert api.post(f"/scans/{identity}/cancel").status_code == 202
    scan.fail(identity, "stopped", store=store)
    problem(api.post(f"/scans/{identity}/cancel"), 409)


@pytest.mark.parametrize("path", ["/scans/none", "/scans/" + "x" * 300])
def test_a_scan_that_is_not_there(api: Api, path: str) -> None:
    assert problem(api.get(path), 404)["path"] == "id"


def test_cancelling_what_is_not_there(api: Api) -> None:
    problem(api.post("/scans/none/cancel"), 404)


def test_a_name_that_is_no_subscription_is_reported_with_its_place(api: Api) -> None:
    body = problem(api.post("/scans", {"subscriptions": ["5d1c9c4e-0000", "a b"]}), 422)
    assert body["path"] == "$.subscriptions[1]"

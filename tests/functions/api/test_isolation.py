"""Tenants: nothing of another can be reached, by any operation and any id, and nobody can tell that it is there."""

import re
from itertools import cycle
from typing import Any

import pytest

from functions.api.app import ROUTERS
from functions.api.http.route import OperationRoute
from shared.domain.identity import Role
from shared.services import compliance
from shared.services.scan import scan
from tests.fakes.cloud import account
from tests.fakes.world import World
from tests.functions.api.conftest import Api
from tests.functions.api.test_exemption import ASKED

OTHER = "fabrikam"
MARK = "zz-secret-of-contoso"


@pytest.fixture
def ids(api: Api, world: World) -> dict[str, str]:
    """One thing of each kind in the tenant contoso, each with the mark in it."""
    body = account(MARK)
    world.put(body)
    compliance.refresh(store=world.store, policies=world.policies)
    finding = world.finding(body, "https-only").id
    world.id = api.post("/remediations", {"findings": [finding], "note": MARK}, name=MARK).json()["id"]
    world.plan()
    started = api.post("/scans", {}, name=MARK, idempotency_key="k").json()["id"]
    scan.cancel(started, store=world.store, queue=world.queue)
    headers = api.headers(name=MARK, content_type="application/octet-stream")
    return {
        "scans": started,
        "findings": finding,
        "resources": finding.partition(".")[0],
        "remediations": world.id,
        "exemptions": api.post("/exemptions", {**ASKED, "scope": body["id"], "owner": f"{MARK}-team"}).json()["id"],
        "imports": api.client.post(f"/api/v1/imports?name={MARK}", content=b"[]", headers=headers).json()["id"],
    }


def operations() -> list[tuple[str, str]]:
    """(method, path) of every operation that names a thing, but for those that take a proof of their own."""
    routes = [route for noun in ROUTERS for route in noun.router.routes if isinstance(route, OperationRoute)]
    return [(next(iter(route.methods)), route.path) for route in routes if "{id}" in route.path and route.role]


BODIES = {
    "approve": {"planHash": "0" * 64},
    "reject": {"reason": "it stays as it is"},
    "complete": {"size": 1, "sha256": "0" * 64},
}


def test_every_operation_on_every_id_of_another_tenant_finds_nothing(api: Api, ids: dict[str, str]) -> None:
    headers = api.headers(Role.ADMIN, tenant=OTHER)
    known = cycle(("*", '"x"'))
    for method, path in operations():
        for identity in ids.values():
            for shaped in (identity, identity.upper(), f"{identity}%20", f"contoso:{identity}", f"../{identity}"):
                given = {**headers, "if-none-match": next(known), "last-event-id": "0"}
                body = BODIES.get(path.rpartition("/")[2])
                answer = api.client.request(method, path.replace("{id}", shaped), json=body, headers=given)
                assert answer.status_code in (404, 405), (method, path, shaped, answer.text)
                assert MARK not in answer.text


def test_what_is_there_for_another_and_what_is_nowhere_look_the_same(api: Api, ids: dict[str, str]) -> None:
    headers = api.headers(Role.ADMIN, tenant=OTHER, x_correlation_id="c")
    for noun, identity in ids.items():
        nowhere = "0" * len(identity)
        there, none = (api.client.get(f"/api/v1/{noun}/{each}", headers=headers) for each in (identity, nowhere))
        assert there.text.replace(identity, "ID") == none.text.replace(nowhere, "ID")


@pytest.mark.parametrize("path", ["scans", "findings", "resources", "remediations", "exemptions", "imports"])
def test_listings_with_any_filter_or_cursor_have_nothing_of_another(api: Api, ids: dict[str, str], path: str) -> None:
    assert ids
    assert MARK in api.get(f"/{path}").text or path == "scans"
    cursor = api.get(f"/{path}?limit=1").json()["nextCursor"]
    for query in ("", "?limit=200", f"?resource={ids['resources']}" if path == "findings" else "?limit=1"):
        answer = api.get(f"/{path}{query}", Role.ADMIN, tenant=OTHER)
        assert answer.json() == {"items": [], "nextCursor": None}
    if cursor:
        stolen = api.get(f"/{path}?limit=1&cursor={cursor}", Role.ADMIN, tenant=OTHER)
        assert stolen.status_code == 400
        assert MARK not in stolen.text


def test_ids_in_bodies_reach_nothing_of_another(api: Api, ids: dict[str, str]) -> None:
    answer = api.post("/remediations", {"findings": [ids["findings"]]}, Role.ADMIN, tenant=OTHER)
    assert answer.status_code == 404
    assert MARK not in answer.text
    filtered = api.post("/remediations", {"filter": {"policy": "https-only"}}, Role.ADMIN, tenant=OTHER)
    assert filtered.status_code in (400, 404, 409, 422)


def test_the_same_key_of_another_tenant_answers_nothing_of_ours(api: Api, ids: dict[str, str]) -> None:
    answer = api.post("/scans", {}, Role.ADMIN, tenant=OTHER, name=MARK, idempotency_key="k")
    assert answer.status_code == 202
    assert answer.json()["id"] != ids["scans"]


def test_an_etag_of_another_tenant_does_not_tell_that_it_fits(api: Api, ids: dict[str, str]) -> None:
    etag = api.get(f"/findings/{ids['findings']}").headers["etag"]
    assert api.get(f"/findings/{ids['findings']}", Role.ADMIN, tenant=OTHER, if_none_match=etag).status_code == 404


def test_the_summary_and_the_events_are_each_tenants_own(api: Api, ids: dict[str, str]) -> None:
    assert api.get("/compliance/summary").status_code == 200
    assert api.get("/compliance/summary", Role.ADMIN, tenant=OTHER).status_code == 404
    assert api.get(f"/scans/{ids['scans']}/events", Role.ADMIN, tenant=OTHER).status_code == 404


def test_work_of_one_tenant_does_not_hold_up_another(api: Api) -> None:
    assert api.post("/scans", {}).status_code == 202
    assert api.post("/scans", {}, Role.ADMIN, tenant=OTHER).status_code == 202


def test_messages_carry_the_tenant_of_the_caller(api: Api) -> None:
    body: dict[str, Any] = {"subject": "/subscriptions/s/resourceGroups/g/providers/M.X/y/z", "data": {}}
    api.post("/changes", [body], Role.SENDER, tenant=OTHER)
    assert re.search(r'"tenant":"fabrikam"', api.ports.queue.receive("change-events")[0].body)

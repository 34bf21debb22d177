"""Compliance over HTTP."""

import pytest

from shared.services import compliance
from tests.cloud import account
from tests.functions.api.conftest import Api, problem
from tests.world import World

VIEWS = {"scope": "scopes", "policy": "policies", "framework": "frameworks", "owner": "owners"}


@pytest.fixture
def judged(world: World) -> None:
    world.put(account("alpha"), account("beta", supportsHttpsTrafficOnly=True))
    compliance.refresh(store=world.store, book=world.book)


def test_before_anything_was_judged_the_way_is_told(api: Api) -> None:
    assert "POST /api/v1/scans" in problem(api.get("/compliance/summary"), 404)["detail"]
    assert api.get("/compliance/trend").json() == {"items": [], "nextCursor": None}


@pytest.mark.usefixtures("judged")
def test_the_summary_has_every_view(api: Api) -> None:
    summary = api.get("/compliance/summary").json()
    assert (summary["compliant"], summary["nonCompliant"], summary["score"]) == (1, 3, 25.0)
    assert summary["openBySeverity"] == {"high": 3}
    assert all(summary[name] for name in VIEWS.values())


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize("by", VIEWS)
def test_a_view_leaves_the_others_out(api: Api, by: str) -> None:
    whole = api.get("/compliance/summary")
    view = api.get(f"/compliance/summary?by={by}")
    assert view.json()[VIEWS[by]] == whole.json()[VIEWS[by]]
    assert not set(view.json()) & (set(VIEWS.values()) - {VIEWS[by]})
    assert view.headers["etag"] != whole.headers["etag"]
    assert api.get(f"/compliance/summary?by={by}", if_none_match=view.headers["etag"]).status_code == 304


def test_a_view_there_is_not(api: Api) -> None:
    assert problem(api.get("/compliance/summary?by=colour"), 400)["path"] == "query.by"


def test_the_trend_has_the_scans_that_ended_oldest_first(api: Api) -> None:
    for number, score in enumerate((50.0, 60.0, 70.0)):
        body = {
            "id": f"s{number}",
            "status": "completed",
            "endedAt": f"2026-02-0{number + 1}T00:00:00Z",
            "totals": {"compliant": 5, "score": score},
        }
        api.ports.documents.put(tenant="contoso", kind="scan", id=f"s{number}", body=body)
    assert [each["score"] for each in api.get("/compliance/trend").json()["items"]] == [50.0, 60.0, 70.0]
    assert [each["scan"] for each in api.get("/compliance/trend?limit=2").json()["items"]] == ["s1", "s2"]
    problem(api.get("/compliance/trend?limit=0"), 400)

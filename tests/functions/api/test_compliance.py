"""Compliance over HTTP."""

import pytest

from shared.adapters.local.identity import SignedTokens
from shared.domain.identity import Role
from shared.services import compliance
from tests.fakes.clock import TENANT
from tests.fakes.cloud import SUBSCRIPTION, account
from tests.fakes.world import World
from tests.functions.api.conftest import HOUR, Api, problem

OTHER = "5d1c9c4e-0000-4000-8000-00000000000b"
VIEWS = {"scope": "scopes", "policy": "policies", "owner": "owners"}


@pytest.fixture
def judged(world: World) -> None:
    world.put(account("alpha"), account("beta", supportsHttpsTrafficOnly=True))
    compliance.refresh(store=world.store, policies=world.policies)


def test_before_anything_was_judged_the_next_step_is_reported(api: Api) -> None:
    assert "POST /api/v1/scans" in problem(api.get("/compliance/summary"), 404)["detail"]
    assert api.get("/compliance/trend").json() == {"items": [], "nextCursor": None}


@pytest.mark.usefixtures("judged")
def test_the_summary_has_every_view(api: Api) -> None:
    summary = api.get("/compliance/summary").json()
    assert (summary["compliant"], summary["nonCompliant"], summary["score"]) == (1, 3, 25.0)
    assert summary["azurePercentage"] == 25.0
    assert summary["openBySeverity"] == {"high": 3}
    assert all(summary[name] for name in VIEWS.values())


def test_what_is_unknown_is_counted_apart_from_violations(api: Api, world: World) -> None:
    world.put(account("alpha"))
    body = world.finding(account("alpha"), "https-only").model_dump(mode="json")
    for number, state in enumerate(("unknown", "error", "exempt")):
        more = {"id": f"f{number}", "state": state, "severity": "low", "open": state != "exempt"}
        api.ports.documents.put(tenant=TENANT, kind="finding", id=f"f{number}", body={**body, **more})
    compliance.refresh(store=world.store, policies=world.policies)
    summary = api.get("/compliance/summary").json()
    assert summary["openBySeverity"] == {"high": 2}
    assert summary["unknownBySeverity"] == {"low": 2}


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


def as_reader_of(api: Api, subscription: str) -> dict[str, str]:
    identity = api.ports.identity
    assert isinstance(identity, SignedTokens)
    token = identity.mint("ada", [Role.READER], TENANT, HOUR, scopes=[f"/subscriptions/{subscription}"])
    return {"authorization": f"Bearer {token}"}


@pytest.mark.usefixtures("judged")
def test_a_reader_of_one_subscription_gets_its_compliance(api: Api, world: World) -> None:
    elsewhere = account("gamma")
    elsewhere["id"] = elsewhere["id"].replace(SUBSCRIPTION, OTHER)
    world.put(elsewhere)
    compliance.refresh(store=world.store, policies=world.policies)
    whole = api.get("/compliance/summary").json()
    parts = [
        api.client.get("/api/v1/compliance/summary", headers=as_reader_of(api, each)).json()
        for each in (SUBSCRIPTION, OTHER)
    ]
    assert [list(each["scopes"]) for each in parts] == [[SUBSCRIPTION], [OTHER]]
    for name in ("compliant", "nonCompliant", "resources"):
        assert whole[name] == sum(each[name] for each in parts)
    assert [each["openBySeverity"]["high"] for each in parts] == [3, 2]
    problem(api.client.get("/api/v1/compliance/summary", headers=as_reader_of(api, "nowhere")), 404)


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize("noun", ["findings", "resources"])
def test_lists_and_things_of_another_subscription_are_not_shown(api: Api, noun: str) -> None:
    shown = api.get(f"/{noun}").json()["items"]
    assert shown
    listed = api.client.get(f"/api/v1/{noun}?total=true", headers=as_reader_of(api, OTHER)).json()
    assert listed == {"items": [], "nextCursor": None, "total": 0}
    sub_paths = {"findings": ("", "/explain"), "resources": ("", "/history")}[noun]
    for path in sub_paths:
        address = f"/api/v1/{noun}/{shown[0]['id']}{path}"
        problem(api.client.get(address, headers=as_reader_of(api, OTHER)), 404)
        assert api.client.get(address, headers=as_reader_of(api, SUBSCRIPTION)).status_code == 200

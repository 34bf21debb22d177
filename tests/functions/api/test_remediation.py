"""Remediations over HTTP: from a request to a verified fix, and back."""

import pytest

from shared.domain.body import digest
from shared.services import remediation
from tests.cloud import account
from tests.functions.api.conftest import Api, problem
from tests.world import World

ALPHA = account("alpha")


@pytest.fixture
def finding(world: World) -> str:
    world.put(ALPHA)
    return world.finding(ALPHA, "https-only").id


@pytest.fixture
def planned(api: Api, world: World, finding: str) -> str:
    """A remediation that ada asked for, planned."""
    world.id = api.post("/remediations", {"findings": [finding], "note": "audit"}).json()["id"]
    world.plan()
    return world.id


def approve(api: Api, identity: str, name: str = "grace") -> int:
    known = api.get(f"/remediations/{identity}").json()
    path = f"/remediations/{identity}/approve"
    return api.post(path, {"planHash": known["planHash"]}, name=name).status_code


def test_a_fix_is_asked_for(api: Api, finding: str) -> None:
    answer = api.post("/remediations", {"findings": [finding]})
    asked = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/remediations/{asked['id']}"
    assert (asked["status"], asked["requester"]) == ("requested", "ada")
    assert api.ports.queue.length(remediation.QUEUE) == 1
    assert "has no plan" in problem(api.get(f"/remediations/{asked['id']}/plan"), 404)["detail"]


def test_the_plan_shows_what_will_be_written_and_is_what_the_hash_is_of(api: Api, planned: str) -> None:
    plan = api.get(f"/remediations/{planned}/plan").json()
    assert plan["status"] == "awaitingApproval"
    item = plan["items"][0]
    assert [(each["path"], each["before"], each["after"]) for each in item["differences"]] == [
        ("properties.supportsHttpsTrafficOnly", False, True)
    ]
    assert plan["refusals"] == []
    stored = {
        "remediation": plan["remediation"],
        "items": [{name: value for name, value in each.items() if name != "differences"} for each in plan["items"]],
    }
    assert digest(stored) == plan["hash"] == api.get(f"/remediations/{planned}").json()["planHash"]


def test_who_asked_cannot_approve(api: Api, planned: str) -> None:
    assert approve(api, planned, name="ada") == 403
    assert api.get(f"/remediations/{planned}").json()["status"] == "awaitingApproval"


def test_another_plan_cannot_be_approved(api: Api, planned: str) -> None:
    problem(api.post(f"/remediations/{planned}/approve", {"planHash": "0" * 64}, name="grace"), 409)
    assert problem(api.post(f"/remediations/{planned}/approve", {"planHash": "x"}), 422)["path"] == "$.planHash"
    assert problem(api.post(f"/remediations/{planned}/approve", {}), 422)["path"] == "$.planHash"


def test_an_approved_fix_is_carried_out_and_can_be_rolled_back(api: Api, planned: str, world: World) -> None:
    assert approve(api, planned) == 202
    assert api.ports.queue.length(remediation.BELL) == 1
    world.run()
    done = api.get(f"/remediations/{planned}").json()
    assert (done["status"], done["approval"]["by"]) == ("succeeded", "grace")
    assert world.cloud.body(ALPHA["id"])["properties"]["supportsHttpsTrafficOnly"] is True
    assert api.post(f"/remediations/{planned}/rollback").json()["status"] == "rollingBack"
    world.run()
    assert world.cloud.body(ALPHA["id"])["properties"]["supportsHttpsTrafficOnly"] is False
    told = api.get(f"/remediations/{planned}/events").text
    assert "event: remediationRequested" in told
    assert "event: remediationRolledBack" in told


def test_a_plan_is_turned_down(api: Api, planned: str) -> None:
    assert problem(api.post(f"/remediations/{planned}/reject", {"reason": ""}), 422)["path"] == "$.reason"
    turned = api.post(f"/remediations/{planned}/reject", {"reason": "not now"}, name="grace").json()
    assert (turned["status"], turned["reason"]) == ("rejected", "not now")
    assert approve(api, planned) == 409


def test_a_remediation_is_cancelled(api: Api, planned: str) -> None:
    assert api.post(f"/remediations/{planned}/cancel").json()["status"] == "cancelled"
    problem(api.post(f"/remediations/{planned}/rollback"), 409)


def test_remediations_are_listed(api: Api, planned: str) -> None:
    listed = api.get("/remediations?status=awaitingApproval").json()["items"]
    assert [each["id"] for each in listed] == [planned]
    assert "items" not in listed[0]
    assert api.get("/remediations?status=failed").json()["items"] == []


def test_approving_twice_with_one_key_is_one_approval(api: Api, planned: str) -> None:
    body = {"planHash": api.get(f"/remediations/{planned}").json()["planHash"]}
    answers = [
        api.post(f"/remediations/{planned}/approve", body, name="grace", idempotency_key="k").json() for _ in range(3)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert api.ports.queue.length(remediation.BELL) == 1


@pytest.mark.parametrize(
    "body", [{}, {"findings": []}, {"findings": ["none"]}, {"findings": ["x"] * 101}, {"filtr": {}}]
)
def test_a_request_that_chooses_nothing_is_told(api: Api, body: dict[str, object]) -> None:
    answer = api.post("/remediations", body)
    problem(answer, answer.status_code)
    assert answer.status_code in (400, 404, 422)


@pytest.mark.parametrize("verb", ["cancel", "rollback", "approve", "reject"])
def test_what_is_not_there(api: Api, verb: str) -> None:
    body = {"approve": {"planHash": "0" * 64}, "reject": {"reason": "no"}}.get(verb)
    problem(api.post(f"/remediations/none/{verb}", body), 404)
    problem(api.get("/remediations/none"), 404)
    problem(api.get("/remediations/none/plan"), 404)

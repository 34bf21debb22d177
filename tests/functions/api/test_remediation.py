"""Remediations over HTTP: from a request to a verified fix, and back."""

import json
from collections.abc import Callable

import pytest

from shared.domain.canonical import digest
from shared.domain.identity import Role
from shared.services.remediation import record
from tests.fakes.cloud import account
from tests.fakes.world import World
from tests.functions.api.conftest import Api, problem

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
    assert api.ports.queue.length(record.QUEUE) == 1
    assert "has no plan" in problem(api.get(f"/remediations/{asked['id']}/plan"), 404)["detail"]


def test_a_second_request_for_a_finding_names_the_open_one_with_its_address(
    api: Api, planned: str, finding: str
) -> None:
    answer = problem(api.post("/remediations", {"findings": [finding]}), 409)
    assert (answer["remediation"], answer["link"]) == (planned, f"/api/v1/remediations/{planned}")
    assert planned in answer["detail"]
    assert api.client.get(answer["link"], headers=api.headers()).json()["status"] == "awaitingApproval"
    assert len(api.get("/remediations").json()["items"]) == 1


def test_what_only_the_work_needs_is_not_answered(api: Api, planned: str) -> None:
    schemas = json.loads(api.client.get("/api/openapi.json").text)["components"]["schemas"]
    internal = {
        "Remediation": {"selection", "position", "deferred"},
        "RemediationItem": {"due", "resource", "resources"},
        "Rebuild": {"position"},
    }
    assert not [name for name, members in internal.items() if members & schemas[name]["properties"].keys()]
    (item,) = api.get(f"/remediations/{planned}/items").json()["items"]
    assert not internal["RemediationItem"] & item.keys()
    (listed,) = api.get("/remediations").json()["items"]
    single = api.get(f"/remediations/{planned}").json()
    cancelled = api.post(f"/remediations/{planned}/cancel").json()
    events = api.get(f"/remediations/{planned}/events").text
    for shown in (listed, single, cancelled):
        assert shown["id"] == planned
        assert not internal["Remediation"] & shown.keys()
    assert "remediationRequested" in events
    assert not [name for name in internal["Remediation"] if f'"{name}"' in events]


def test_the_plan_shows_what_will_be_written_and_is_what_the_hash_is_of(api: Api, planned: str) -> None:
    plan = api.get(f"/remediations/{planned}/plan").json()
    assert plan["status"] == "awaitingApproval"
    item = plan["items"][0]
    assert [(each["path"], each["before"], each["after"]) for each in item["differences"]] == [
        ("properties.supportsHttpsTrafficOnly", False, True)
    ]
    assert (plan["refusedCount"], plan["itemCount"], plan["nextCursor"]) == (0, 1, None)
    shown = ("number", "hash", "outcome", "differences")
    hashes = [digest({name: value for name, value in each.items() if name not in shown}) for each in plan["items"]]
    assert hashes == [item["hash"]]
    stored = {"remediation": plan["remediation"], "items": hashes}
    assert digest(stored) == plan["hash"] == api.get(f"/remediations/{planned}").json()["planHash"]


def test_a_plan_and_its_items_are_read_page_by_page(api: Api, world: World) -> None:
    bodies = [account(f"a{number}") for number in range(3)]
    world.put(*bodies)
    chosen = {"filter": {"policy": "https-only"}}
    assert api.post("/remediations/preview", chosen).json() == {
        "findings": 3,
        "bySeverity": {"high": 3},
        "byPolicy": {"https-only": 3},
    }
    world.id = api.post("/remediations", chosen).json()["id"]
    world.plan()
    for part in ("plan", "items"):
        path, numbers = f"/remediations/{world.id}/{part}?limit=2", []
        first = api.get(path)
        assert 'rel="next"' in first.headers["link"]
        numbers += [each["number"] for each in first.json()["items"]]
        rest = api.get(f"{path}&cursor={first.json()['nextCursor']}&total=true").json()
        numbers += [each["number"] for each in rest["items"]]
        assert (numbers, rest["nextCursor"], rest["total"]) == ([1, 2, 3], None, 3)


def test_items_are_listed_by_how_they_stand(api: Api, planned: str) -> None:
    path = f"/remediations/{planned}/items"
    assert len(api.get(f"{path}?outcome=pending").json()["items"]) == 1
    api.post(f"/remediations/{planned}/cancel")
    (item,) = api.get(f"{path}?outcome=skipped").json()["items"]
    assert (item["outcome"], item["reason"]) == ("skipped", "the remediation ended before its turn")
    assert api.get(f"{path}?outcome=pending").json()["items"] == []
    problem(api.get("/remediations/none/items"), 404)


@pytest.mark.parametrize("fold", [str.upper, str.lower])
@pytest.mark.parametrize("member", ["policy", "subscription", "resourceGroup", "resourceType"])
def test_a_filter_compares_names_and_ids_without_case(
    api: Api, finding: str, member: str, fold: Callable[[str], str]
) -> None:
    value = api.get(f"/findings/{finding}").json()[member]
    for given in (value, fold(value)):
        found = api.post("/remediations/preview", {"filter": {"policy": "https-only", member: given}}).json()
        assert found["findings"] == 1


def test_a_filter_by_an_unknown_severity_is_refused_with_those_there_are(api: Api) -> None:
    for path in ("/remediations", "/remediations/preview"):
        result = problem(api.post(path, {"filter": {"severity": "HIGH"}}), 422)
        assert (result["path"], "'critical', 'high', 'medium' or 'low'" in result["detail"]) == (
            "$.filter.severity",
            True,
        )


def test_an_empty_filter_is_refused_with_what_to_give(api: Api, finding: str) -> None:
    for path in ("/remediations", "/remediations/preview"):
        result = problem(api.post(path, {"filter": {}}), 422)
        assert result["path"] == "$.filter"
        assert "would choose everything: give one of policy" in result["detail"]
    assert finding


def test_who_asked_cannot_approve(api: Api, planned: str) -> None:
    assert approve(api, planned, name="ada") == 403
    assert api.get(f"/remediations/{planned}").json()["status"] == "awaitingApproval"


def test_another_plan_cannot_be_approved(api: Api, planned: str) -> None:
    problem(api.post(f"/remediations/{planned}/approve", {"planHash": "0" * 64}, name="grace"), 409)
    assert problem(api.post(f"/remediations/{planned}/approve", {"planHash": "x"}), 422)["path"] == "$.planHash"
    assert problem(api.post(f"/remediations/{planned}/approve", {}), 422)["path"] == "$.planHash"


def test_an_approved_fix_is_carried_out_and_can_be_rolled_back(api: Api, planned: str, world: World) -> None:
    assert approve(api, planned) == 202
    assert api.ports.queue.length(record.DECISION_QUEUE) == 1
    world.run()
    done = api.get(f"/remediations/{planned}").json()
    assert (done["status"], done["approval"]["by"]) == ("succeeded", "grace")
    assert world.cloud.body(ALPHA["id"])["properties"]["supportsHttpsTrafficOnly"] is True
    asked = api.post(f"/remediations/{planned}/rollback").json()
    assert (asked["status"], asked["rollbackRequest"]["by"]) == ("succeeded", "ada")
    world.run()
    assert len(world.cloud.writes) == 1
    path = f"/remediations/{planned}/rollback"
    assert "someone else" in problem(api.post(f"{path}/approve"), 403)["detail"]
    assert api.post(f"{path}/approve", name="grace").json()["status"] == "rollingBack"
    world.run()
    assert world.cloud.body(ALPHA["id"])["properties"]["supportsHttpsTrafficOnly"] is False
    result = api.get(f"/remediations/{planned}/events").text
    assert "event: remediationRequested" in result
    assert "event: remediationRolledBack" in result


def test_a_rollback_is_asked_for_by_an_operator_and_decided_by_an_approver(
    api: Api, planned: str, world: World
) -> None:
    path = f"/remediations/{planned}/rollback"
    assert approve(api, planned) == 202
    world.run()
    problem(api.post(f"{path}/approve", name="grace"), 409)
    problem(api.post(path, None, Role.APPROVER), 403)
    assert api.post(path, None, Role.OPERATOR).status_code == 202
    for verb, body in (("approve", None), ("reject", {"reason": "it stays as it is"})):
        problem(api.post(f"{path}/{verb}", body, Role.OPERATOR, name="grace"), 403)
    turned = api.post(f"{path}/reject", {"reason": "it stays as it is"}, Role.APPROVER, name="grace").json()
    assert (turned["status"], turned["rollbackRequest"]) == ("succeeded", None)
    assert turned["reason"] == "rollback rejected: it stays as it is"
    problem(api.post(f"{path}/reject", {"reason": "once again, no"}, name="grace"), 409)


def test_a_plan_is_turned_down(api: Api, planned: str) -> None:
    assert problem(api.post(f"/remediations/{planned}/reject", {"reason": ""}), 422)["path"] == "$.reason"
    refused = problem(api.post(f"/remediations/{planned}/reject", {"reason": "no"}), 422)
    assert "say in a sentence why" in refused["detail"]
    turned = api.post(f"/remediations/{planned}/reject", {"reason": "not before autumn"}, name="grace").json()
    assert (turned["status"], turned["reason"]) == ("rejected", "not before autumn")
    assert approve(api, planned) == 409


def test_a_remediation_is_cancelled(api: Api, planned: str) -> None:
    assert api.post(f"/remediations/{planned}/cancel").json()["status"] == "cancelled"
    problem(api.post(f"/remediations/{planned}/rollback"), 409)


def test_remediations_are_listed(api: Api, planned: str) -> None:
    listed = api.get("/remediations?status=awaitingApproval").json()["items"]
    assert [each["id"] for each in listed] == [planned]
    assert (listed[0]["itemCount"], listed[0]["counts"]) == (1, {"pending": 1})
    assert api.get("/remediations?status=failed").json()["items"] == []


def test_approving_twice_with_one_key_is_one_approval(api: Api, planned: str) -> None:
    body = {"planHash": api.get(f"/remediations/{planned}").json()["planHash"]}
    answers = [
        api.post(f"/remediations/{planned}/approve", body, name="grace", idempotency_key="k").json() for _ in range(3)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert api.ports.queue.length(record.DECISION_QUEUE) == 1


@pytest.mark.parametrize(
    "body", [{}, {"findings": []}, {"findings": ["none"]}, {"findings": ["x"] * 10_001}, {"filtr": {}}]
)
def test_a_request_that_chooses_nothing_is_reported(api: Api, body: dict[str, object]) -> None:
    answer = api.post("/remediations", body)
    problem(answer, answer.status_code)
    assert answer.status_code in (400, 404, 422)


@pytest.mark.parametrize("verb", ["cancel", "rollback", "approve", "reject"])
def test_what_is_not_there(api: Api, verb: str) -> None:
    body = {"approve": {"planHash": "0" * 64}, "reject": {"reason": "it stays as it is"}}.get(verb)
    problem(api.post(f"/remediations/none/{verb}", body), 404)
    problem(api.get("/remediations/none"), 404)
    problem(api.get("/remediations/none/plan"), 404)

"""Exemptions over HTTP: asked for by one person, decided by another, and an end must be named."""

from typing import Any

import pytest

from shared.domain.identity import Role
from shared.services import exemption
from tests.fakes.cloud import SUBSCRIPTION, account
from tests.fakes.world import World
from tests.functions.api.conftest import Api, problem

ASKED: dict[str, Any] = {
    "scope": f"/subscriptions/{SUBSCRIPTION}",
    "assignment": "baseline",
    "references": ["https-only"],
    "category": "Waiver",
    "reason": "Devices in the field speak plain HTTP.",
    "owner": "platform@example.com",
    "expiresAt": "2026-09-30T00:00:00Z",
}


@pytest.fixture(autouse=True)
def estate(world: World) -> None:
    world.put(account())


def test_an_exemption_is_asked_for_approved_listed_and_revoked(api: Api) -> None:
    answer = api.post("/exemptions", ASKED, Role.OPERATOR)
    made = answer.json()
    assert answer.status_code == 202
    assert (made["status"], made["createdBy"], made["approvedBy"]) == ("pending", "ada", None)
    assert api.client.get(answer.headers["location"], headers=api.headers()).json() == made
    assert [each["id"] for each in api.get("/exemptions?status=pending").json()["items"]] == [made["id"]]
    assert api.ports.queue.length(exemption.QUEUE) == 0
    path = f"/exemptions/{made['id']}"
    assert "someone else" in problem(api.post(f"{path}/approve"), 403)["detail"]
    problem(api.post(f"{path}/approve", None, Role.OPERATOR, name="grace"), 403)
    problem(api.post(f"{path}/revoke"), 409)
    begun = api.post(f"{path}/approve", None, Role.APPROVER, name="grace").json()
    assert (begun["status"], begun["approvedBy"]) == ("active", "grace")
    assert [each["id"] for each in api.get("/exemptions?status=active").json()["items"]] == [made["id"]]
    assert api.post(f"{path}/revoke").json()["status"] == "revoked"
    assert api.get("/exemptions?status=active").json()["items"] == []
    problem(api.post(f"{path}/revoke"), 409)
    assert api.ports.queue.length(exemption.QUEUE) == 2


def test_an_exemption_that_is_turned_down_never_begins(api: Api) -> None:
    path = f"/exemptions/{api.post('/exemptions', ASKED).json()['id']}"
    why = "one account is enough"
    problem(api.post(f"{path}/reject", {"reason": why}, Role.OPERATOR, name="grace"), 403)
    for short in ("", "no", "impossible"):
        found = problem(api.post(f"{path}/reject", {"reason": short}), 422)
        assert (found["path"], "say in a sentence why" in found["detail"]) == ("$.reason", True)
    turned = api.post(f"{path}/reject", {"reason": why}, name="grace").json()
    assert (turned["status"], turned["endedBy"], turned["rejectionReason"]) == ("rejected", "grace", why)
    problem(api.post(f"{path}/approve", name="grace"), 409)
    assert api.ports.queue.length(exemption.QUEUE) == 0


def _spelled(asked: dict[str, Any]) -> dict[str, Any]:
    return asked | {"scope": f"{asked['scope'].upper()}".replace("/SUBSCRIPTIONS/", "/subscriptions/")}


@pytest.mark.parametrize("decision", ["approve", "reject", "withdraw", None])
def test_a_second_exemption_of_the_same_is_refused_with_the_first(api: Api, decision: str | None) -> None:
    first = api.post("/exemptions", ASKED).json()["id"]
    body = {"reason": "one account is enough"} if decision == "reject" else None
    if decision:
        name = "ada" if decision == "withdraw" else "grace"
        assert api.post(f"/exemptions/{first}/{decision}", body, name=name).status_code == 202
    again = {"references": ["HTTPS-only"], "reason": "said otherwise", "expiresAt": "2026-08-30T00:00:00Z"}
    answer = api.post("/exemptions", _spelled(ASKED) | again)
    if decision in ("reject", "withdraw"):
        assert answer.status_code == 202
        return
    found = problem(answer, 409)
    assert (found["exemption"], found["link"]) == (first, f"/api/v1/exemptions/{first}")
    told = "is in force until 2026-09-30: have it ended first" if decision else "awaits a decision: have it decided on"
    assert f"{first} of the same scope, assignment and references {told}" in found["detail"]
    assert "no exemption begins later than its approval" in found["detail"]


def test_what_differs_in_what_it_is_about_is_no_second_exemption(api: Api) -> None:
    assert api.post("/exemptions", ASKED).status_code == 202
    selectors = [{"name": "eu", "selectors": [{"kind": "resourceLocation", "in": ["westeurope"]}]}]
    for other in ({"references": []}, {"scope": account()["id"]}, {"resourceSelectors": selectors}):
        assert api.post("/exemptions", ASKED | other).status_code == 202


def test_a_request_is_withdrawn_by_who_made_it_without_an_approver(api: Api) -> None:
    path = f"/exemptions/{api.post('/exemptions', ASKED, Role.OPERATOR).json()['id']}"
    problem(api.post(f"{path}/withdraw", None, Role.OPERATOR, name="grace"), 403)
    for _ in range(2):
        answer = api.post(f"{path}/withdraw", None, Role.OPERATOR)
        assert (answer.status_code, answer.json()["status"], answer.json()["endedBy"]) == (202, "withdrawn", "ada")
    problem(api.post(f"{path}/approve", None, Role.APPROVER, name="grace"), 409)
    problem(api.post("/exemptions/absent/withdraw", None, Role.OPERATOR), 404)


@pytest.mark.parametrize(
    "scope",
    [
        f"/subscriptions/{SUBSCRIPTION[:-1]}9",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rgx",
        f"{account()['id']}x",
        f"{account()['id']}/blobServices/default",
    ],
)
def test_a_scope_where_nothing_is_known_is_told(api: Api, scope: str) -> None:
    found = problem(api.post("/exemptions", ASKED | {"scope": scope}), 422)
    assert (found["path"], scope in found["detail"]) == ("$.scope", True)
    assert "check the id, or scan or import it first" in found["detail"]


@pytest.mark.parametrize(
    "scope",
    [f"/subscriptions/{SUBSCRIPTION}", account()["id"].rpartition("/providers/")[0], account()["id"].upper()],
)
def test_a_scope_that_is_known_is_taken_however_it_is_spelled(api: Api, scope: str) -> None:
    asked = ASKED | {"scope": scope.replace("/SUBSCRIPTIONS/", "/subscriptions/")}
    assert api.post("/exemptions", asked).status_code == 202


@pytest.mark.parametrize(
    "owner",
    [
        "-",
        "n/a",
        "TBD",
        "me",
        "7",
        "12345",
        "bob",
        "Администратор",
        "a-",
        "  ",
        "@example.com",
        "ada@",
        "ada@example",
        "ada @example.com",
        "a@b@c.de",
    ],
)
def test_an_owner_who_is_nobody_is_refused_with_what_is_expected(api: Api, owner: str) -> None:
    found = problem(api.post("/exemptions", ASKED | {"owner": owner}), 422)
    assert found["path"] == "$.owner"
    assert found["detail"].startswith("$.owner: a person or a group is expected: an e-mail address")


@pytest.mark.parametrize(
    "owner",
    [
        "ada@example.com",
        "ada_example.com#EXT#@contoso.onmicrosoft.com",
        "5D1C9C4E-0000-4000-8000-000000000001",
        "platform-team",
        "Équipe plateforme (Lyon)",
        "3rd line",
        "sec_ops",
        "Platform Team",
        "team7",
    ],
)
def test_an_owner_is_a_person_or_a_group(api: Api, owner: str) -> None:
    assert api.post("/exemptions", ASKED | {"owner": f" {owner} "}).json()["request"]["owner"] == owner


@pytest.mark.parametrize("reason", ["          ", "because...........", "a    b    "])
def test_a_reason_says_something(api: Api, reason: str) -> None:
    found = problem(api.post("/exemptions", ASKED | {"reason": reason}), 422)
    assert (found["path"], "say in a sentence" in found["detail"]) == ("$.reason", True)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"expiresAt": None}, "$.expiresAt"),
        ({"expiresAt": "2026-02-01T00:00:00Z"}, "$.expiresAt"),
        ({"expiresAt": "2030-01-01T00:00:00Z"}, "$.expiresAt"),
        ({"expiresAt": "2026-09-30T00:00:00"}, "$.expiresAt"),
        ({"reason": "because"}, "$.reason"),
        ({"scope": "everything"}, "$.scope"),
        ({"assignment": ""}, "$.assignment"),
        ({"category": "Whim"}, "$.category"),
        ({"owner": ""}, "$.owner"),
    ],
)
def test_what_is_wrong_is_reported_with_its_place(api: Api, change: dict[str, Any], path: str) -> None:
    assert problem(api.post("/exemptions", ASKED | change), 422)["path"] == path
    assert api.get("/exemptions").json()["items"] == []


def test_an_end_cannot_be_left_out(api: Api) -> None:
    asked = {name: value for name, value in ASKED.items() if name != "expiresAt"}
    assert problem(api.post("/exemptions", asked), 422)["path"] == "$.expiresAt"


def test_what_is_not_there(api: Api) -> None:
    problem(api.get("/exemptions/none"), 404)
    problem(api.post("/exemptions/none/revoke"), 404)
    problem(api.post("/exemptions/none/approve"), 404)
    problem(api.post("/exemptions/none/reject", {"reason": "there is no such one"}), 404)


def test_a_refusal_says_once_in_words_what_is_allowed(api: Api) -> None:
    found = problem(api.post("/exemptions", ASKED | {"scope": "everything"}), 422)
    assert "the ARM id of a subscription, resource group or resource is expected" in found["detail"]
    assert "[^/]" not in str(found)
    assert problem(api.post("/imports/uploads/u1/complete"), 422)["detail"].startswith("$: a JSON body is required")
    assert problem(api.post("/exemptions", {}), 422)["errors"][0] == {"path": "$.scope", "detail": "it is required"}

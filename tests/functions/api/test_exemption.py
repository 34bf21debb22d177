"""Exemptions over HTTP: an end must be named."""

from typing import Any

import pytest

from shared.services import exemption
from tests.functions.api.conftest import Api, problem

ASKED: dict[str, Any] = {
    "scope": "/subscriptions/5d1c9c4e-0000-4000-8000-000000000001",
    "policies": ["https-only"],
    "category": "Waiver",
    "reason": "Devices in the field speak plain HTTP.",
    "owner": "platform@example.com",
    "expiresAt": "2026-09-30T00:00:00Z",
}


def test_an_exemption_is_made_read_listed_and_revoked(api: Api) -> None:
    answer = api.post("/exemptions", ASKED)
    made = answer.json()
    assert answer.status_code == 202
    assert (made["status"], made["createdBy"]) == ("active", "ada")
    assert api.client.get(answer.headers["location"], headers=api.headers()).json() == made
    assert [each["id"] for each in api.get("/exemptions?status=active").json()["items"]] == [made["id"]]
    assert api.post(f"/exemptions/{made['id']}/revoke").json()["status"] == "revoked"
    assert api.get("/exemptions?status=active").json()["items"] == []
    problem(api.post(f"/exemptions/{made['id']}/revoke"), 409)
    assert api.ports.queue.length(exemption.QUEUE) == 2


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"expiresAt": None}, "$.expiresAt"),
        ({"expiresAt": "2026-02-01T00:00:00Z"}, "$.expiresAt"),
        ({"expiresAt": "2030-01-01T00:00:00Z"}, "$.expiresAt"),
        ({"expiresAt": "2026-09-30T00:00:00"}, "$.expiresAt"),
        ({"reason": "because"}, "$.reason"),
        ({"scope": "everything"}, "$.scope"),
        ({"policies": []}, "$.policies"),
        ({"category": "Whim"}, "$.category"),
        ({"owner": ""}, "$.owner"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(api: Api, change: dict[str, Any], path: str) -> None:
    assert problem(api.post("/exemptions", ASKED | change), 422)["path"] == path
    assert api.get("/exemptions").json()["items"] == []


def test_an_end_cannot_be_left_out(api: Api) -> None:
    asked = {name: value for name, value in ASKED.items() if name != "expiresAt"}
    assert problem(api.post("/exemptions", asked), 422)["path"] == "$.expiresAt"


def test_what_is_not_there(api: Api) -> None:
    problem(api.get("/exemptions/none"), 404)
    problem(api.post("/exemptions/none/revoke"), 404)

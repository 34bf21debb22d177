"""`cortex remediation`: what is asked for is counted, and what is approved was shown, all of it."""

import json
import sys
from typing import Any

import httpx2
import pytest

from cli import client
from cli.main import main

ID = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/data"
LONG = "x" * 300
HASH = "ab" * 32


def plan(changes: int) -> dict[str, Any]:
    result = [{"path": f"properties.p{number}", "before": None, "after": LONG} for number in range(min(changes, 20))]
    body = {"properties": {f"p{number}": LONG for number in range(changes)}}
    operation = {"method": "PATCH", "resourceId": ID, "apiVersion": "2023-05-01", "body": body, "differences": result}
    item = {"resourceId": ID, "skipped": "", "operations": [operation], "notes": ["Clients must follow."]}
    return {"hash": HASH, "items": [{**item, "refusals": []}], "nextCursor": None}


@pytest.fixture
def approved(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was approved; `plan` is what the API answers."""
    kept: dict[str, Any] = {"plan": plan(1)}
    made = httpx2.Client

    def answer(request: httpx2.Request) -> httpx2.Response:
        known = {"id": "r1", "status": "awaitingApproval", "planHash": "cd" * 32, "endedAt": None}
        known |= {"itemCount": len(kept["plan"]["items"]), "counts": {"pending": 1}}
        if request.method == "POST":
            kept["posted"] = json.loads(request.content)
            counted = {"findings": 2, "bySeverity": {"high": 2}}
            return httpx2.Response(202, json=counted if request.url.path.endswith("/preview") else known)
        if request.url.path.endswith("/findings"):
            kept["listed"] = dict(request.url.params)
            skipped = {"policy": "p", "resourceId": ID, "id": "f9"}
            return httpx2.Response(200, json={"items": [skipped], "nextCursor": None, "total": 1})
        if request.url.path.endswith("/assignments"):
            assigned = {"id": "/policyAssignments/soft", "name": "soft"}
            return httpx2.Response(200, json={"items": [assigned], "nextCursor": None})
        if request.url.path.endswith("/plan"):
            return httpx2.Response(200, json=kept["plan"])
        return httpx2.Response(200, json=known)

    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=httpx2.MockTransport(answer)))
    return kept


def shown(answer: Any) -> str:
    return "".join(answer.stdout.split())


def test_the_hash_that_is_approved_is_that_of_the_plan_that_was_shown(cortex: Any, approved: dict[str, Any]) -> None:
    answer = cortex("remediation", "approve", "--no-wait", "r1", stdin=b"y\n")
    assert approved["posted"] == {"planHash": HASH}
    assert f"Planhash{HASH}" in shown(answer)


def test_what_failed_with_nothing_planned_has_no_hash_to_show(cortex: Any, approved: dict[str, Any]) -> None:
    refused = [{"finding": "f1", "reason": "the policy has no fix"}]
    skipped = {"resourceId": ID, "skipped": "it complies", "operations": [], "notes": [], "refusals": refused}
    approved["plan"] = {"hash": HASH, "items": [skipped], "nextCursor": None}
    text = shown(cortex("remediation", "approve", "--no-wait", "r1", stdin=b"n\n"))
    assert "notplanned:f1:thepolicyhasnofix" in text
    assert HASH not in text


@pytest.mark.parametrize("changes", [1, 20, 25])
def test_a_plan_is_shown_whole(cortex: Any, approved: dict[str, Any], changes: int) -> None:
    approved["plan"] = plan(changes)
    text = shown(cortex("remediation", "approve", "--no-wait", "r1", stdin=b"n\n"))
    assert "posted" not in approved
    assert ID in text
    assert "PATCH(API2023-05-01)" in text
    assert "Clientsmustfollow." in text
    for number in range(changes):
        assert f'properties.p{number}:null→"{LONG}"' in text or f'"p{number}":"{LONG}"' in text


def test_a_plan_of_many_items_is_shown_by_its_first_and_whole_by_a_command(
    cortex: Any, approved: dict[str, Any]
) -> None:
    item = plan(1)["items"][0]
    items = [{**item, "resourceId": f"{ID}{number}"} for number in range(25)]
    approved["plan"] = {"hash": HASH, "items": items, "nextCursor": None}
    first = shown(cortex("remediation", "request", "f1"))
    assert f"{ID}19PATCH" in first
    assert f"{ID}20PATCH" not in first
    assert "and5moreitems;thewholeplan:cortexremediationplanr1" in first
    assert f"{ID}24PATCH" in shown(cortex("remediation", "plan", "r1"))


def test_findings_chosen_by_what_they_have_in_common_are_counted_before_they_are_asked_for(
    cortex: Any, approved: dict[str, Any]
) -> None:
    chosen = {"policy": "p", "severity": "high", "resourceGroup": "rg"}
    options = ("--policy", "p", "--severity", "high", "--resource-group", "rg")
    assert "2findingstofix:2highskipped:1findingwithoutafix" in shown(
        cortex("remediation", "request", *options, "--dry-run")
    )
    assert approved["posted"] == {"filter": chosen}
    assert "2findingstofix:2highskipped:1findingwithoutafix" in shown(
        cortex("remediation", "request", *options, "--note", "why")
    )
    assert approved["posted"] == {"filter": chosen, "note": "why"}


def test_what_has_no_fix_is_skipped_and_told(cortex: Any, approved: dict[str, Any]) -> None:
    options = ("--policy", "p", "--environment", "prod", "--dry-run")
    told = cortex("remediation", "request", *options).stdout.split()
    assert told[-3:] == ["p", ID, "f9"]
    assert {"open": "true", "remediable": "false", "policy": "p", "environment": "prod"}.items() <= approved[
        "listed"
    ].items()
    assert json.loads(cortex("remediation", "request", *options, "--json").stdout)["skipped"] == 1
    assert approved["posted"] == {"filter": {"policy": "p", "environment": "prod"}}


def test_an_open_remediation_in_the_way_is_named_with_the_next_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = httpx2.Client
    body = {"detail": "remediation r7, which is planning, has not ended", "remediation": "r7", "path": "$.findings"}
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(409, json=body))
    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=transport))
    monkeypatch.setattr(sys, "argv", ["cortex", "remediation", "request", "f1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "remediation r7, which is planning, has not ended" in told
    assert told.endswith("cortex remediation show r7\n")


def test_findings_are_chosen_by_what_brings_their_policy(cortex: Any, approved: dict[str, Any]) -> None:
    cortex("remediation", "request", "--assignment", "Soft", "--reference", "days", "--dry-run")
    assert approved["posted"] == {"filter": {"assignment": "/policyAssignments/soft", "reference": "days"}}


@pytest.mark.parametrize("given", [(), ("f1", "--policy", "p")])
def test_a_remediation_is_asked_for_by_ids_or_by_conditions(
    cortex: Any, approved: dict[str, Any], given: tuple[str, ...]
) -> None:
    assert cortex("remediation", "request", *given).exit_code == 2
    assert "posted" not in approved

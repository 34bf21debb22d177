"""`cortex exemption`: all that is wrong is told at once by its option, and what changes nothing says so."""

import sys
from typing import Any

import httpx2
import pytest

from cli import client
from cli.main import main

FINDING = {
    "id": "f1",
    "policy": "p",
    "assignment": "/a",
    "reference": "r",
    "title": "t",
    "severity": "high",
    "state": "nonCompliant",
    "resourceId": "/subscriptions/s",
    "owner": None,
    "evidence": [],
    "missing": [],
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, Any]]:
    """What is answered, by method and path."""
    made, absent = httpx2.Client, (404, {"detail": "there is no such id", "path": "id"})
    answers: dict[str, tuple[int, Any]] = {"GET /findings/f1": (200, FINDING)}

    def answer(request: httpx2.Request) -> httpx2.Response:
        status, body = answers.get(f"{request.method} {request.url.path.removeprefix('/api/v1')}", absent)
        return httpx2.Response(status, json=body)

    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=httpx2.MockTransport(answer)))
    return answers


def told(found: Any) -> str:
    return " ".join((found.stdout + found.stderr).replace("│", " ").split())


GOOD = {"--reason": "until the devices are replaced", "--owner": "platform-team", "--until": "90d"}


def request(cortex: Any, finding: str, **changes: str) -> Any:
    given = GOOD | {f"--{name}": value for name, value in changes.items()}
    return cortex("exemption", "request", finding, *(part for each in given.items() for part in each))


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("finding", ["f1", "nope"])
def test_all_that_is_wrong_is_told_at_once_by_its_option(cortex: Any, finding: str) -> None:
    found = request(cortex, finding, reason="no", owner="bob", until="yesterday")
    assert found.exit_code == 2
    assert "--reason: say in a sentence why: at least 10 characters" in told(found)
    assert "--owner: a person or a group is expected" in told(found)
    assert "--until: 'yesterday' is no time" in told(found)
    assert ("FINDING: there is no such id" in told(found)) == (finding == "nope")
    assert "$." not in told(found)


@pytest.mark.usefixtures("api")
def test_one_fault_is_told_with_its_option(cortex: Any) -> None:
    found = request(cortex, "f1", reason="no")
    assert "Invalid value for --reason: say in a sentence why" in told(found)


def test_what_the_api_refuses_is_told_by_the_option_it_comes_from(cortex: Any, api: dict[str, Any]) -> None:
    refused = {"detail": "the end 2026-01-01T00:00:00Z is in the past", "path": "$.expiresAt"}
    api["POST /exemptions"] = (422, refused)
    found = request(cortex, "f1", until="2026-01-01")
    assert (found.exit_code, "Invalid value for --until: the end" in told(found)) == (2, True)


@pytest.mark.parametrize("noun", ["exemption", "remediation"])
def test_a_rejection_without_a_reason_names_its_option(cortex: Any, api: dict[str, Any], noun: str) -> None:
    detail = "say in a sentence why: at least 10 characters and two words"
    errors = [{"path": "$.reason", "detail": detail}]
    api[f"POST /{noun}s/x/reject"] = (422, {"detail": f"$.reason: {detail}", "path": "$.reason", "errors": errors})
    found = cortex(noun, "reject", "x", "--reason", "no")
    assert (found.exit_code, f"Invalid value for --reason: {detail}" in told(found)) == (2, True)


@pytest.mark.parametrize(("verb", "status"), [("approve", "active"), ("withdraw", "withdrawn")])
def test_a_decision_that_changes_nothing_says_so(cortex: Any, api: dict[str, Any], verb: str, status: str) -> None:
    known = {"id": "e1", "status": status, "request": {}}
    api["GET /exemptions/e1"] = (200, known)
    api[f"POST /exemptions/e1/{verb}"] = (202, known)
    assert f"Exemption e1 was {status} already: nothing was changed" in told(cortex("exemption", verb, "e1"))
    api["GET /exemptions/e1"] = (200, known | {"status": "pending"})
    assert told(cortex("exemption", verb, "e1")) == f"Exemption e1 {status}"


def test_the_exemption_in_the_way_is_named_with_the_next_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], api: dict[str, Any]
) -> None:
    api["POST /exemptions"] = (409, {"detail": "exemption e7 awaits a decision", "exemption": "e7", "path": "$.scope"})
    given = ("f1", *(part for each in GOOD.items() for part in each))
    monkeypatch.setattr(sys, "argv", ["cortex", "exemption", "request", *given])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "exemption e7 awaits a decision\nLook at it with:\n  cortex exemption show e7" in capsys.readouterr().err

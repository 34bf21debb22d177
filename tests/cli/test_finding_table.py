"""`cortex finding list`: how many match, and which of several assignments of a definition a finding is of."""

import json
from typing import Any

import httpx2
import pytest

from cli import client, terminal

PREFIX = "/providers/microsoft.authorization/policyassignments/"


def listed(number: int, policy: str, assignment: str, reference: str = "") -> dict[str, Any]:
    return {
        "id": f"f{number}",
        "policy": policy,
        "assignment": PREFIX + assignment,
        "reference": reference,
        "title": "Something is wrong",
        "severity": "high",
        "state": "nonCompliant",
        "resourceId": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a",
        "owner": None,
        "openedAt": "2026-03-01T12:00:00Z",
    }


@pytest.fixture
def findings(cortex: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = httpx2.Client
    asked: list[httpx2.QueryParams] = []

    def run(found: list[dict[str, Any]], total: int, *options: str) -> tuple[str, list[httpx2.QueryParams]]:
        def answer(request: httpx2.Request) -> httpx2.Response:
            query = request.url.params
            asked.append(query)
            page = {"items": found[: int(query["limit"])], "nextCursor": "more" if total > len(found) else None}
            return httpx2.Response(200, json=page | ({"total": total} if query.get("total") == "true" else {}))

        transport = httpx2.MockTransport(answer)
        monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=transport))
        return " ".join(cortex("finding", "list", *options).stdout.split()), asked

    return run


FOUND = [listed(1, "soft-delete", "baseline", "days"), listed(2, "soft-delete", "strict"), listed(3, "tls", "baseline")]


def test_the_table_says_how_many_findings_match_beside_those_that_are_shown(findings: Any) -> None:
    shown, asked = findings(FOUND, 1558, "--limit", "3", "--severity", "high", "--severity", "low")
    assert "3 of 1,558 findings: 1,558 violations, 1,558 unknown, 1,558 errors" in shown
    assert asked[1].get_list("severity") == ["high", "low"]
    assert (asked[1]["open"], asked[1]["total"], asked[1]["order"]) == ("true", "true", "severity")


def test_the_table_has_one_number_where_all_findings_are_shown(findings: Any) -> None:
    assert findings(FOUND, 3, "--all", "--state", "nonCompliant")[0].startswith("3 findings: 3 violations severity")


def test_an_exempt_finding_is_listed_where_that_is_asked_for(findings: Any) -> None:
    _, asked = findings(FOUND, 3, "--state", "exempt")
    assert asked[1].get_list("status") == ["opened", "reopened", "exempt"]
    _, asked = findings(FOUND, 3, "--status", "open", "--status", "resolved")
    assert asked[-2].get_list("status") == ["opened", "reopened", "resolved"]
    _, asked = findings(FOUND, 3, "--status", "all", "--json")
    assert not {"status", "open"} & set(asked[-1])


def test_findings_of_a_definition_in_force_twice_say_what_brings_it(findings: Any) -> None:
    shown, _ = findings(FOUND, 3, "--limit", "3")
    assert "by baseline/days /subscriptions" in shown
    assert "by strict/soft-delete /subscriptions" in shown
    assert shown.count(", by ") == 2


def test_columns_csv_and_json_have_the_members_that_are_named(findings: Any) -> None:
    assert findings(FOUND, 3, "--csv", "--columns", "id,policy")[0] == "id,policy f1,soft-delete f2,soft-delete f3,tls"
    assert json.loads(findings(FOUND, 3, "--json", "--columns", "id")[0]) == [{"id": "f1"}, {"id": "f2"}, {"id": "f3"}]
    assert findings(FOUND, 3, "--csv")[0].startswith("id,policy,assignment,reference,title,severity,")


def test_a_column_that_there_is_not_is_refused_with_the_nearest(cortex: Any, findings: Any) -> None:
    findings(FOUND, 3)
    refused = cortex("finding", "list", "--columns", "id,severty")
    assert refused.exit_code == 2
    assert "there is no column 'severty'; did you mean severity?" in " ".join(refused.stderr.replace("│", " ").split())


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_what_other_programs_get_is_marked_as_cut_on_the_error_stream(cortex: Any, findings: Any, option: str) -> None:
    findings(FOUND, 848)
    listed = cortex("finding", "list", "-n", "2", option)
    assert "2 of 848 findings; --limit or --all lists more" in listed.stderr
    assert "848" not in listed.stdout


@pytest.mark.parametrize("width", [60, 250])
def test_a_row_that_does_not_fit_goes_over_several_lines_and_loses_nothing(
    cortex: Any, findings: Any, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    findings(FOUND, 3)
    monkeypatch.setattr(terminal.console, "width", width)
    lines = cortex("finding", "list").stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == (5 if width == 250 else 12)
    assert all(f"f{number}" in " ".join(lines) for number in (1, 2, 3))

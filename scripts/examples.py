"""Records the answers that the API reference shows, from a running product with its sample estate.

Usage: `cortex run` on a new state folder, then `python scripts/examples.py [URL]` with the same CORTEX_STATE. Writes
`functions/api/examples.json`; what a healthy local product does not answer (`KEPT`) stays as it is there.
"""
# ruff: noqa: INP001 - a script, run by its path

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from cli import local
from shared.adapters.local.identity import SignedTokens
from shared.domain.identity import Role

FILE = Path(__file__).parents[1] / "functions" / "api" / "examples.json"
KEPT = {("readiness", "503"), ("usage", "200")}
PEOPLE = {Role.OPERATOR: "olga", Role.APPROVER: "ada", Role.READER: "ruth", Role.SENDER: "sandbox-cloud"}
FEW = 2
TABLE = 5
"""Objects by name are a table when there are more of them; a body has fewer."""
POLICY = "storage-secure-transfer"
Json = Any


class Recorder:
    """Calls the API as whoever may, and keeps the answer under the operation's name."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, timeout=60.0)
        made = self._http.get("/api/openapi.json").json()["paths"]
        self._operations = {
            each["operationId"]: (path, method, each) for path, ways in made.items() for method, each in ways.items()
        }
        self._tokens = SignedTokens(local.secret(), lambda: datetime.now(UTC))
        self.found: dict[str, dict[str, Json]] = {}

    def see(self, operation_id: str, body: Json = None, /, **named: str) -> httpx2.Response:
        """The answer of an operation; `named` are parts of its path, and what is left of them its query."""
        path, method, operation = self._operations[operation_id]
        query = {key: value for key, value in named.items() if f"{{{key}}}" not in path}
        role = Role(operation.get("x-role", "reader"))
        token = self._tokens.mint(PEOPLE[role], [role], "local", timedelta(minutes=5))
        answer = self._http.request(
            method,
            path.format(**named),
            params=query,
            json=_example(operation) if body is None else body,
            headers={"authorization": f"Bearer {token}"},
        )
        return answer.raise_for_status()

    def call(self, operation_id: str, body: Json = None, /, **named: str) -> Json:
        """As `see`, and the answer is kept."""
        answer = self.see(operation_id, body, **named)
        stream = answer.headers["content-type"].startswith("text/event-stream")
        value = answer.text if stream else answer.json()
        shown = first_event(value) if stream else few(value)
        self.found.setdefault(operation_id, {})[str(answer.status_code)] = shown
        return value

    def until(self, operation_id: str, true: Callable[[Json], bool], /, **named: str) -> Json:
        """The answer as soon as it is as expected."""
        for _ in range(600):
            value = self.call(operation_id, **named)
            if true(value):
                return value
            time.sleep(0.1)
        raise SystemExit(f"{operation_id} {named} does not come to what is expected: {value}")


def _example(operation: Json) -> Json:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return next((each["value"] for each in content.get("examples", {}).values()), None)


def first_event(text: str) -> str:
    """The first event of a stream, as it was sent."""
    return next(each for each in text.split("\n\n") if each.startswith("id:")) + "\n\n"


def few(value: Json) -> Json:
    """The value with no more than a few members in each of its arrays, and in its large tables of objects."""
    if isinstance(value, dict):
        table = len(value) > TABLE and all(isinstance(each, dict) for each in value.values())
        return {name: few(each) for name, each in list(value.items())[: FEW if table else None]}
    return [few(each) for each in value[:FEW]] if isinstance(value, list) else value


def record(api: Recorder) -> None:
    """One call of each operation, each after what it needs."""
    for name in ("health", "readiness", "policy_lint", "policy_members", "policy_format", "policy_test", "evaluate"):
        api.call(name)
    _estate(api)
    _remediation(api)
    exempted = api.call("exemption_create")["id"]
    api.until("exemption_get", lambda now: now["status"] == "active", id=exempted)
    api.call("exemption_list", limit="2")
    api.call("exemption_revoke", id=exempted)
    api.call("change_take")


def _estate(api: Recorder) -> None:
    api.until("scan_list", lambda now: bool(now["items"] and now["items"][-1]["endedAt"]), limit="2")
    scan = api.call("scan_start", {"collect": True})["id"]
    api.call("scan_cancel", id=scan)
    done = api.see("scan_list").json()["items"][-1]["id"]
    api.call("scan_get", id=done)
    api.call("scan_events", id=done)
    (asked,) = api.call("finding_list", policy=POLICY, state="nonCompliant", limit="1")["items"]
    api.call("finding_get", id=asked["id"])
    api.call("finding_explain", id=asked["id"])
    api.call("resource_list", limit="1")
    stored = api.call("resource_get", id=asked["resource"])
    api.call("policy_list", limit="2")
    api.call("policy_get", name=POLICY)
    api.call("compliance_summary")
    api.call("compliance_trend")
    api.call("permission_check", subscription=asked["subscription"])
    body = {name: stored["record"]["body"][name] for name in ("id", "type", "name", "location", "properties")}
    imported = api.call("import_start", [body, {"name": "no id"}], name="estate.json")["id"]
    api.until("import_get", lambda now: bool(now["endedAt"]), id=imported)
    api.call("import_list", limit="1")


def _remediation(api: Recorder) -> None:
    findings = api.see("finding_list", policy=POLICY, state="nonCompliant", open="true").json()["items"][:3]
    first, second, third = (_planned(api, each["id"]) for each in findings)
    api.call("remediation_plan", id=first["id"])
    api.call("remediation_approve", {"planHash": first["planHash"]}, id=first["id"])
    api.until("remediation_get", lambda now: bool(now["endedAt"]), id=first["id"])
    api.until("resource_history", lambda now: bool(now["items"]), id=findings[0]["resource"])
    api.call("remediation_rollback", id=first["id"])
    api.call("remediation_reject", {"reason": "The devices in the field are not ready."}, id=second["id"])
    api.call("remediation_cancel", id=third["id"])
    api.call("remediation_events", id=first["id"])
    api.call("remediation_list", limit="1")


def _planned(api: Recorder, finding: str) -> Json:
    asked = api.call("remediation_create", {"findings": [finding]})
    return api.until("remediation_get", lambda now: bool(now["planHash"]), id=asked["id"])


def main(url: str = "http://127.0.0.1:7071") -> None:
    """Record everything and write the file."""
    api = Recorder(url)
    record(api)
    before = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for name, status in KEPT:
        api.found.setdefault(name, {})[status] = before.get(name, {}).get(status)
    FILE.write_text(json.dumps(dict(sorted(api.found.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

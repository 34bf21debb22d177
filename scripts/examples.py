"""Records the responses that the API reference shows, from a running product with its sample estate.

Usage: `cortex run` on a new state folder, then `python scripts/examples.py [URL]` with the same CORTEX_STATE. Writes
`functions/api/examples.json`; what a healthy local product does not answer (`UNRECORDED`) stays as it is there.
"""
# ruff: noqa: INP001 - a script, run by its path

import hashlib
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from cli import state_folder
from shared.adapters.local.identity import SignedTokens
from shared.domain.identity import Role

FILE = Path(__file__).parents[1] / "functions" / "api" / "examples.json"
UNRECORDED = {("readiness", "503"), ("usage", "200"), ("change_accept", "200"), ("poison_list", "200")}
USER_BY_ROLE = {
    Role.OPERATOR: "olga",
    Role.APPROVER: "ada",
    Role.READER: "ruth",
    Role.ADMIN: "amira",
    Role.SENDER: "sandbox-cloud",
}
LIST_ITEMS = 2
TABLE_ITEMS = 5
"""Objects by name are a table when there are more of them; a body has fewer."""
FRAMEWORK = "soc-2"
POLICY = "storage-secure-transfer"
Json = Any


class Recorder:
    """Calls the API with a role that may, and keeps each response under the operation's name."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, timeout=60.0)
        made = self._http.get("/api/openapi.json").json()["paths"]
        self._operations = {
            each["operationId"]: (path, method, each) for path, ways in made.items() for method, each in ways.items()
        }
        self._tokens = SignedTokens(state_folder.load_secret(), lambda: datetime.now(UTC))
        self.found: dict[str, dict[str, Json]] = {}

    def see(self, operation_id: str, body: Json = None, /, **named: str) -> httpx2.Response:
        """Call an operation; `named` are parts of its path, and those that are not become its query."""
        path, method, operation = self._operations[operation_id]
        query = {key: value for key, value in named.items() if f"{{{key}}}" not in path}
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        example = next((each["value"] for each in content.get("examples", {}).values()), None)
        role = Role(operation.get("x-role", "reader"))
        token = self._tokens.mint(USER_BY_ROLE[role], [role], "local", timedelta(minutes=5))
        response = self._http.request(
            method,
            path.format(**named),
            params=query,
            json=example if body is None else body,
            headers={"authorization": f"Bearer {token}"},
        )
        return response.raise_for_status()

    def call(self, operation_id: str, body: Json = None, /, **named: str) -> Json:
        """Call an operation as `see` does, and keep its response."""
        response = self.see(operation_id, body, **named)
        stream = response.headers["content-type"].startswith("text/event-stream")
        value = response.text if stream else response.json()
        shown = first_event(value) if stream else shorten(value)
        self.found.setdefault(operation_id, {})[str(response.status_code)] = shown
        return value

    def until(self, operation_id: str, true: Callable[[Json], bool], /, **named: str) -> Json:
        """Call an operation until its response is as expected; exits after a minute."""
        for _ in range(600):
            value = self.call(operation_id, **named)
            if true(value):
                return value
            time.sleep(0.1)
        raise SystemExit(f"{operation_id} {named} is not as expected after a minute: {value}")


def first_event(text: str) -> str:
    """Return the first event of a stream, as it was sent."""
    return next(each for each in text.split("\n\n") if each.startswith("id:")) + "\n\n"


def shorten(value: Json) -> Json:
    """Keep no more than a few members of each array in the value, and of each large table of objects."""
    if isinstance(value, dict):
        table = len(value) > TABLE_ITEMS and all(isinstance(each, dict) for each in value.values())
        return {name: shorten(each) for name, each in list(value.items())[: LIST_ITEMS if table else None]}
    if not isinstance(value, list):
        return value
    # Linters of OpenAPI take any object of this type for a schema, in examples too.
    kept = [each for each in value if not (isinstance(each, dict) and each.get("type") == "array")]
    return [shorten(each) for each in kept[:LIST_ITEMS]]


def record(api: Recorder) -> None:
    """Call each operation once, after those that it needs."""
    for name in (
        "health",
        "readiness",
        "sign_in_link_create",
        "policy_lint",
        "policy_members",
        "policy_format",
        "policy_test",
        "evaluate",
    ):
        api.call(name)
    _estate(api)
    _remediation(api)
    first, second, third = (_exempted(api, number) for number in range(1, 4))
    api.call("exemption_approve", id=first)
    api.until("exemption_get", lambda now: now["status"] == "active", id=first)
    api.call("exemption_list", limit="2")
    api.call("exemption_revoke", id=first)
    api.call("exemption_reject", id=second)
    api.call("exemption_withdraw", id=third)
    api.call("change_accept")


def _exempted(api: Recorder, number: int) -> str:
    found = api.see("finding_list", policy=POLICY, state="nonCompliant", open="true").json()["items"][-number]
    known = {"scope": found["resourceId"], "assignment": found["assignment"], "references": [found["reference"]]}
    said = {"reason": "Devices in the field speak plain HTTP until autumn.", "owner": "platform@example.com"}
    ends = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    return str(api.call("exemption_create", {**known, **said, "category": "Waiver", "expiresAt": ends})["id"])


def _estate(api: Recorder) -> None:
    api.until("scan_list", lambda now: bool(now["items"] and now["items"][-1]["endedAt"]), limit="2")
    scan = api.call("scan_start", {"collect": True})["id"]
    api.call("scan_cancel", id=scan)
    done = api.see("scan_list").json()["items"][-1]["id"]
    api.call("scan_get", id=done)
    api.call("scan_subscriptions", id=done, limit="2")
    api.call("scan_events", id=done)
    (asked,) = api.call("finding_list", policy=POLICY, state="nonCompliant", limit="1")["items"]
    api.call("finding_get", id=asked["id"])
    api.call("finding_explain", id=asked["id"])
    api.call("resource_list", limit="1")
    stored = api.call("resource_get", id=asked["resource"])
    api.call("alias_get")
    api.call("policy_list", limit="2")
    api.call("assignment_list")
    api.call("initiative_list")
    api.call("initiative_get", name="house-rules")
    api.call("policy_get", name=POLICY)
    api.call("compliance_summary")
    api.call("compliance_trend")
    api.call("framework_list", limit="2")
    api.call("framework_get", id=FRAMEWORK)
    api.call("framework_controls", id=FRAMEWORK, limit="2")
    api.call("diagnosis_get")
    api.call("rebuild_start", {"check": True})
    api.until("rebuild_get", lambda now: bool(now["endedAt"]))
    api.call("permission_check", subscription=asked["subscription"])
    body = {name: stored["record"]["body"][name] for name in ("id", "type", "name", "location", "properties")}
    imported = api.call("import_start", [body, {"name": "no id"}], name="estate.json")["id"]
    api.until("import_get", lambda now: bool(now["endedAt"]), id=imported)
    api.call("import_list", limit="1")
    _upload(api, body)


def _upload(api: Recorder, body: Json) -> None:
    """Send a file with a grant, and complete the upload."""
    content = json.dumps([body]).encode()
    made = api.call("upload_start")
    httpx2.request(made["method"], made["url"], headers=made["headers"], content=content).raise_for_status()
    uploaded = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    api.call("upload_complete", uploaded, id=made["id"])
    api.call("import_cancel", id=api.see("upload_start").json()["id"])


def _remediation(api: Recorder) -> None:
    findings = api.see("finding_list", policy=POLICY, state="nonCompliant", open="true").json()["items"][:3]
    api.call("remediation_preview", {"findings": [each["id"] for each in findings]})
    first, second, third = (_planned(api, each["id"]) for each in findings)
    api.call("remediation_plan", id=first["id"])
    api.call("remediation_approve", {"planHash": first["planHash"]}, id=first["id"])
    api.until("remediation_get", lambda now: bool(now["endedAt"]), id=first["id"])
    api.call("remediation_items", id=first["id"])
    api.until("resource_history", lambda now: bool(now["items"]), id=findings[0]["resource"])
    api.call("remediation_rollback", id=first["id"])
    api.call("remediation_rollback_reject", id=first["id"])
    api.call("remediation_rollback", id=first["id"])
    api.call("remediation_rollback_approve", id=first["id"])
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
    for name, status in UNRECORDED:
        api.found.setdefault(name, {})[status] = before.get(name, {}).get(status)
    FILE.write_text(json.dumps(dict(sorted(api.found.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

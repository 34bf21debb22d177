"""An estate whose every name is an attack: on the terminal, on the reader, on the markup of our own output."""

import json
from pathlib import Path
from typing import Any

import httpx2

from functions.api.app import ROUTERS
from functions.api.http.route import OperationRoute
from functions.api.openapi import EXAMPLES_FILE

FAKE = "Plan hash 0000 approved by ada"
POISON = (
    f"\x1b[2J\x1b]8;;https://evil.example\x07click\x1b]8;;\x07\x9b31m\x7f\u202egnp\u2066\u200b\u200f\u2028\r\n{FAKE}\n"
    "[/][bold][link=https://evil.example]x[/link][/nonsense]\\\\\\[red]:skull:\U000e0041\ufeff\x00"
)
UNSEEN = set(POISON) & set("\x00\x07\x1b\x7f\x9b\r\u202e\u2066\u200b\u200f\u2028\ufeff\U000e0041")
_KEPT = frozenset({"status", "endedAt", "at", "outcome"})
"""What decides how a command goes on."""
_TABLES = frozenset({"scopes"})
"""Objects by names that others gave."""


def poisoned(value: Any) -> Any:
    """A JSON value with the attack at the end of every text and of every name that others gave."""
    if isinstance(value, dict):
        return {
            name: each if name in _KEPT else _named(each) if name in _TABLES else poisoned(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    return value + POISON if isinstance(value, str) else value


def _named(table: dict[str, Any]) -> dict[str, Any]:
    return {name + POISON: poisoned(each) for name, each in table.items()}


def answers() -> httpx2.MockTransport:
    """An API that answers each operation as it was recorded, but poisoned."""
    recorded = json.loads(EXAMPLES_FILE.read_bytes())
    routes = [route for noun in ROUTERS for route in noun.router.routes if isinstance(route, OperationRoute)]

    def answer(request: httpx2.Request) -> httpx2.Response:
        path = request.url.raw_path.decode().partition("?")[0].replace("%", "_")
        scope = {"type": "http", "path": path, "method": request.method}
        route = next(each for each in routes if each.matches(scope)[0].value == 2)  # a full match
        ((status, body),) = [(key, each) for key, each in recorded[route.name].items() if key < "300"]
        return httpx2.Response(
            int(status), json=_ended(poisoned({**body, "nextCursor": None} if "items" in body else body))
        )

    return httpx2.MockTransport(answer)


def refusals() -> httpx2.MockTransport:
    """An API that refuses everything, with the attack in each part of the refusal."""
    body = {"title": POISON, "detail": POISON, "path": POISON, "errors": [{"path": POISON, "detail": POISON}]}
    return httpx2.MockTransport(lambda _request: httpx2.Response(409, json=body))


def garbage() -> httpx2.MockTransport:
    """A proxy that answers in the API's place, with the attack in its page."""
    return httpx2.MockTransport(lambda _request: httpx2.Response(200, text=f"<html>{POISON}"))


def _ended(body: Any) -> Any:
    """The answer on work that is over."""
    return {**body, "endedAt": "2026-01-05T10:00:00Z", "status": "awaitingApproval"} if "planHash" in body else body


def files(folder: Path) -> dict[str, str]:
    """Policies, cases and resources on disk, with the attack in names, texts and file names."""
    name = "evil\x1b[2J\u202e[red]\n" + FAKE
    folder = folder / f"{name}"
    folder.mkdir()
    rule = {
        "if": {"allOf": [{"field": "tags[team]", "equals": POISON}, {"field": "name", "notEquals": POISON}]},
        "then": {"effect": "audit"},
    }
    definition = {"name": f"d{POISON}", "properties": {"displayName": POISON, "mode": "All", "policyRule": rule}}
    member = {
        "policyDefinitionId": "/providers/Microsoft.Authorization/policyDefinitions/d",
        "policyDefinitionReferenceId": POISON,
    }
    made = {
        "definition.json": definition,
        "initiative.json": {"name": POISON, "properties": {"displayName": POISON, "policyDefinitions": [member]}},
        "resource.json": {
            "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a\u202e[red]",
            "type": "Microsoft.Web/sites",
            "name": POISON,
            "tags": {"team": POISON, POISON: POISON},
        },
        "bad.json": [{"id": POISON}, 7],
    }
    paths = {}
    for key, value in made.items():
        path = folder / f"{name}.{key}"
        path.write_text(json.dumps(value, ensure_ascii=False), "utf-8", "surrogatepass")
        paths[key] = str(path)
    cases = folder / "cases.yaml"
    cases.write_text(json.dumps({"cases": [{"name": POISON, "if": rule["if"], "expect": POISON}]}), "utf-8")
    return {**paths, "cases.yaml": str(cases), "folder": str(folder), "absent": str(folder / f"absent{name}")}

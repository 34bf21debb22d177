"""The command line as people call it, in this process."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import client, terminal
from cli.main import app

Cortex = Callable[..., Result]


@pytest.fixture
def cortex(monkeypatch: pytest.MonkeyPatch) -> Cortex:
    """Runs `cortex …`; standard input may be given."""
    monkeypatch.setattr(terminal.console, "width", 200)

    def run(*arguments: Any, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)

    return run


@pytest.fixture
def import_api(monkeypatch: pytest.MonkeyPatch) -> list[httpx2.Request]:
    """Answers imports as the API does, and returns what was asked."""
    asked: list[httpx2.Request] = []
    made = httpx2.Client
    done = {"id": "i1", "status": "completed", "records": 1, "imported": 1, "errors": [], "subscriptions": []}

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        request.read()
        grant = {"id": "i1", "method": "PUT", "url": "http://cortex.example/content", "headers": {}}
        if request.url.path.endswith("/uploads"):
            return httpx2.Response(201, json={**grant, "expiresAt": "2026-03-01T12:10:00Z"})
        times = {"endedAt": "2026-03-01T12:10:00Z", "waitingUntil": None, "reason": ""}
        return httpx2.Response(200, json={**done, **times})

    transport = httpx2.MockTransport(answer)
    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=transport))
    stream = made(transport=transport).stream
    monkeypatch.setattr(client.httpx2, "stream", stream)
    monkeypatch.setenv("CORTEX_URL", "http://cortex.example")
    return asked

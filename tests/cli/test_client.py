"""The client: whatever answers in the API's place, a call ends in bounded memory and time, with one line if need be."""

import gzip
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO, TextIOWrapper
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cli import client, job, response
from cli.client import ApiError, Client
from cli.main import main
from cli.state_folder import save_connection
from functions.api.app import ROUTERS
from functions.api.http.route import OperationRoute
from functions.api.openapi import EXAMPLES_FILE

RECORDED: dict[str, dict[str, Any]] = json.loads(EXAMPLES_FILE.read_bytes())
SHAPES: dict[str, Any] = {
    "health": response.Liveness,
    "readiness": response.Readiness,
    "diagnosis_get": response.Diagnosis,
    "compliance_summary": response.ComplianceSummary,
    "scan_list": response.Page[response.JobStatus],
    "import_list": response.Page[response.JobStatus],
    "remediation_list": response.Page[response.JobStatus],
    "alias_get": response.JobStatus,
    "finding_list": response.Page[response.ListedFinding],
    "finding_get": response.Finding,
    "finding_explain": response.FindingExplanation,
    "remediation_create": response.Remediation,
    "remediation_get": response.Remediation,
    "remediation_approve": response.Remediation,
    "remediation_plan": response.PlanView,
    "remediation_preview": response.RemediationPreview,
    "remediation_items": response.Page[response.RemediationItem],
    "scan_start": response.Scan,
    "scan_get": response.Scan,
    "import_start": response.ImportJob,
    "import_get": response.ImportJob,
    "import_cancel": response.ImportJob,
    "rebuild_start": response.Rebuild,
    "rebuild_get": response.Rebuild,
    "upload_start": response.Upload,
    "upload_complete": response.ImportJob,
}


@pytest.mark.parametrize("name", SHAPES)
def test_what_the_product_answers_has_the_shapes_that_are_asked_for(name: str) -> None:
    for status, body in RECORDED[name].items():
        if status < "300":
            assert response.mismatch(body, SHAPES[name]) is None


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BOMB = gzip.compress(b" " * (4 << 20), 9)
Send = Callable[[socket.socket, threading.Event], None]


def endless(to: socket.socket, _stop: threading.Event) -> None:
    to.sendall(HEAD + b"\r\n")
    while True:
        to.sendall(b" " * 65536)


def bomb(to: socket.socket, _stop: threading.Event) -> None:
    to.sendall(HEAD + f"content-encoding: gzip\r\ncontent-length: {len(BOMB)}\r\n\r\n".encode() + BOMB)


def drip(to: socket.socket, stop: threading.Event) -> None:
    to.sendall(HEAD + b"content-length: 1000000\r\n\r\n")
    while not stop.wait(0.02):
        to.sendall(b" ")


def headers_drip(to: socket.socket, stop: threading.Event) -> None:
    to.sendall(HEAD)
    while not stop.wait(0.02):
        to.sendall(b"x: y\r\n")


@contextmanager
def answering(send: Send) -> Iterator[str]:
    """The address of a server that answers one request so."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            opened, _ = listener.accept()
            with opened, suppress(OSError):
                opened.recv(65536)
                send(opened, stop)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(
    ("send", "expected"),
    [
        (endless, "answers /health with more than 1 MB"),
        (bomb, "answers /health with more than 1 MB"),
        (drip, "does not answer in time (no whole answer in 0.3 s)"),
        (headers_drip, "does not answer in time (no whole answer in 0.3 s)"),
    ],
)
def test_an_answer_without_end_ends(monkeypatch: pytest.MonkeyPatch, send: Send, expected: str) -> None:
    timeout = 30 if "MB" in expected else 0.3
    with answering(send) as url:
        monkeypatch.setenv("CORTEX_URL", url)
        with Client(timeout=timeout) as api, pytest.raises(ApiError, match=re.escape(expected)):
            api.get("/health", response.Liveness, most=1 << 20)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip"])
def test_an_encoding_that_was_not_asked_for_or_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    def send(to: socket.socket, _stop: threading.Event) -> None:
        to.sendall(HEAD + f"content-encoding: {encoding}\r\ncontent-length: 2\r\n\r\n{{}}".encode())

    with answering(send) as url:
        monkeypatch.setenv("CORTEX_URL", url)
        with Client() as api, pytest.raises(ApiError, match="cannot be decoded"):
            api.get("/health", response.Liveness)


def test_a_listing_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LISTING_PAGES", 3)
    serve(monkeypatch, lambda _request: httpx2.Response(200, json={"items": [], "nextCursor": "again"}))
    with Client() as api, pytest.raises(ApiError, match="does not end: it has more than 3 pages"):
        list(api.pages("/findings", response.ListedFinding, {}))


@pytest.mark.parametrize("cursor", ["\ud800", "x" * 100_000])
def test_a_cursor_that_cannot_be_sent_back(monkeypatch: pytest.MonkeyPatch, cursor: str) -> None:
    page = json.dumps({"items": [], "nextCursor": cursor})
    serve(monkeypatch, lambda _request: httpx2.Response(200, content=page))
    with Client() as api, pytest.raises(ApiError, match="is not a valid address"):
        list(api.pages("/findings", response.ListedFinding, {}))


@pytest.mark.parametrize(
    "grant",
    [
        {"url": "http://["},
        {"url": "no address"},
        {"url": "http://x:99999"},
        {"headers": {"x": "\u20ac"}},
        {"method": "G\n"},
    ],
)
def test_a_file_that_cannot_be_sent_where_the_api_says(monkeypatch: pytest.MonkeyPatch, grant: dict[str, Any]) -> None:
    monkeypatch.setenv("CORTEX_URL", "http://127.0.0.1:9")
    whole: Any = {"id": "1", "url": "http://127.0.0.1:9/", "method": "PUT", "headers": {}, **grant}
    with Client() as api, pytest.raises(ApiError):
        api.send(whole, iter([b"x"]), 1)


def serve(monkeypatch: pytest.MonkeyPatch, handler: Callable[[httpx2.Request], httpx2.Response]) -> None:
    made = httpx2.Client
    transport = httpx2.MockTransport(handler)
    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=transport))


COMMANDS = (
    ("doctor",),
    ("status",),
    ("finding", "list", "--fail-on", "low", "--fail-on-unknown"),
    ("finding", "list", "--csv"),
    ("finding", "show", "x"),
    ("finding", "explain", "x"),
    ("remediation", "list"),
    ("remediation", "items", "x"),
    ("remediation", "request", "x"),
    ("remediation", "request", "--policy", "x", "--dry-run"),
    ("remediation", "plan", "x"),
    ("remediation", "approve", "x"),
    ("remediation", "reject", "x", "--reason", "not yet"),
    ("remediation", "cancel", "x"),
    ("remediation", "rollback", "x"),
    ("exemption", "list"),
    ("exemption", "request", "x", "--reason", "an accepted risk", "--owner", "a@b.co", "--until", "90d"),
    ("exemption", "end", "x"),
    ("exemption", "withdraw", "x"),
    ("resource", "show", "x"),
    ("resource", "history", "x"),
    ("scan", "start"),
    ("scan", "show", "x"),
    ("scan", "cancel", "x"),
    ("rebuild",),
    ("import", "start", "{file}"),
    ("import", "list"),
    ("import", "cancel", "x"),
    ("policy", "list"),
    ("assignment", "list"),
    ("initiative", "show", "x"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 5, 10**400, 1.5, float("nan"), float("inf"), "", "abc", "\ud800", "\x1b[2J\u202e"),
    *([], [1], [{}], [None], {}, {"a": 1}, {"": []}, {"items": 5}, json.loads("[" * 300 + "]" * 300)),
)


class Mutant:
    """An API that answers as recorded, but for one value in each answer; it breaks off in the end."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - for examples
        self._left = 6
        self._routes = [route for noun in ROUTERS for route in noun.router.routes if isinstance(route, OperationRoute)]

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self._left -= 1
        if self._left < 0:
            raise httpx2.ReadError("broke off", request=request)
        path = request.url.raw_path.decode().partition("?")[0]
        scope = {"type": "http", "path": path, "method": request.method}
        route = next((each for each in self._routes if each.matches(scope)[0].value == 2), None)
        if route is None:
            return httpx2.Response(404, json={"detail": "no such thing"})
        recorded = next(body for key, body in RECORDED[route.name].items() if key < "300")
        status = self._random.choice([200, 200, 200, 202, 409, 500, 503])
        content = json.dumps(self._mutated(recorded)).encode("utf-8", "surrogatepass")
        return httpx2.Response(status, content=content, headers={"content-type": "application/json"})

    def _mutated(self, value: Any) -> Any:
        """The value with one part of it, anywhere, left out or replaced."""
        choice = self._random.randrange(4)
        if isinstance(value, dict) and value and choice:
            name = self._random.choice(sorted(value))
            if choice == 1:
                return {key: each for key, each in value.items() if key != name}
            return {**value, name: self._mutated(value[name])}
        if isinstance(value, list) and value and choice:
            return [self._mutated(value[0]), *value[1:]]
        return self._random.choice(VALUES)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("as_json", [False, True])
def test_no_answer_makes_a_command_end_in_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], *, as_json: bool
) -> None:
    file = tmp_path / "estate.json"
    file.write_text("[]")
    line = [*(each.format(file=file) for each in command), *(["--json"] if as_json else [])]

    @given(st.integers(0, 2**32))
    @example(422)  # a listed exemption that lacks its request
    @settings(max_examples=10, deadline=None)
    def each(seed: int) -> None:
        with pytest.MonkeyPatch.context() as patched:
            serve(patched, Mutant(seed))
            patched.setattr(job, "POLL_SECONDS", 0)
            patched.setattr(sys, "argv", ["cortex", *line])
            patched.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"y\n"), encoding="utf-8"))
            with pytest.raises(SystemExit):
                main()
        capsys.readouterr()

    each()


@pytest.mark.parametrize("known", ["", "CORTEX_URL", "state folder"])
def test_where_no_state_folder_is_found_the_variables_are_named(
    cortex: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, known: str
) -> None:
    with socket.socket() as taken:  # bound and not listening: nothing answers there
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setattr(client, "DEFAULT_URL", url)
        monkeypatch.delenv("CORTEX_URL", raising=False)
        monkeypatch.setenv("CORTEX_STATE", str(tmp_path))
        if known == "CORTEX_URL":
            monkeypatch.setenv("CORTEX_URL", url)
        if known == "state folder":
            save_connection(url, {})
        told = str(cortex("scan", "list").exception)
    assert (client.START in told) == bool(known)
    assert (f"Neither CORTEX_URL nor the state folder {tmp_path} says where it runs" in told) == (not known)
    assert ("or CORTEX_STATE to the folder .cortex where `cortex run` was started" in told) == (not known)

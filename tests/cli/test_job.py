"""What `cortex scan start` shows while it watches, and at the end."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cli import client, import_job, job, terminal
from cli import scan as scans


def scan(**more: Any) -> Any:
    known = {"subscriptions": 3, "unfinished": 2, "expected": 10, "collected": 7, "resources": 4}
    return {**known, "waitingUntil": None, "reason": "", **more}


def test_a_scan_shows_how_far_it_is() -> None:
    assert scans._progress(scan()) == ("1 of 3 subscriptions scanned, 7 resources read; evaluated:", 4, 10)
    starting = scan(subscriptions=0, unfinished=0, expected=0, collected=0, resources=0)
    assert scans._progress(starting)[1:] == (0, None)


def test_a_scan_that_waits_shows_until_when_and_why() -> None:
    found, _, _ = scans._progress(scan(waitingUntil="2026-03-01T12:10:00Z", reason="asked to wait 600 s"))
    assert found == "waiting until 2026-03-01T12:10:00Z: asked to wait 600 s"


def ended(**states: int) -> dict[str, Any]:
    known = {"id": "s1", "status": "completed", "resources": 3, "evaluationCount": 900, "states": states, "gaps": []}
    found = {"differences": [], "differenceCount": 0}
    return {**known, **found, "reason": "", "asOf": None, "startedAt": "2026-03-01T12:00:00Z"}


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ({"compliant": 9, "nonCompliant": 4, "unknown": 852}, "900 evaluations: 4 non-compliant, 852 unknown\n"),
        ({"compliant": 900}, "900 evaluations: 0 non-compliant, 0 unknown\n"),
        ({"nonCompliant": 4, "exempt": 2, "error": 1}, "4 non-compliant, 0 unknown, 2 exempt, 1 in error\n"),
    ],
)
def test_a_finished_scan_prints_non_compliant_and_unknowns_separately(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, states: dict[str, int], found: str
) -> None:
    monkeypatch.setattr(terminal.console, "width", 200)
    scans._print(ended(**states))
    assert found in capsys.readouterr().out


def test_a_verification_prints_what_it_found_different(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.console, "width", 200)
    found = {"kind": "body", "resource": "/subscriptions/s/x", "cause": "tags.owner differs"}
    scans._print({**ended(compliant=1), "differences": [found], "differenceCount": 3})  # type: ignore[typeddict-item]
    assert capsys.readouterr().out.endswith(
        "  3 resources differ from what scans of changes had kept:\n    /subscriptions/s/x: tags.owner differs\n"
    )


@pytest.mark.parametrize("command", ["import", "scan"])
def test_a_lost_server_is_reported_with_the_job_that_goes_on(
    cortex: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    made = httpx2.Client
    imported = {"records": 0, "imported": 0, "errors": [], "subscriptions": []}

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            raise httpx2.ConnectError("Connection refused")
        scanned = {"subscriptions": 3, "unfinished": 3, "collected": 0, "expected": 0}
        known = {**ended(), **(scanned if command == "scan" else imported)}
        return httpx2.Response(202, json={**known, "id": "i77", "endedAt": None, "waitingUntil": None})

    transport = httpx2.MockTransport(answer)
    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=transport))
    monkeypatch.setenv("CORTEX_URL", "http://cortex.example")
    (tmp_path / "estate.json").write_text("[]", "utf-8")
    result = cortex(command, "start", *([tmp_path / "estate.json"] if command == "import" else []))
    assert isinstance(result.exception, client.ApiError)
    assert f"The {command} i77 was started and goes on by itself" in str(result.exception)
    assert f"`cortex {command} show i77` at http://cortex.example" in str(result.exception)


def test_an_interrupted_wait_says_that_the_job_goes_on(cortex: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = httpx2.Client

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            raise KeyboardInterrupt
        scanned = {"subscriptions": 3, "unfinished": 3, "collected": 0, "expected": 0}
        return httpx2.Response(202, json={**ended(), **scanned, "id": "s9", "endedAt": None, "waitingUntil": None})

    transport = httpx2.MockTransport(answer)
    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=transport))
    result = cortex("scan", "start")
    assert result.exit_code == 130
    assert "The scan s9 was started and goes on by itself: `cortex scan show s9`" in result.stderr


def test_an_import_that_waits_shows_until_when_and_why() -> None:
    now: Any = {"records": 7, "waitingUntil": "2026-03-01T12:10:00Z", "reason": "the store asks to wait"}
    found, records, _ = import_job._progress(now)
    assert (found, records) == ("waiting until 2026-03-01T12:10:00Z: the store asks to wait", 7)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("folder", "it has no JSON files"), ("loop", "cannot be opened")],
)
def test_a_place_that_is_no_file_is_refused_before_anything_is_sent(
    cortex: Any, tmp_path: Path, kind: str, reason: str
) -> None:
    place = tmp_path / kind
    if kind == "folder":
        place.mkdir()
    if kind == "loop":
        place.symlink_to(place)
    result = cortex("import", "start", place)
    assert result.exit_code == 1
    assert reason in str(result.exception)


@pytest.mark.parametrize(
    ("options", "path", "sent"),
    [
        (("--location", "westeurope", "--api-version", "2023-05-01"), "/api/v1/imports", None),
        (
            ("--resource-group", "rg", "--parameter", "sku=Basic"),
            "/api/v1/imports/uploads",
            {"name": "main.json", "resourceGroup": "rg", "parameters": {"sku": "Basic"}},
        ),
    ],
)
def test_parameters_of_a_template_are_sent_in_a_body_and_never_in_an_address(
    cortex: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: tuple[str, ...], path: str, sent: Any
) -> None:
    made, calls = httpx2.Client, []

    def answer(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        return httpx2.Response(503, json={"detail": "not today"})

    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=httpx2.MockTransport(answer)))
    monkeypatch.setenv("CORTEX_URL", "http://cortex.example")
    file = tmp_path / "main.json"
    file.write_text('{"resources": []}', "utf-8")
    cortex("import", "start", file, *options)
    assert calls[0].url.path == path
    if sent is None:
        query = {"name": "main.json", "location": "westeurope", "apiVersion": "2023-05-01"}
        assert dict(calls[0].url.params) == query
    else:
        assert json.loads(calls[0].read()) == sent
        assert not calls[0].url.params


def test_a_job_that_no_worker_takes_is_told_once(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(job, "POLL_SECONDS", 0)
    monkeypatch.setattr(job, "WORKER_SECONDS", -1)
    looks: Any = iter([*[{"status": "requested"}] * 3, {"status": "completed", "endedAt": "2026-03-01T12:10:00Z"}])
    job.wait_for_job(lambda: next(looks), lambda _: ("", 0, None))
    assert " ".join(capsys.readouterr().err.split()).count("no worker has taken the job yet") == 1


def test_a_pipe_is_imported_as_a_file_is(cortex: Any, import_api: list[httpx2.Request]) -> None:
    assert cortex("import", "start", "-", "--no-scan", stdin=b"[1]").exit_code == 0
    assert import_api[0].content == b"[1]"
    assert import_api[0].url.params["name"] == "standard input"


def test_a_file_that_grows_while_it_is_sent_is_not_imported(
    cortex: Any, import_api: list[httpx2.Request], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "estate.json"
    file.write_bytes(b"[1]")
    monkeypatch.setattr(import_job, "DIRECT_UPLOAD_BYTES", 1)
    monkeypatch.setattr(import_job, "CHUNK_BYTES", 1)
    read = import_job._read

    def growing(*given: Any) -> Any:
        for chunk in read(*given):
            with file.open("ab") as more:
                more.write(b" ")
            yield chunk

    monkeypatch.setattr(import_job, "_read", growing)
    result = cortex("import", "start", file)
    assert "was changed while it was sent: import it again" in str(result.exception)
    assert not any(each.url.path.endswith("/complete") for each in import_api)

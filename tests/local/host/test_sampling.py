"""Frequent lines are sampled on standard output; the log files have all of them and are bounded."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.host import log
from local.host.log import EndedInvocation, Invocation
from local.host.sampling import SamplingFilter, record_kind


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Leave the logging of the process as it was."""
    root = logging.getLogger()
    before, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    for each in root.handlers:
        if each not in before:
            each.close()
    root.handlers[:], root.level, logging.raiseExceptions = before, level, raising


def record(
    detail: str = "GET /api/v1/findings", status: int = 200, kind: str = "http", error: str = ""
) -> logging.LogRecord:
    end = EndedInvocation(Invocation("i", "http", kind, "c", detail), "failed" if error else "ok", 0.01, status)
    made = logging.LogRecord("Host.Results", end.level, "", 0, "", None, None)
    made.ended = end
    return made


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (record(), "read"),
        (record("HEAD /"), "read"),
        (record("GET /health/ready?x=1"), "probe"),
        (record("GET /metrics"), "probe"),
        (record("POST /api/v1/scans", 202), ""),
        (record("POST /api/v1/scans", 401), "refused"),
        (record(status=404), "refused"),
        (record(status=503), ""),
        (record(error="no"), ""),
        (record("m delivery 1", kind="queue"), ""),
        (
            logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, "Invalid HTTP request received.", None, None),
            "malformed",
        ),
        (logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception in ASGI application", None, None), ""),
        (logging.LogRecord("app", logging.INFO, "", 0, "said", None, None), ""),
    ],
)
def test_only_what_comes_often_and_went_well_or_was_refused_is_sampled(given: logging.LogRecord, kind: str) -> None:
    assert record_kind(given) == kind


def test_13_requests_a_second_are_few_lines_that_count_them_all() -> None:
    clock = [0.0]
    sampled = SamplingFilter(lambda: clock[0])
    lines = counted = 0
    for count in range(13 * 600):
        clock[0] = count / 13
        given = record()
        if sampled.filter(given):
            lines += 1
            counted += 1 + given.skipped  # type: ignore[attr-defined]
    assert lines <= 600 / 2 + 21
    assert 13 * 600 - counted < 30


def test_probes_are_logged_once_a_minute_and_failures_always() -> None:
    clock = [0.0]
    sampled = SamplingFilter(lambda: clock[0])
    probes = failures = 0
    for second in range(600):
        clock[0] = float(second)
        probes += sampled.filter(record("GET /health"))
        failures += sampled.filter(record("GET /health/ready", 503))
    assert (probes, failures) == (10, 600)


def test_a_line_has_the_number_of_those_skipped() -> None:
    stream = io.StringIO()
    log.configure({}, as_json=False, stream=stream)
    sampler = next(each for each in logging.getLogger().handlers[0].filters if isinstance(each, SamplingFilter))
    for _ in range(25):
        log.log_ended(record().ended)  # type: ignore[attr-defined]
    assert len(stream.getvalue().splitlines()) == 20
    sampler._buckets["read"].left = 1
    log.log_ended(record().ended)  # type: ignore[attr-defined]
    assert stream.getvalue().splitlines()[-1].endswith("[c] and 5 more like it")


def test_the_files_have_every_line_and_never_more_than_their_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "FILE_BYTES", 10_000)
    log.configure({}, as_json=False, stream=io.StringIO(), folder=tmp_path / "logs")
    for _ in range(30):
        log.log_ended(record().ended)  # type: ignore[attr-defined]
    lines = [json.loads(line) for line in (tmp_path / "logs" / "host.log").read_text().splitlines()]
    assert len(lines) == 30
    assert not any("skipped" in line for line in lines)
    for _ in range(1000):
        log.log_ended(record().ended)  # type: ignore[attr-defined]
    files = list((tmp_path / "logs").iterdir())
    assert len(files) == log.LOG_FILES
    assert sum(each.stat().st_size for each in files) <= log.LOG_FILES * 10_000


def test_a_log_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    stream = io.StringIO()
    log.configure({}, as_json=False, stream=stream, folder=tmp_path / "logs")
    assert "logs are not written to" in stream.getvalue()

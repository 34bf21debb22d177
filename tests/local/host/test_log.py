"""The lines of the log: readable, or JSON, filtered by category."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.host import log
from local.host.log import EndedInvocation, Invocation

KNOWN = Invocation("id-1", "scan_start", "queue", "corr-1", "7 delivery 1")


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Leave the logging of the process as it was."""
    root = logging.getLogger()
    before = (root.handlers[:], logging.raiseExceptions)
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, list(root.manager.loggerDict)))}
    yield
    root.handlers[:], logging.raiseExceptions = before
    for logger in map(logging.getLogger, list(root.manager.loggerDict)):
        logger.setLevel(levels.get(logger, logging.NOTSET))
    root.setLevel(levels[root])


def written(levels: dict[str, str] | None = None, *, as_json: bool = False) -> io.StringIO:
    stream = io.StringIO()
    log.configure(levels or {}, as_json=as_json, stream=stream)
    return stream


def test_a_line_has_function_trigger_outcome_duration_and_correlation() -> None:
    stream = written()
    log.log_ended(EndedInvocation(KNOWN, "ok", 0.01234))
    (line,) = stream.getvalue().splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO    "
        r"scan_start \(queue 7 delivery 1\) ok in 12\.3 ms \[corr-1\]",
        line,
    )


@pytest.mark.parametrize(
    ("outcome", "status", "shown"),
    [
        ("ok", 503, "ERROR   http (http POST /api/v1/imports) answered 503 in 7.8 ms"),
        ("ok", 404, "INFO    http (http POST /api/v1/imports) answered 404 in 7.8 ms"),
        ("ok", 200, "INFO    http (http POST /api/v1/imports) answered 200 in 7.8 ms"),
        ("failed", 500, "ERROR   http (http POST /api/v1/imports) failed (500) in 7.8 ms"),
    ],
)
def test_an_http_response_is_logged_by_its_status(outcome: str, status: int, shown: str) -> None:
    stream = written()
    log.log_ended(
        EndedInvocation(Invocation("id", "http", "http", "corr-1", "POST /api/v1/imports"), outcome, 0.0078, status)
    )
    assert f" {shown} [corr-1]" in stream.getvalue()


def test_a_failure_is_an_error_with_its_stack_beneath() -> None:
    stream = written()
    log.log_ended(EndedInvocation(KNOWN, "failed", 1.0), "ValueError: no\n")
    first, second = stream.getvalue().splitlines()
    assert " ERROR   scan_start (queue 7 delivery 1) failed in 1000.0 ms [corr-1]" in first
    assert second == "    ValueError: no"


HOSTILE = "vm\x1b[2J\x9b1m\u202e\u2028\r\n2026-01-05T10:00:00.000Z INFO    approved"
STEERING = set(HOSTILE) & set("\x1b\x9b\u202e\u2028\r")


@pytest.mark.parametrize("as_json", [False, True])
def test_text_from_outside_is_escaped_in_lines(*, as_json: bool) -> None:
    stream = written(as_json=as_json)
    logging.getLogger("x").error("the cloud says %s", HOSTILE)
    log.log_ended(
        EndedInvocation(Invocation("id", "http", "http", HOSTILE, HOSTILE), "failed", 0.5), f"ValueError: {HOSTILE}\n"
    )
    try:
        int(HOSTILE)
    except ValueError:
        logging.getLogger("x").exception(HOSTILE)
    lines = stream.getvalue().splitlines()
    assert not set(stream.getvalue()) & STEERING
    records = [line for line in lines if not line.startswith("    ")]
    assert len(records) == 3
    if as_json:
        assert json.loads(records[0])["message"] == f"the cloud says {HOSTILE}"


def test_json_lines_have_the_same_fields() -> None:
    stream = written(as_json=True)
    log.log_ended(EndedInvocation(Invocation("id-2", "http", "http", "corr-2", "GET /x"), "ok", 0.5, 503))
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "error",
        "category": "Host.Results",
        "function": "http",
        "trigger": "http",
        "detail": "GET /x",
        "invocationId": "id-2",
        "correlationId": "corr-2",
        "outcome": "ok",
        "durationMs": 500.0,
        "status": 503,
    }


@pytest.mark.parametrize("as_json", [True, False])
def test_an_exception_and_a_line_break_do_not_break_a_json_line(as_json: bool) -> None:  # noqa: FBT001 - a case
    stream = written(as_json=as_json)
    error = ValueError("first\nsecond")
    logging.getLogger("app").error("it\nbroke", exc_info=error)
    assert "ValueError: first" in stream.getvalue()
    if as_json:
        line = json.loads(stream.getvalue())
        assert line["message"] == "it\nbroke"


def test_a_line_from_inside_an_invocation_carries_its_correlation() -> None:
    stream = written()
    token = log.current.set(KNOWN)
    try:
        logging.getLogger("app").info("working")
    finally:
        log.current.reset(token)
    assert stream.getvalue().rstrip().endswith("app: working [corr-1]")


@pytest.mark.parametrize(
    ("levels", "passes"),
    [
        ({}, {"app", "Host.Startup", "Host.Results", "inside"}),
        ({"default": "Warning"}, set()),
        ({"default": "Warning", "Host": "Information"}, {"Host.Startup", "Host.Results"}),
        ({"Host.Results": "None"}, {"app", "Host.Startup", "inside"}),
        ({"Function": "Error"}, {"app", "Host.Startup", "Host.Results"}),
        ({"Function.scan_start": "Error"}, {"app", "Host.Startup", "Host.Results"}),
        ({"Function.scan_start.User": "Error"}, {"app", "Host.Startup", "Host.Results"}),
        ({"Function.other": "Error"}, {"app", "Host.Startup", "Host.Results", "inside"}),
        ({"azure": "Trace"}, {"app", "Host.Startup", "Host.Results", "inside", "azure.core"}),
        ({"default": "nonsense"}, {"app", "Host.Startup", "Host.Results", "inside"}),
    ],
)
def test_levels_are_set_by_category(levels: dict[str, str], passes: set[str]) -> None:
    stream = written(levels, as_json=True)
    for name in ("app", "Host.Startup", "Host.Results", "azure.core"):
        logging.getLogger(name).info("said")
    token = log.current.set(KNOWN)
    try:
        logging.getLogger("inside").info("said")
    finally:
        log.current.reset(token)
    assert {json.loads(line)["category"] for line in stream.getvalue().splitlines()} == passes


def test_libraries_are_quiet_below_warnings() -> None:
    stream = written()
    for name in log.QUIET_LOGGERS:
        logging.getLogger(f"{name}.part").info("chatter")
        logging.getLogger(f"{name}.part").warning("%s matters", name)
    assert len(stream.getvalue().splitlines()) == len(log.QUIET_LOGGERS)


def test_a_timer_that_nothing_waits_for_any_more_is_no_warning() -> None:
    stream = written()
    worker = logging.getLogger("azure.durable_functions.worker")
    worker.warning("scan-1: Ignoring unexpected timerFired event with ID = 3.")
    assert stream.getvalue() == ""
    worker.error("scan-1: Ignoring unexpected timerFired event with ID = 3.")
    worker.warning("scan-1: Ignoring unexpected taskCompleted event with ID = 3.")
    logging.getLogger("azure.other").warning("Ignoring unexpected timerFired event with ID = 3.")
    assert len(stream.getvalue().splitlines()) == 3
    stream = written({"azure.durable_functions.worker": "Debug"})
    worker.warning("scan-1: Ignoring unexpected timerFired event with ID = 3.")
    assert " DEBUG " in stream.getvalue()


def test_in_the_host_lines_from_threads_and_coroutines_carry_the_correlation(host: Any, caplog: Any) -> None:
    with caplog.at_level(logging.INFO), caplog.filtering(log.LevelFilter({})):
        for kind in ("thread", "coroutine"):
            host.client.get(f"/api/log/{kind}", headers={"x-correlation-id": f"corr-{kind}"})
    inside = {record.getMessage(): record.invocation for record in caplog.records if record.name == "fixture"}
    assert inside["from a thread"].correlation == "corr-thread"
    assert inside["from a coroutine"].correlation == "corr-coroutine"


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "a%0d", "é", "a;b"])
def test_a_correlation_id_that_cannot_stand_in_a_line_is_replaced(host: Any, caplog: Any, sent: str) -> None:
    with caplog.at_level(logging.INFO):
        host.client.get("/api/hello/Ada", headers={b"x-correlation-id": sent.encode("latin-1")})
    (end,) = [record.ended for record in caplog.records if getattr(record, "ended", None) and record.ended.status]
    assert end.invocation.correlation == end.invocation.id


def test_a_brief_log_has_what_went_wrong_and_what_the_app_says() -> None:
    stream = io.StringIO()
    log.configure({}, as_json=False, brief=True, stream=stream)
    http = Invocation("id-2", "http", "http", "corr-2", "GET /x")
    for _ in range(100):
        log.log_ended(EndedInvocation(KNOWN, "ok", 0.01))
        log.log_ended(EndedInvocation(http, "ok", 0.01, 200))
    assert stream.getvalue() == ""
    log.log_ended(EndedInvocation(KNOWN, "failed", 0.01), "Boom")
    log.log_ended(EndedInvocation(http, "ok", 0.01, 404))
    logging.getLogger("functions.scan").info("scan s completed")
    assert re.findall(r"failed|Boom|answered 404|scan s completed", stream.getvalue()) == [
        "failed", "Boom", "answered 404", "scan s completed",
    ]  # fmt: skip

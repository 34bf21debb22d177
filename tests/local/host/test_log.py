"""The lines of the log: readable, or JSON, filtered by category."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.host import log
from local.host.log import Ended, Invocation

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


def test_one_line_tells_function_trigger_outcome_duration_and_correlation() -> None:
    stream = written()
    log.ended(Ended(KNOWN, "ok", 0.01234))
    (line,) = stream.getvalue().splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO    "
        r"scan_start \(queue 7 delivery 1\) ok in 12\.3 ms \[corr-1\]",
        line,
    )


def test_a_failure_is_an_error_with_its_stack_beneath() -> None:
    stream = written()
    log.ended(Ended(KNOWN, "failed", 1.0), "ValueError: no\n")
    first, second = stream.getvalue().splitlines()
    assert " ERROR   scan_start (queue 7 delivery 1) failed in 1000.0 ms [corr-1]" in first
    assert second == "ValueError: no"


def test_json_lines_hold_the_same() -> None:
    stream = written(as_json=True)
    log.ended(Ended(Invocation("id-2", "http", "http", "corr-2", "GET /x"), "ok", 0.5, 503))
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
def test_levels_by_category(levels: dict[str, str], passes: set[str]) -> None:
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
    for name in log.QUIET:
        logging.getLogger(f"{name}.part").info("chatter")
        logging.getLogger(f"{name}.part").warning("%s matters", name)
    assert len(stream.getvalue().splitlines()) == len(log.QUIET)


def test_in_the_host_lines_from_threads_and_coroutines_carry_the_correlation(host: Any, caplog: Any) -> None:
    with caplog.at_level(logging.INFO), caplog.filtering(log.Levels({})):
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

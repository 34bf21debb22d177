"""Readable logs: one line per invocation, categories and levels as host.json names them, or JSON lines."""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TextIO, override

results = logging.getLogger("Host.Results")

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
# Libraries that tell every request they make; host.json may turn them up by name.
QUIET = ("azure", "uvicorn", "httpx2", "httpcore2", "httpx", "durabletask", "grpc", "asyncio", "urllib3", "msal")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of a function, and the id that ties it to what caused it."""

    id: str
    function: str
    kind: str
    correlation: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an invocation ended: `ok`, `failed`, `timed out` or `stopped`, after how many seconds; the HTTP status."""

    invocation: Invocation
    outcome: str
    seconds: float
    status: int | None = None

    @property
    def level(self) -> int:
        """ERROR for what ended badly, or answered a server error."""
        good = self.outcome == "ok" and (self.status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR
        return logging.INFO if good else logging.ERROR


current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)
running: dict[str, Invocation] = {}
"""The invocations under way by id: functions that run in threads are known by their id only."""


def ended(end: Ended, error: str = "") -> None:
    """Write the one line of an invocation, with the error of one that failed."""
    results.log(end.level, "%s", error.strip(), extra={"ended": end})


def configure(levels: Mapping[str, str], *, as_json: bool, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (standard output), filtered by host.json's logLevel."""
    logging.raiseExceptions = False  # a reader that went away (`| head`) is no reason to fill the terminal
    wanted = _levels(levels)
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_Json() if as_json else _Text())
    handler.addFilter(Levels(levels))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # The filter decides; loggers are set as well so that what it would drop is not even made.
    root.setLevel(min(level for name, level in wanted.items() if name.split(".")[0] in {"", "Function"}))
    for name, level in wanted.items():
        if name:
            logging.getLogger(name).setLevel(level)


def invocation() -> Invocation | None:
    """The invocation that the calling code belongs to, in a coroutine or in one of the worker's threads."""
    found = current.get()
    if found is not None:
        return found
    library = sys.modules.get("azure_functions_runtime")
    return running.get(library.invocation_id_cv.get() or "") if library else None


class Levels(logging.Filter):
    """Lets a record pass when its category's level says so; the longest name that fits decides."""

    def __init__(self, levels: Mapping[str, str]) -> None:
        super().__init__()
        self._levels = _levels(levels)

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        known = invocation()
        vars(record)["invocation"] = known
        category = record.name
        if known is not None and not category.startswith(("Host.", *QUIET)):
            category = f"Function.{known.function}.User"
        return record.levelno >= self._of(category)

    def _of(self, category: str) -> int:
        while category not in self._levels:
            category = category.rpartition(".")[0]
        return self._levels[category]


def _levels(levels: Mapping[str, str]) -> dict[str, int]:
    named = {"" if name.lower() == "default" else name: _level(text) for name, text in levels.items()}
    return {"": logging.INFO} | dict.fromkeys(QUIET, logging.WARNING) | named


def _level(text: str) -> int:
    return LEVELS.get(text.lower(), logging.INFO)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Text(logging.Formatter):
    """`time LEVEL category message [correlation]`; an invocation as `time LEVEL function kind outcome n ms [id]`."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        if end := getattr(record, "ended", None):
            text = record.getMessage()
            message = _line(end) + (f"\n{text}" if text else "")
        else:
            message = f"{record.name}: {super().format(record)}"
            if known := getattr(record, "invocation", None):
                message += f" [{known.correlation}]"
        return f"{_time(record)} {record.levelname:<7} {message}"


def _line(end: Ended) -> str:
    known = end.invocation
    what = " ".join(str(part) for part in (known.kind, known.detail, end.status) if part)
    return f"{known.function} ({what}) {end.outcome} in {end.seconds * 1000:.1f} ms [{known.correlation}]"


class _Json(logging.Formatter):
    """One JSON object a line: time, level, category, message, and what is known of the invocation."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "category": record.name,
            "message": record.getMessage(),
        }
        end: Ended | None = getattr(record, "ended", None)
        known = end.invocation if end else getattr(record, "invocation", None)
        if known:
            line |= {"function": known.function, "trigger": known.kind, "detail": known.detail}
            line |= {"invocationId": known.id, "correlationId": known.correlation}
        if end:
            line |= {"outcome": end.outcome, "durationMs": round(end.seconds * 1000, 3), "status": end.status}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value not in {None, ""}}, ensure_ascii=False)

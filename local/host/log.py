"""Readable logs: one line per invocation, categories and levels as host.json names them, or JSON lines."""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO, override

from local.host.sampling import SamplingFilter
from shared.domain.printable import printable, printable_json

FILE_BYTES = 10_000_000
LOG_FILES = 5
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
# Libraries that log every request they make; host.json may raise them by name.
QUIET_LOGGERS = (
    "azure",
    "uvicorn",
    "httpx2",
    "httpcore2",
    "httpx",
    "durabletask",
    "grpc",
    "asyncio",
    "urllib3",
    "msal",
)
DURABLE_WORKER = "azure.durable_functions.worker"
"""The logger of the durable worker, which warns of each timer that nothing waits for any more."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of a function, and the id that ties it to what caused it."""

    id: str
    function: str
    kind: str
    correlation: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EndedInvocation:
    """How an invocation ended: `ok`, `failed`, `timed out` or `stopped`, its seconds, and the HTTP status if any."""

    invocation: Invocation
    outcome: str
    seconds: float
    status: int | None = None

    @property
    def level(self) -> int:
        """Return ERROR for a failure or a server error, otherwise INFO."""
        good = self.outcome == "ok" and (self.status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR
        return logging.INFO if good else logging.ERROR


current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)
running: dict[str, Invocation] = {}
"""The invocations under way by id: of functions that run in threads only the id is known."""


def log_ended(end: EndedInvocation, error: str = "") -> None:
    """Write the one line of an invocation, with the error of one that failed."""
    results.log(end.level, "%s", error.strip(), extra={"ended": end})


def configure(
    levels: Mapping[str, str],
    *,
    as_json: bool,
    brief: bool = False,
    stream: TextIO | None = None,
    folder: Path | None = None,
) -> None:
    """Send the logs of this process to `stream` (standard output), filtered by host.json's logLevel, and sampled.

    All of them also go to `folder` as JSON lines, in at most `LOG_FILES` files of `FILE_BYTES`. A `brief` stream gets
    no line for an invocation that went well.
    """
    logging.raiseExceptions = False  # a reader that went away (`| head`) must not fill the terminal with errors
    wanted = _levels(levels)
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_Json() if as_json else _Text())
    handler.addFilter(LevelFilter(levels))
    handler.addFilter(_went_wrong if brief else SamplingFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if folder:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "host.log"
            kept = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=LOG_FILES - 1, encoding="utf-8")
        except OSError as error:
            root.warning("logs are not written to %s: %s", folder, error)
        else:
            kept.setFormatter(_Json())
            kept.addFilter(LevelFilter(levels))
            root.handlers.insert(0, kept)  # before the sampled one, which marks the records
    # The filter decides; levels of loggers only save making records that it would drop.
    root.setLevel(min(level for name, level in wanted.items() if name.split(".")[0] in {"", "Function"}))
    for name, level in wanted.items():
        if name:
            logging.getLogger(name).setLevel(level)


def _went_wrong(record: logging.LogRecord) -> bool:
    """Return False for an invocation that went well: of those a scan has dozens."""
    end: EndedInvocation | None = getattr(record, "ended", None)
    return end is None or end.level > logging.INFO or (end.status or 0) >= HTTPStatus.BAD_REQUEST


def invocation() -> Invocation | None:
    """Return the invocation that the calling code belongs to, in a coroutine or in one of the worker's threads."""
    found = current.get()
    if found is not None:
        return found
    library = sys.modules.get("azure_functions_runtime")
    return running.get(library.invocation_id_cv.get() or "") if library else None


class LevelFilter(logging.Filter):
    """Passes the records that the level of their category allows; the longest name that matches decides."""

    def __init__(self, levels: Mapping[str, str]) -> None:
        super().__init__()
        self._levels = _levels(levels)

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        known = invocation()
        vars(record)["invocation"] = known
        if record.name == DURABLE_WORKER and record.levelno == logging.WARNING and _is_late_timer(record):
            record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        category = record.name
        if known is not None and not category.startswith(("Host.", *QUIET_LOGGERS)):
            category = f"Function.{known.function}.User"
        # Ends at "", which always has a level.
        while category not in self._levels:
            category = category.rpartition(".")[0]
        return record.levelno >= self._levels[category]


def _is_late_timer(record: logging.LogRecord) -> bool:
    # A task that ended first leaves its timer: the timer fires into a workflow that waits for it no more.
    return "Ignoring unexpected timerFired event with ID = " in record.getMessage()


def _levels(levels: Mapping[str, str]) -> dict[str, int]:
    named = {
        "" if name.lower() == "default" else name: LEVELS.get(text.lower(), logging.INFO)
        for name, text in levels.items()
    }
    return {"": logging.INFO} | dict.fromkeys(QUIET_LOGGERS, logging.WARNING) | named


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Text(logging.Formatter):
    """`time LEVEL category message [correlation]`; an invocation as `time LEVEL function kind outcome n ms [id]`.

    The outcome of an HTTP function that did not fail is its status. An error follows, indented. Text from outside is
    escaped: it can neither control a terminal nor look like a record.
    """

    @override
    def format(self, record: logging.LogRecord) -> str:
        end: EndedInvocation | None = getattr(record, "ended", None)
        if end:
            known, skipped = end.invocation, getattr(record, "skipped", 0)
            what = " ".join(part for part in (known.kind, known.detail) if part)
            how = f"answered {end.status}" if end.outcome == "ok" and end.status else end.outcome
            status = f" ({end.status})" if end.status and how == end.outcome else ""
            message = f"{known.function} ({what}) {how}{status} in {end.seconds * 1000:.1f} ms [{known.correlation}]"
            message += f" and {skipped} more like it" if skipped else ""
            below = record.getMessage()
        else:
            cause: Invocation | None = getattr(record, "invocation", None)
            message = f"{record.name}: {record.getMessage()}" + (f" [{cause.correlation}]" if cause else "")
            below = self.formatException(record.exc_info) if record.exc_info else ""
        line = f"{_time(record)} {record.levelname:<7} {printable(message)}"
        return "\n    ".join([line, *printable(below, lines=True).splitlines()])


class _Json(logging.Formatter):
    """One JSON object a line: time, level, category, message, and the facts of the invocation."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "category": record.name,
            "message": record.getMessage(),
        }
        end: EndedInvocation | None = getattr(record, "ended", None)
        known = end.invocation if end else getattr(record, "invocation", None)
        if known:
            line |= {"function": known.function, "trigger": known.kind, "detail": known.detail}
            line |= {"invocationId": known.id, "correlationId": known.correlation}
        if end:
            line |= {"outcome": end.outcome, "durationMs": round(end.seconds * 1000, 3), "status": end.status}
        line["skipped"] = getattr(record, "skipped", 0) or None
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        kept = {name: value for name, value in line.items() if value not in {None, ""}}
        return printable_json(json.dumps(kept, ensure_ascii=False))

"""Health: liveness of the process, and readiness of the stores and queues it depends on."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import monotonic, perf_counter
from typing import Literal

import orjson
from fastapi import Request, Response

from functions.api.http.route import make_router
from shared.bootstrap import Ports
from shared.domain.error import Damaged, Throttled, Unavailable, Unusable
from shared.domain.model import Model

router = make_router("Health")
CHECK_SECONDS = 2.0
"""Seconds for a check; a store that takes longer counts as not answering."""
CACHE_SECONDS = 1.0
"""Seconds for which the result of a check is reused."""
_REASONS: Mapping[type[Exception], str] = {
    Throttled: "the store asks us to wait",
    Unavailable: "the store does not answer or refuses us; see the log",
}
_LOG = logging.getLogger(__name__)


class Liveness(Model):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReadinessCheck(Model):
    """A store or queue that the service depends on."""

    ready: bool
    milliseconds: float
    reason: str = ""


class Readiness(Model):
    """Whether the service can handle requests."""

    ready: bool
    checks: Mapping[str, ReadinessCheck]


@router.get("/health", response_model=Liveness)
async def health() -> Response:
    """Check that the process is alive, without asking any other service."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/health/ready", response_model=Readiness, responses={503: {"model": Readiness}})
def readiness(request: Request) -> Response:
    """Check that the stores and queues can be written and read, and how long each takes. 503 when one cannot."""
    checks: ReadinessChecks = request.app.state.checks
    tried = checks.look()
    found = Readiness(ready=all(each.ready for each in tried.values()), checks=tried)
    content = orjson.dumps(found.model_dump(mode="json"))
    headers = {} if found.ready else {"retry-after": "5"}
    return Response(content, 200 if found.ready else 503, headers, "application/json")


class ReadinessChecks:
    """Checks all stores at once, within a deadline, and reuses the results for a moment.

    Anybody may call, so many callers must cost no more than one; a check that hangs is not started again.
    """

    def __init__(self, probes: Mapping[str, Callable[[], None]]) -> None:
        self._probes = probes
        self._pool = ThreadPoolExecutor(max_workers=len(probes), thread_name_prefix="readiness")
        self._tried: dict[str, Future[ReadinessCheck]] = {}
        self._turn = threading.Lock()
        self._found: tuple[float, dict[str, ReadinessCheck]] = (-CACHE_SECONDS, {})

    def look(self) -> dict[str, ReadinessCheck]:
        """Return the results, at most `CACHE_SECONDS` old."""
        with self._turn:
            at, found = self._found
            if monotonic() - at >= CACHE_SECONDS:
                found = self._try()
                self._found = (monotonic(), found)
            return found

    def _try(self) -> dict[str, ReadinessCheck]:
        for name, probe in self._probes.items():
            # a hanging probe keeps its thread: starting another each time would fill the pool
            if name not in self._tried or self._tried[name].done():
                self._tried[name] = self._pool.submit(_timed, name, probe)
        wait(self._tried.values(), timeout=CHECK_SECONDS)
        late = ReadinessCheck(
            ready=False, milliseconds=CHECK_SECONDS * 1000, reason=f"no answer within {CHECK_SECONDS:g} seconds"
        )
        return {name: future.result() if future.done() else late for name, future in self._tried.items()}


def readiness_checks(ports: Ports) -> ReadinessChecks:
    """Return the checks of readiness."""
    return ReadinessChecks({"documents": ports.documents.check, "blobs": ports.blobs.check, "queue": ports.queue.check})


def _timed(name: str, probe: Callable[[], None]) -> ReadinessCheck:
    began = perf_counter()
    try:
        probe()
    except Exception as error:  # noqa: BLE001 - a check tells what is wrong, whatever it is
        _LOG.warning("%s is not ready: %s: %s", name, type(error).__name__, error)
        return ReadinessCheck(ready=False, milliseconds=_elapsed_milliseconds(began), reason=_reason(error))
    return ReadinessCheck(ready=True, milliseconds=_elapsed_milliseconds(began))


def _reason(error: Exception) -> str:
    """Return the reason in words that anybody may read: addresses and folders are only logged."""
    if isinstance(error, Damaged | Unusable):
        return error.message
    return next((words for kind, words in _REASONS.items() if isinstance(error, kind)), "the check failed; see the log")


def _elapsed_milliseconds(began: float) -> float:
    return round((perf_counter() - began) * 1000, 2)

"""Health: whether the process lives, and whether what it stands on answers."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from time import perf_counter
from typing import Literal

import orjson
from fastapi import Request, Response

from functions.api.route import router as make_router
from shared.bootstrap import Ports
from shared.domain.error import CortexError
from shared.domain.model import Model
from shared.services import change

router = make_router("Health")
DEADLINE = 2.0
"""Seconds that a check may take, before what it asks counts as not answering."""
PROBE = "readiness"


class Liveness(Model):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(Model):
    """One thing that the service stands on."""

    ready: bool
    milliseconds: float
    reason: str = ""


class Readiness(Model):
    """Whether requests can be served."""

    ready: bool
    checks: Mapping[str, Check]


@router.get("/health", response_model=Liveness)
async def health() -> Response:
    """Whether the process lives; asks nothing of anything else."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/health/ready", response_model=Readiness, responses={503: {"model": Readiness}})
def readiness(request: Request) -> Response:
    """Whether the stores and queues answer, with the time each took; 503 when one does not."""
    ports: Ports = request.app.state.ports
    checks = look(
        {
            "documents": lambda: ports.documents.get(tenant=PROBE, kind=PROBE, id=PROBE),
            "blobs": lambda: ports.blobs.exists(tenant=PROBE, name=PROBE),
            "queue": lambda: ports.queue.length(change.QUEUE),
        }
    )
    found = Readiness(ready=all(each.ready for each in checks.values()), checks=checks)
    content = orjson.dumps(found.model_dump(mode="json"))
    headers = {} if found.ready else {"retry-after": "5"}
    return Response(content, 200 if found.ready else 503, headers, "application/json")


def look(probes: Mapping[str, Callable[[], object]]) -> dict[str, Check]:
    """Try all at once, none for longer than the deadline."""
    pool = ThreadPoolExecutor(max_workers=len(probes))
    tried = {name: pool.submit(_timed, probe) for name, probe in probes.items()}
    wait(tried.values(), timeout=DEADLINE)
    late = Check(ready=False, milliseconds=DEADLINE * 1000, reason=f"no answer within {DEADLINE:g} seconds")
    found = {name: future.result() if future.done() else late for name, future in tried.items()}
    pool.shutdown(wait=False, cancel_futures=True)
    return found


def _timed(probe: Callable[[], object]) -> Check:
    began = perf_counter()
    try:
        probe()
    except CortexError as error:
        return Check(ready=False, milliseconds=_since(began), reason=error.message)
    except Exception as error:  # noqa: BLE001 - a check tells what is wrong, whatever it is
        return Check(ready=False, milliseconds=_since(began), reason=f"failed with {type(error).__name__}")
    return Check(ready=True, milliseconds=_since(began))


def _since(began: float) -> float:
    return round((perf_counter() - began) * 1000, 2)

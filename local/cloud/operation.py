"""Long-running operations: what answers a write that takes time, and how it is polled.

Source: Azure Resource Manager, "Track asynchronous Azure operations".
"""

import math
from datetime import UTC, datetime

from local.cloud.cloud import Cloud
from local.cloud.error import ArmError
from local.cloud.message import Answer, Request
from local.cloud.message import answer as json_answer
from local.cloud.store import Row


def answer(cloud: Cloud, request: Request, new: Row, done: Answer) -> Answer:
    """The answer to a PUT or PATCH: as if it were done, with the address of the operation while it runs."""
    if not cloud.busy(new):
        return done
    started = _start(cloud, request, new.key, new.ready)
    waiting = {"Azure-AsyncOperation": started, **retry_after(cloud.operation_seconds)}
    return Answer(done.status, done.body, {**done.headers, **waiting})


def deleted(cloud: Cloud, request: Request, old: Row, *, slow: bool) -> Answer:
    """The answer to a DELETE that was done."""
    if not slow or not cloud.operation_seconds:
        return Answer(200)
    ready = cloud.clock().timestamp() + cloud.operation_seconds
    started = _start(cloud, request, old.key, ready)
    where = started.replace("/operations/", "/operationresults/")
    headers = {"Location": where, "Azure-AsyncOperation": started, **retry_after(cloud.operation_seconds)}
    return Answer(202, b"", headers)


def status(cloud: Cloud, request: Request, name: str) -> Answer:
    """What the address in Azure-AsyncOperation answers: the state of the operation."""
    started, ready = _find(cloud, name)
    done = ready <= cloud.clock().timestamp()
    content = {"id": request.path, "name": name, "status": "Succeeded" if done else "InProgress", "startTime": started}
    if done:
        content["endTime"] = datetime.fromtimestamp(ready, UTC).isoformat().replace("+00:00", "Z")
    return json_answer(content, headers={} if done else retry_after(ready - cloud.clock().timestamp()))


def result(cloud: Cloud, request: Request, name: str) -> Answer:
    """What the address in Location answers: 202 until the operation has ended."""
    _, ready = _find(cloud, name)
    left = ready - cloud.clock().timestamp()
    return Answer(202, b"", {"Location": request.link(), **retry_after(left)}) if left > 0 else Answer(204)


def retry_after(seconds: float) -> dict[str, str]:
    """How long to wait: whole seconds in Retry-After, less than one in x-ms-retry-after-ms."""
    if seconds >= 1:
        return {"Retry-After": str(math.ceil(seconds))}
    return {"x-ms-retry-after-ms": str(max(1, math.ceil(seconds * 1000)))}


def _start(cloud: Cloud, request: Request, key: str, ready: float) -> str:
    name = cloud.new_id()
    cloud.store.query(
        "INSERT INTO operation VALUES (?, ?, ?, ?, ?)", (name, key, request.method, cloud.timestamp(), ready)
    )
    scope = "/".join(key.split("/")[:3])
    return f"{request.base}{scope}/providers/Microsoft.Resources/operations/{name}?api-version={request.api_version}"


def _find(cloud: Cloud, name: str) -> tuple[str, float]:
    found = cloud.store.query("SELECT started, ready FROM operation WHERE id = ?", (name,))
    if not found:
        raise ArmError(404, "OperationNotFound", f"The operation '{name}' could not be found.")
    return found[0]

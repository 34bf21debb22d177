"""Long-running operations: the response to a write that takes time, and how it is polled.

Source: Azure Resource Manager, "Track asynchronous Azure operations".
"""

import math
from datetime import UTC, datetime

from local.cloud.arm.error import ArmError
from local.cloud.arm.http import ArmRequest, ArmResponse, json_response
from local.cloud.cloud import Cloud
from local.cloud.store import StoredRow


def accepted(cloud: Cloud, request: ArmRequest, new: StoredRow, done: ArmResponse) -> ArmResponse:
    """Return the response to a PUT or PATCH: that of a finished one, with the operation's address while it runs."""
    if not cloud.busy(new):
        return done
    started = _start(cloud, request, new.key, new.ready)
    waiting = {"Azure-AsyncOperation": started, **retry_after_headers(cloud.operation_seconds)}
    return ArmResponse(done.status, done.body, {**done.headers, **waiting})


def delete_accepted(cloud: Cloud, request: ArmRequest, old: StoredRow, *, slow: bool) -> ArmResponse:
    """Return the response to a DELETE: 200, or 202 with the operation's address for slow types."""
    if not slow or not cloud.operation_seconds:
        return ArmResponse(200)
    # The resource is gone already; only the operation takes its time.
    ready = cloud.clock().timestamp() + cloud.operation_seconds
    started = _start(cloud, request, old.key, ready)
    where = started.replace("/operations/", "/operationresults/")
    headers = {"Location": where, "Azure-AsyncOperation": started, **retry_after_headers(cloud.operation_seconds)}
    return ArmResponse(202, b"", headers)


def operation_status(cloud: Cloud, request: ArmRequest, name: str) -> ArmResponse:
    """Return the state of an operation, as the address in Azure-AsyncOperation shows it."""
    started, ready = _find(cloud, name)
    done = ready <= cloud.clock().timestamp()
    content = {"id": request.path, "name": name, "status": "Succeeded" if done else "InProgress", "startTime": started}
    if done:
        content["endTime"] = datetime.fromtimestamp(ready, UTC).isoformat().replace("+00:00", "Z")
    return json_response(content, headers={} if done else retry_after_headers(ready - cloud.clock().timestamp()))


def operation_result(cloud: Cloud, request: ArmRequest, name: str) -> ArmResponse:
    """Return the result of an operation, as the address in Location shows it: 202 until it has ended, then 204."""
    _, ready = _find(cloud, name)
    left = ready - cloud.clock().timestamp()
    return (
        ArmResponse(202, b"", {"Location": request.link(), **retry_after_headers(left)})
        if left > 0
        else ArmResponse(204)
    )


def retry_after_headers(seconds: float) -> dict[str, str]:
    """Return the headers with the time to wait: whole seconds in Retry-After, less in x-ms-retry-after-ms."""
    if seconds >= 1:
        return {"Retry-After": str(math.ceil(seconds))}
    return {"x-ms-retry-after-ms": str(max(1, math.ceil(seconds * 1000)))}


def _start(cloud: Cloud, request: ArmRequest, key: str, ready: float) -> str:
    name = cloud.new_id()
    cloud.store.query(
        "INSERT INTO operation VALUES (?, ?, ?, ?, ?)", (name, key, request.method, cloud.timestamp(), ready)
    )
    # Operations are read at the subscription: the resource may be gone by then.
    scope = "/".join(key.split("/")[:3])
    return f"{request.base}{scope}/providers/Microsoft.Resources/operations/{name}?api-version={request.api_version}"


def _find(cloud: Cloud, name: str) -> tuple[str, float]:
    found = cloud.store.query("SELECT started, ready FROM operation WHERE id = ?", (name,))
    if not found:
        raise ArmError(404, "OperationNotFound", f"The operation '{name}' could not be found.")
    return found[0]

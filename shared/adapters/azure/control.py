"""Control over Azure Resource Manager: resources read and written by id, guarded by etags."""

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from azure.mgmt.core.polling.arm_polling import ARMPolling

from shared.adapters.azure import refusal
from shared.adapters.azure.arm import Arm, Connection, checked, raw
from shared.domain.error import InvalidInput, NotFound, Unavailable
from shared.ports.control import Method, Snapshot

OPERATION_LIMIT = 230.0
"""Seconds that a long-running operation is waited for: within the four minutes that one step of a workflow has."""

_OPERATIONS = {
    "PUT": "begin_create_or_update_by_id",
    "PATCH": "begin_update_by_id",
    "DELETE": "begin_delete_by_id",
}


class ArmControl:
    """Keeps the promise of `Control`. Safe for several threads; `close` ends its connections."""

    def __init__(
        self,
        connection: Connection,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        timeout: float = 30.0,
    ) -> None:
        self._tenant = connection.tenant
        self._arm = Arm(connection, sleep=sleep, timeout=timeout)
        self._sleep = sleep
        self._clock = clock

    def read(self, *, tenant: str, resource_id: str, api_version: str) -> Snapshot | None:
        """The resource now; None when it does not exist."""
        self._check(tenant)
        try:
            with refusal.translated(resource_id):
                client = self._arm.resources("-").resources
                path = checked(resource_id).lstrip("/")
                return cast("Snapshot", client.get_by_id(path, api_version=api_version, cls=_snapshot))
        except NotFound:
            return None

    def write(
        self,
        *,
        tenant: str,
        method: Method,
        resource_id: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        if_match: str | None = None,
    ) -> Snapshot | None:
        """Write once and wait for the operation to end; a DELETE of what is not there is done already."""
        self._check(tenant)
        try:
            with refusal.translated(resource_id, writing=True):
                done = self._operate(method, resource_id, api_version, _parameters(method, body), if_match)
        except NotFound:
            if method != "DELETE":
                raise
            return None
        if method == "DELETE":
            return None
        return done or self.read(tenant=tenant, resource_id=resource_id, api_version=api_version)

    def _operate(
        self, method: Method, resource_id: str, api_version: str, parameters: dict[str, Any], if_match: str | None
    ) -> Snapshot | None:
        operation = getattr(self._arm.resources("-").resources, _OPERATIONS[method])
        poller = operation(
            checked(resource_id).lstrip("/"),
            api_version=api_version,
            headers={} if if_match is None else {"If-Match": if_match},
            polling=_Polling(resource_id, self._sleep, self._clock),
            cls=_snapshot,
            **parameters,
        )
        return cast("Snapshot | None", poller.result())

    def _check(self, tenant: str) -> None:
        if tenant != self._tenant:
            raise NotFound(f"no cloud is connected for tenant {tenant}")

    def close(self) -> None:
        """Close the connections."""
        self._arm.close()


class _Polling(ARMPolling):
    """Follows Azure-AsyncOperation and Location to the end, or for `OPERATION_LIMIT` seconds."""

    def __init__(self, resource_id: str, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        super().__init__(timeout=2.0, path_format_arguments={})
        self._resource_id = resource_id
        self._pause = sleep
        self._clock = clock
        self._until = clock() + OPERATION_LIMIT

    def _sleep(self, delay: float) -> None:
        if self._clock() + delay > self._until:
            raise Unavailable(
                f"the operation on {self._resource_id} still runs after {OPERATION_LIMIT:.0f} s; it may end later: "
                "read the resource before writing again",
                retry_after=delay,
            )
        self._pause(delay)


def _parameters(method: Method, body: Mapping[str, Any] | None) -> dict[str, Any]:
    if method == "DELETE":
        return {}
    if body is None:
        raise InvalidInput(f"a {method} needs a body", path="body")
    return {"parameters": dict(body)}


def _snapshot(response: Any, _typed: object, _headers: object) -> Snapshot | None:  # noqa: ANN401 - the SDK's callback
    answer = response.http_response
    body = raw(response, None, None) if answer.content else None
    if not isinstance(body, dict) or "id" not in body:
        return None
    return Snapshot(body, answer.headers.get("ETag") or body.get("etag"))

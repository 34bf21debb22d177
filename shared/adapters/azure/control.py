"""Control over Azure Resource Manager: resources read and written by id, guarded by etags."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from azure.mgmt.core.polling.arm_polling import ARMPolling

from shared.adapters.azure import arm_error
from shared.adapters.azure.arm import Arm, ArmConnection, checked, raw
from shared.domain.error import CortexError, InvalidInput, Locked, NotFound, Unavailable
from shared.domain.lock import ManagementLock
from shared.domain.resource import Snapshot
from shared.ports.control import Method

OPERATION_SECONDS = 230.0
"""Seconds that a long-running operation is waited for: within the four minutes that one step of a workflow has."""

_LOCKS_PATH, _LOCKS_VERSION = "/providers/Microsoft.Authorization/locks", "2020-05-01"

_OPERATIONS = {
    "PUT": "begin_create_or_update_by_id",
    "PATCH": "begin_update_by_id",
    "DELETE": "begin_delete_by_id",
}


class ArmControl:
    """Keeps the `Control` port. Safe for several threads; `close` ends its connections."""

    def __init__(
        self,
        connection: ArmConnection,
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
        """Read the resource as it is now; None when it does not exist."""
        self._check(tenant)
        try:
            with arm_error.error_translation(resource_id):
                client = self._arm.resources("-").resources
                path = checked(resource_id).lstrip("/")
                return cast("Snapshot", client.get_by_id(path, api_version=api_version, cls=_snapshot))
        except NotFound:
            return None

    def locks(self, *, tenant: str, subscription: str) -> Sequence[ManagementLock]:
        """List all locks of a subscription, in one listing: without a filter it has those of all scopes within."""
        self._check(tenant)
        return tuple(map(_lock, self._arm.items(f"/subscriptions/{subscription}{_LOCKS_PATH}", _LOCKS_VERSION)))

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
        """Write once and wait for the operation to end; a DELETE of what does not exist succeeds."""
        self._check(tenant)
        try:
            with arm_error.error_translation(resource_id, writing=True):
                done = self._operate(method, resource_id, api_version, body, if_match)
        except NotFound:
            if method != "DELETE":
                raise
            return None
        except Locked as error:
            raise self._named(error) from error
        if method == "DELETE":
            return None
        # Some providers answer a write with 202 and no body.
        return done or self.read(tenant=tenant, resource_id=resource_id, api_version=api_version)

    def _operate(
        self, method: Method, resource_id: str, api_version: str, body: Mapping[str, Any] | None, if_match: str | None
    ) -> Snapshot | None:
        parameters = {}
        if method != "DELETE":
            if body is None:
                raise InvalidInput(f"a {method} needs a body", path="body")
            parameters = {"parameters": dict(body)}
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

    def _named(self, locked: Locked) -> Locked:
        """Add the names of the locks to the error, where they can be read."""
        try:
            found = [
                lock for scope in locked.scopes for lock in self._arm.items(f"{scope}{_LOCKS_PATH}", _LOCKS_VERSION)
            ]
        except CortexError:
            return locked
        names = ", ".join(f"'{lock.get('name')}' ({(lock.get('properties') or {}).get('level')})" for lock in found)
        return Locked(f"{locked.message}: {names}" if names else locked.message, scopes=locked.scopes)

    def _check(self, tenant: str) -> None:
        if tenant != self._tenant:
            raise NotFound(f"no cloud is connected for tenant {tenant}")

    def close(self) -> None:
        """Close the connections."""
        self._arm.close()


class _Polling(ARMPolling):
    """Follows Azure-AsyncOperation and Location to the end, or for `OPERATION_SECONDS`."""

    def __init__(self, resource_id: str, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        # Two seconds between polls where the cloud does not say how long to wait.
        super().__init__(timeout=2.0, path_format_arguments={})
        self._resource_id = resource_id
        self._pause = sleep
        self._clock = clock
        self._until = clock() + OPERATION_SECONDS

    def _sleep(self, delay: float) -> None:
        if self._clock() + delay > self._until:
            raise Unavailable(
                f"the operation on {self._resource_id} was still running after {OPERATION_SECONDS:.0f} s and "
                "may end later: read the resource before writing again",
                retry_after=delay,
            )
        self._pause(delay)


def _lock(found: Mapping[str, Any]) -> ManagementLock:
    identity, properties = str(found["id"]), found.get("properties") or {}
    scope = identity[: identity.lower().rfind(_LOCKS_PATH.lower())]
    return ManagementLock(name=identity.rpartition("/")[2], level=properties.get("level"), scope=scope)


def _snapshot(response: Any, _typed: object, _headers: object) -> Snapshot | None:  # noqa: ANN401 - the SDK's callback
    answer = response.http_response
    body = raw(response, None, None) if answer.content else None
    if not isinstance(body, dict) or "id" not in body:
        return None
    return Snapshot(body, answer.headers.get("ETag") or body.get("etag"))

"""Locks: they protect a scope and everything in it from being changed or deleted."""

from local.cloud.arm.address import Address
from local.cloud.arm.error import ArmError
from local.cloud.cloud import Cloud

_LOCK_TYPE = "Microsoft.Authorization/locks"
_BLOCKED_METHODS = {"CanNotDelete": {"DELETE"}, "ReadOnly": {"PUT", "PATCH", "DELETE"}}


def check_locks(cloud: Cloud, method: str, address: Address) -> None:
    """Check that no lock on the resource, or on a scope above it, forbids the method; ArmError 409 when one does.

    Source: Azure Resource Manager, "Lock your resources to protect your infrastructure".
    """
    if address.type.lower() == _LOCK_TYPE.lower():
        return
    parts = address.key.split("/")
    # From the subscription over the group and the parents to the resource: every second slash ends a scope.
    for scope in ("/".join(parts[:length]) for length in range(3, len(parts) + 1, 2)):
        for lock in cloud.store.scan(f"{scope}/providers/{_LOCK_TYPE}/".lower(), kind=_LOCK_TYPE.lower()):
            if method in _BLOCKED_METHODS.get(lock.document()["properties"]["level"], ()):
                operation = "delete" if method == "DELETE" else "write"
                message = (
                    f"The scope '{address.id}' cannot perform {operation} operation because following scope(s) are "
                    f"locked: '{scope}'. Please remove the lock and try again."
                )
                raise ArmError(409, "ScopeLocked", message)

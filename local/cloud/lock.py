"""Locks: what protects a scope and all in it from being changed or deleted."""

from local.cloud.address import Address
from local.cloud.cloud import Cloud
from local.cloud.error import ArmError

_TYPE = "Microsoft.Authorization/locks"
_STOPS = {"CanNotDelete": {"DELETE"}, "ReadOnly": {"PUT", "PATCH", "DELETE"}}


def check_locks(cloud: Cloud, method: str, address: Address) -> None:
    """ArmError 409 when a lock on the resource, or on what it lies in, forbids the method.

    Source: Azure Resource Manager, "Lock your resources to protect your infrastructure".
    """
    if address.type.lower() == _TYPE.lower():
        return
    for scope in _scopes(address.key):
        for lock in cloud.store.scan(f"{scope}/providers/{_TYPE}/".lower(), kind=_TYPE.lower()):
            if method in _STOPS.get(lock.document()["properties"]["level"], ()):
                raise _locked(address, scope)


def _scopes(key: str) -> list[str]:
    """The resource, its parents, its group and its subscription."""
    parts = key.split("/")
    return ["/".join(parts[:length]) for length in range(3, len(parts) + 1, 2)]


def _locked(address: Address, scope: str) -> ArmError:
    message = (
        f"The scope '{address.id}' cannot perform delete operation because following scope(s) are locked: '{scope}'. "
        "Please remove the lock and try again."
    )
    return ArmError(409, "ScopeLocked", message)

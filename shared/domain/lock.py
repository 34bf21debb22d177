"""Management locks: what may not be written or deleted, and where that is said."""

from enum import StrEnum

from shared.domain.model import Model


class LockLevel(StrEnum):
    """The level of a lock. Source: Azure Resource Manager, "Lock your resources to protect your infrastructure"."""

    CAN_NOT_DELETE = "CanNotDelete"
    READ_ONLY = "ReadOnly"


class ManagementLock(Model):
    """A lock on a subscription, a resource group or a resource; what lies within inherits it."""

    name: str
    level: LockLevel
    scope: str

    def covers(self, resource_id: str) -> bool:
        """Return whether a resource is locked by it; ids compare without case, by whole segments."""
        return f"{resource_id.lower()}/".startswith(f"{self.scope.lower()}/")

    def __str__(self) -> str:
        return f"the lock '{self.name}' ({self.level}) at {self.scope}"

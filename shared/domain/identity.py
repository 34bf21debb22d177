"""Identity: who calls, for which tenant, and what the roles let them do where."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, Field

from shared.domain.error import Forbidden
from shared.domain.model import Model

REGISTRY_TENANT = "cortex-registry"
"""The name under which the list of tenants is kept; no caller's tenant can be called that."""
SYSTEM_SUBJECT = "system"
"""The subject of what the product does by itself; no token's subject can be called that."""
TENANT_SCOPE = "/"
TENANT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
ROLE_SCOPE_PATTERN = r"^/(subscriptions/[0-9A-Za-z-]{1,64})?$"
"""The whole tenant, or one subscription in it."""


class Role(StrEnum):
    """A role. Approvers decide on what operators request; neither role includes the other."""

    READER = "reader"
    OPERATOR = "operator"
    APPROVER = "approver"
    SENDER = "sender"
    ADMIN = "admin"


IMPLIED_ROLES: Mapping[Role, frozenset[Role]] = {
    Role.READER: frozenset({Role.READER}),
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.READER, Role.SENDER}),
    Role.APPROVER: frozenset({Role.APPROVER, Role.READER}),
    Role.SENDER: frozenset({Role.SENDER}),
    Role.ADMIN: frozenset(Role),
}
"""Role held -> the roles it counts as. A sender, the cloud's event service, delivers change messages and no more."""


class CallerKind(StrEnum):
    """The kind of a caller: a person, a program with an identity of its own, or the product itself."""

    USER = "user"
    APPLICATION = "application"
    SYSTEM = "system"


class RoleAssignment(Model):
    """A role, and where it counts. Source: Azure RBAC, "What is Azure role-based access control?"."""

    role: Role
    scope: str = Field(default=TENANT_SCOPE, pattern=ROLE_SCOPE_PATTERN)

    @property
    def subscription(self) -> str | None:
        """Return the only subscription it counts in, lower case; None where it counts in the whole tenant."""
        return self.scope.rpartition("/")[2].lower() or None


class Caller(Model):
    """Names who calls, for which tenant, and what they may do where; every service call is on a caller's behalf.

    `subject` is what streams and approvals call them, `token_id` the one token they came with.
    """

    tenant: str
    subject: str
    kind: CallerKind = CallerKind.USER
    roles: frozenset[RoleAssignment] = frozenset()
    token_id: str | None = None
    expires_at: AwareDatetime | None = None

    @classmethod
    def system(cls, tenant: str) -> Self:
        """Build the caller that timers, queues and workflows of a tenant act as."""
        return cls(
            tenant=tenant,
            subject=SYSTEM_SUBJECT,
            kind=CallerKind.SYSTEM,
            roles=frozenset({RoleAssignment(role=Role.ADMIN)}),
        )

    def may(self, needed: Role) -> bool:
        """Return whether one of the roles counts as the needed one, in the whole tenant or in a part of it."""
        return any(self._counting(needed))

    def subscriptions(self, needed: Role) -> frozenset[str] | None:
        """Return the subscriptions in which a role counts as the needed one; None for all of the tenant."""
        scopes = {each.subscription for each in self._counting(needed)}
        # A role for the whole tenant outweighs any for a part of it.
        return None if None in scopes else frozenset(each for each in scopes if each)

    def require_tenant(self, needed: Role) -> None:
        """Raise Forbidden unless a role counts as the needed one in the whole tenant."""
        if self.subscriptions(needed) is not None:
            message = f"this needs the role '{needed}' for the whole tenant; the token has it for some subscriptions"
            raise Forbidden(message, permission=str(needed), scope=TENANT_SCOPE)

    def known_at(self, at: datetime) -> bool:
        """Return whether the caller is still known at this time."""
        return self.expires_at is None or at < self.expires_at

    def _counting(self, needed: Role) -> Iterable[RoleAssignment]:
        return (each for each in self.roles if needed in IMPLIED_ROLES[each.role])


def assign_roles(roles: Iterable[Role], scopes: Iterable[str] = (TENANT_SCOPE,)) -> frozenset[RoleAssignment]:
    """Assign each of the roles at each of the scopes."""
    places = tuple(scopes)
    return frozenset(RoleAssignment(role=role, scope=scope) for role in roles for scope in places)

"""Identity: who calls, for which tenant, and what the roles let them do."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from shared.domain.model import Model


class Role(StrEnum):
    """What somebody may do. Approvers decide on what operators ask for; neither is the other."""

    READER = "reader"
    OPERATOR = "operator"
    APPROVER = "approver"
    SENDER = "sender"
    ADMIN = "admin"


IMPLIED: Mapping[Role, frozenset[Role]] = {
    Role.READER: frozenset({Role.READER}),
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.READER, Role.SENDER}),
    Role.APPROVER: frozenset({Role.APPROVER, Role.READER}),
    Role.SENDER: frozenset({Role.SENDER}),
    Role.ADMIN: frozenset(Role),
}
"""Role held -> the roles it counts as. A sender, the cloud's event service, delivers change messages and no more."""


class Principal(Model):
    """Somebody we know. `name` is what streams and approvals call them; it is known until `expires_at`."""

    tenant: str
    name: str
    roles: frozenset[Role]
    expires_at: AwareDatetime

    def may(self, needed: Role) -> bool:
        """Whether one of the roles counts as the needed one."""
        return any(needed in IMPLIED[role] for role in self.roles)

    def known_at(self, at: datetime) -> bool:
        """Whether it is still known at this time."""
        return at < self.expires_at

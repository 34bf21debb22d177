"""Who may do what: one table of all operations, and the caller that each of them gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from shared.bootstrap import Ports
from shared.domain.error import Forbidden, Unauthenticated
from shared.domain.event import Actor
from shared.domain.identity import Principal, Role
from shared.services import policy
from shared.services.estate import Store
from shared.services.policy import Book

PUBLIC = None

ROLES: Mapping[str, Role | None] = {
    "health": PUBLIC,
    "readiness": PUBLIC,
    "home": PUBLIC,
    "session_start": PUBLIC,
    "session_end": PUBLIC,
    "style": PUBLIC,
    "tour": PUBLIC,
    "icon": PUBLIC,
    "reference": PUBLIC,
    "openapi": PUBLIC,
    "usage": Role.READER,
    "scan_list": Role.READER,
    "scan_get": Role.READER,
    "scan_events": Role.READER,
    "scan_start": Role.OPERATOR,
    "scan_cancel": Role.OPERATOR,
    "finding_list": Role.READER,
    "finding_get": Role.READER,
    "finding_explain": Role.READER,
    "resource_list": Role.READER,
    "resource_get": Role.READER,
    "resource_history": Role.READER,
    "policy_list": Role.READER,
    "policy_get": Role.READER,
    "policy_lint": Role.READER,
    "policy_members": Role.READER,
    "policy_format": Role.READER,
    "policy_test": Role.READER,
    "evaluate": Role.READER,
    "compliance_summary": Role.READER,
    "compliance_trend": Role.READER,
    "exemption_list": Role.READER,
    "exemption_get": Role.READER,
    "exemption_create": Role.APPROVER,
    "exemption_revoke": Role.APPROVER,
    "import_start": Role.OPERATOR,
    "import_list": Role.READER,
    "import_get": Role.READER,
    "remediation_create": Role.OPERATOR,
    "remediation_list": Role.READER,
    "remediation_get": Role.READER,
    "remediation_plan": Role.READER,
    "remediation_approve": Role.APPROVER,
    "remediation_reject": Role.APPROVER,
    "remediation_cancel": Role.OPERATOR,
    "remediation_rollback": Role.OPERATOR,
    "remediation_events": Role.READER,
    "change_handshake": PUBLIC,
    "change_take": Role.SENDER,
    "permission_check": Role.OPERATOR,
}
"""Operation -> the role it needs. A route whose operation is not named here cannot be made."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf an operation runs, and what it runs with."""

    principal: Principal
    ports: Ports
    correlation: str

    @property
    def tenant(self) -> str:
        """The only tenant that can be reached."""
        return self.principal.tenant

    @property
    def store(self) -> Store:
        """What services work with, on the caller's behalf."""
        actor = Actor(name=self.principal.name, correlation=self.correlation)
        return Store(self.ports.documents, self.ports.blobs, self.ports.now, self.tenant, actor)

    @property
    def book(self) -> Book:
        """The policies in force, compiled on first use."""
        return policy.book_for(self.store, self.ports.catalog)


def admit(request: Request, needed: Role) -> None:
    """Find out who asks, and whether they may; Unauthenticated, Forbidden."""
    ports: Ports = request.app.state.ports
    principal = ports.identity.authenticate(token_of(request))
    if not principal.may(needed):
        held = ", ".join(sorted(principal.roles))
        raise Forbidden(f"this needs the role '{needed}'; the token has: {held}", permission=str(needed))
    request.state.caller = Caller(principal, ports, request.state.correlation)


def token_of(request: Request) -> str:
    """The token in the Authorization header, and in no other place (RFC 6750, section 2.1)."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("the token is missing or not one we accept; send `Authorization: Bearer <token>`")
    return token


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Known = Annotated[Caller, Depends(_caller)]
"""The caller, as an operation declares it."""

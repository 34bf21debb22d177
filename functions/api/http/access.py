"""Access: the role that each operation needs, and the caller that it gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from shared.bootstrap import Ports
from shared.domain.error import Forbidden, Unauthenticated
from shared.domain.identity import Caller, Role
from shared.eventstore.store import Store
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies

NO_ROLE = None

OPERATION_ROLES: Mapping[str, Role | None] = {
    "health": NO_ROLE,
    "readiness": NO_ROLE,
    "home": NO_ROLE,
    "session_start": NO_ROLE,
    "session_end": NO_ROLE,
    "sign_in": NO_ROLE,  # takes the code of a link
    "sign_in_link_create": Role.READER,
    "style": NO_ROLE,
    "tour": NO_ROLE,
    "icon": NO_ROLE,
    "reference": NO_ROLE,
    "openapi": NO_ROLE,
    "metrics": NO_ROLE,  # takes the scrape token
    "usage": Role.READER,
    "scan_list": Role.READER,
    "scan_get": Role.READER,
    "scan_subscriptions": Role.READER,
    "scan_events": Role.READER,
    "scan_start": Role.OPERATOR,
    "scan_cancel": Role.OPERATOR,
    "finding_list": Role.READER,
    "finding_get": Role.READER,
    "finding_explain": Role.READER,
    "resource_list": Role.READER,
    "resource_get": Role.READER,
    "resource_history": Role.READER,
    "alias_get": Role.READER,
    "policy_list": Role.READER,
    "policy_get": Role.READER,
    "assignment_list": Role.READER,
    "initiative_list": Role.READER,
    "initiative_get": Role.READER,
    "policy_lint": Role.READER,
    "policy_members": Role.READER,
    "policy_format": Role.READER,
    "policy_test": Role.READER,
    "evaluate": Role.READER,
    "compliance_summary": Role.READER,
    "compliance_trend": Role.READER,
    "framework_list": Role.READER,
    "framework_get": Role.READER,
    "framework_controls": Role.READER,
    "exemption_list": Role.READER,
    "exemption_get": Role.READER,
    "exemption_create": Role.OPERATOR,
    "exemption_withdraw": Role.OPERATOR,
    "exemption_approve": Role.APPROVER,
    "exemption_reject": Role.APPROVER,
    "exemption_revoke": Role.APPROVER,
    "import_start": Role.OPERATOR,
    "upload_start": Role.OPERATOR,
    "upload_receive": NO_ROLE,
    "upload_complete": Role.OPERATOR,
    "import_list": Role.READER,
    "import_get": Role.READER,
    "import_cancel": Role.OPERATOR,
    "remediation_create": Role.OPERATOR,
    "remediation_list": Role.READER,
    "remediation_get": Role.READER,
    "remediation_preview": Role.READER,
    "remediation_items": Role.READER,
    "remediation_plan": Role.READER,
    "remediation_approve": Role.APPROVER,
    "remediation_reject": Role.APPROVER,
    "remediation_cancel": Role.OPERATOR,
    "remediation_rollback": Role.OPERATOR,
    "remediation_rollback_approve": Role.APPROVER,
    "remediation_rollback_reject": Role.APPROVER,
    "remediation_events": Role.READER,
    "change_handshake": NO_ROLE,
    "change_accept": Role.SENDER,
    "permission_check": Role.OPERATOR,
    "diagnosis_get": Role.OPERATOR,
    "poison_list": Role.OPERATOR,
    "rebuild_start": Role.ADMIN,
    "rebuild_get": Role.ADMIN,
}
"""Operation -> the role it needs. A route whose operation is missing here cannot be created."""

SUBSCRIPTION_OPERATIONS = frozenset(
    {
        "finding_list",
        "finding_get",
        "finding_explain",
        "resource_list",
        "resource_get",
        "resource_history",
        "compliance_summary",
        "framework_list",
        "framework_get",
        "framework_controls",
        "alias_get",
        "assignment_list",
        "initiative_list",
        "initiative_get",
        "policy_list",
        "policy_get",
        "policy_lint",
        "policy_members",
        "policy_format",
        "policy_test",
        "evaluate",
    }
)
"""Operations for which a role in some subscriptions is enough: services answer only about those. The others need a
role in the whole tenant."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The context of an operation: on whose behalf it runs, and with which ports."""

    caller: Caller
    ports: Ports
    correlation: str

    @property
    def tenant(self) -> str:
        """Return the caller's tenant."""
        return self.caller.tenant

    @property
    def store(self) -> Store:
        """Return the store on the caller's behalf."""
        return Store(self.ports.documents, self.ports.blobs, self.ports.now, self.caller, self.correlation)

    @property
    def policies(self) -> EffectivePolicies:
        """Return the policies in force, compiled on first use."""
        return effective_policy.in_force(self.store, self.ports.catalog)


def authorize(request: Request, operation: str, needed: Role) -> None:
    """Authenticate the caller and check the role; Unauthenticated, Forbidden."""
    ports: Ports = request.app.state.ports
    caller = ports.identity.authenticate(bearer_token(request))
    if not caller.may(needed):
        held = ", ".join(sorted({each.role for each in caller.roles}))
        raise Forbidden(f"this needs the role '{needed}'; the token has: {held}", permission=str(needed))
    if operation not in SUBSCRIPTION_OPERATIONS:
        caller.require_tenant(needed)
    request.state.access = RequestContext(caller, ports, request.state.correlation)


def bearer_token(request: Request) -> str:
    """Return the token in the Authorization header, and in no other place (RFC 6750, section 2.1)."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("the token is missing or not accepted; send `Authorization: Bearer <token>`")
    return token


async def _request_context(request: Request) -> RequestContext:
    access: RequestContext = request.state.access
    return access


Authorized = Annotated[RequestContext, Depends(_request_context)]
"""The caller, as an operation declares it."""

"""Builds the callers of tests: an admin of the whole tenant, unless a test says otherwise."""

from collections.abc import Iterable

from shared.domain.identity import TENANT_SCOPE, Caller, Role, assign_roles


def caller(
    subject: str = "ada",
    tenant: str = "contoso",
    roles: Iterable[Role] = (Role.ADMIN,),
    scopes: Iterable[str] = (TENANT_SCOPE,),
) -> Caller:
    return Caller(tenant=tenant, subject=subject, roles=assign_roles(roles, scopes))

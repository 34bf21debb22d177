"""Callers: which roles count as which, and where."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from shared.domain.error import Forbidden
from shared.domain.identity import Caller, CallerKind, Role, RoleAssignment, assign_roles
from tests.fakes.caller import caller
from tests.fakes.clock import START


def test_a_role_in_one_subscription_counts_there_alone() -> None:
    known = caller(roles=[Role.OPERATOR], scopes=["/subscriptions/A-1", "/subscriptions/b"])
    assert known.may(Role.READER)
    assert known.subscriptions(Role.READER) == {"a-1", "b"}
    with pytest.raises(Forbidden) as refused:
        known.require_tenant(Role.READER)
    assert (refused.value.permission, refused.value.scope) == ("reader", "/")


def test_the_widest_scope_of_a_role_counts() -> None:
    known = caller(roles=[Role.READER], scopes=["/subscriptions/a", "/"])
    assert known.subscriptions(Role.READER) is None
    known.require_tenant(Role.READER)


def test_roles_count_each_in_its_own_scope() -> None:
    roles = assign_roles([Role.READER]) | assign_roles([Role.APPROVER], ["/subscriptions/a"])
    known = Caller(tenant="contoso", subject="ada", roles=roles)
    assert known.subscriptions(Role.READER) is None
    assert known.subscriptions(Role.APPROVER) == {"a"}
    assert known.subscriptions(Role.OPERATOR) == frozenset()
    assert not known.may(Role.OPERATOR)


def test_without_a_role_nothing_is_allowed() -> None:
    known = Caller(tenant="contoso", subject="ada")
    assert not any(known.may(role) for role in Role)
    with pytest.raises(Forbidden):
        known.require_tenant(Role.READER)


def test_the_system_may_do_all_in_its_tenant() -> None:
    system = Caller.system("contoso")
    assert (system.kind, system.tenant) == (CallerKind.SYSTEM, "contoso")
    assert all(system.may(role) and system.subscriptions(role) is None for role in Role)
    assert system.known_at(START)


def test_a_caller_is_known_until_the_token_expires() -> None:
    known = Caller(tenant="contoso", subject="ada", expires_at=START)
    assert known.known_at(START - timedelta(seconds=1))
    assert not known.known_at(START)


@pytest.mark.parametrize(
    "scope", ["", "subscriptions/a", "/subscriptions/", "/subscriptions/a/b", "/providers/x", "/\n"]
)
def test_a_scope_is_the_tenant_or_a_subscription(scope: str) -> None:
    with pytest.raises(ValidationError):
        RoleAssignment(role=Role.READER, scope=scope)

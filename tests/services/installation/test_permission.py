"""What a scan may not do, in the order to mend it, each with the command that would."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.domain.error import CortexError, Forbidden, InvalidInput, NotFound, Throttled, Unavailable
from shared.domain.inventory import PermissionCheck, Subscription
from shared.services.installation import permission
from shared.services.installation.permission import GRANT_COMMAND, SIGN_IN_REMEDY, check, check_one

FIRST, SECOND = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"


def tried(subscription: str, action: str, *, allowed: bool, role: str | None = "Reader") -> PermissionCheck:
    scope = f"/subscriptions/{subscription}"
    return PermissionCheck(scope=scope, call=f"GET {scope}", allowed=allowed, permission=action, role=role)


@dataclass
class Cloud:
    """Of `Inventory` what permissions ask; `answers` are by subscription."""

    answers: Mapping[str, Sequence[PermissionCheck] | CortexError] = field(default_factory=dict)
    error: CortexError | None = None

    def subscriptions(self, *, tenant: str) -> Sequence[Subscription]:
        assert tenant == "contoso"
        if self.error:
            raise self.error
        return [Subscription(id=each) for each in self.answers]

    def check(self, *, tenant: str, subscription: str, wanted: Any) -> Sequence[PermissionCheck]:
        assert (tenant, wanted) == ("contoso", {})
        found = self.answers[subscription]
        if isinstance(found, CortexError):
            raise found
        return found


def look(cloud: Any) -> tuple[PermissionCheck, ...]:
    return check(tenant="contoso", inventory=cloud, wanted={})


def test_what_is_refused_comes_first_with_the_command_that_allows_it() -> None:
    good, bad = tried(FIRST, "a/read", allowed=True), tried(SECOND, "b/read", allowed=False, role="Key Vault Reader")
    whole, first, second = look(Cloud({FIRST: [good], SECOND: [bad]}))
    assert (whole.call, whole.allowed, whole.message) == ("GET /subscriptions", True, "2 subscriptions are visible")
    assert (first.permission, first.allowed, second.permission) == ("b/read", False, "a/read")
    words = shlex.split(str(first.remedy))
    assert words[:4] == ["az", "role", "assignment", "create"]
    assert words[words.index("--role") + 1] == "Key Vault Reader"
    assert words[words.index("--scope") + 1] == f"/subscriptions/{SECOND}"
    assert second.remedy is None


def test_names_from_the_cloud_are_quoted_in_commands() -> None:
    name = "x; rm -rf ~ $(id) `id` 'q"
    bad = PermissionCheck(scope="/s", call="GET", allowed=False, permission="p", role=name)
    (found,) = check_one(name, tenant="contoso", inventory=Cloud({name: [bad]}), wanted={})  # type: ignore[arg-type]
    words = shlex.split(str(found.remedy))
    assert words[words.index("--role") + 1] == name
    assert words[words.index("--scope") + 1] == f"/subscriptions/{name}"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (NotFound("no cloud is connected"), "set CORTEX_CLOUD_ENDPOINT"),
        (Forbidden("no role", permission="Microsoft.Resources/subscriptions/read"), GRANT_COMMAND),
        (Forbidden("no token for the cloud could be obtained"), SIGN_IN_REMEDY),
        (Throttled("asks to wait", retry_after=75), "try again in 75 seconds"),
        (Unavailable("no token"), "AZURE_CLIENT_ID"),
        (InvalidInput("garbled"), "set CORTEX_CLOUD_ENDPOINT"),
    ],
)
def test_a_failed_list_of_subscriptions_has_a_reason_and_a_remedy(error: CortexError, remedy: str) -> None:
    (found,) = look(Cloud(error=error))
    assert (found.allowed, found.message) == (False, error.message)
    assert remedy in str(found.remedy)


def test_an_empty_list_of_subscriptions_is_not_allowed() -> None:
    (found,) = look(Cloud())
    assert not found.allowed
    assert found.remedy == GRANT_COMMAND


def test_a_subscription_that_cannot_be_tried_does_not_affect_the_others() -> None:
    good = tried(SECOND, "a/read", allowed=True)
    _, first, second = look(Cloud({FIRST: Unavailable("it hangs"), SECOND: [good]}))
    assert (first.allowed, first.message, second.allowed) == (False, "it hangs", True)


def test_of_many_subscriptions_some_are_tried_and_the_message_says_so() -> None:
    names = [f"s{number:03}" for number in range(permission.CHECKED_SUBSCRIPTIONS + 5)]
    whole, *rest = look(Cloud({each: [tried(each, "a/read", allowed=True)] for each in names}))
    assert len(rest) == permission.CHECKED_SUBSCRIPTIONS
    assert whole.message == f"{len(names)} subscriptions are visible, {permission.CHECKED_SUBSCRIPTIONS} were tried"

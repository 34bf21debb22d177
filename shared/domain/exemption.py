"""Exemptions: a finding that somebody answers for, until a day that must be named."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, Field

from shared.domain.error import Conflict
from shared.domain.event import Event
from shared.domain.model import Model

SCOPE = r"(?i)^/subscriptions/[^/]+(/resourceGroups/[^/]+)?(/providers/[^/]+(/[^/]+/[^/]+)+)*$"


class Category(StrEnum):
    """Why it is accepted. Source: Azure Policy, "exemption structure"."""

    WAIVER = "Waiver"
    MITIGATED = "Mitigated"


class Status(StrEnum):
    """How an exemption stands."""

    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


TRANSITIONS: Mapping[tuple[Status | None, str], Status] = {
    (None, "exemptionCreated"): Status.ACTIVE,
    (Status.ACTIVE, "exemptionRevoked"): Status.REVOKED,
    (Status.ACTIVE, "exemptionExpired"): Status.EXPIRED,
}


class ExemptionRequest(Model):
    """What a person writes to exempt something."""

    scope: str = Field(
        min_length=2, max_length=1024, pattern=SCOPE, description="ARM id of a subscription, resource group or resource"
    )
    policies: tuple[str, ...] = Field(min_length=1, max_length=100, description="names of policies")
    category: Category
    reason: str = Field(min_length=10, max_length=2000, description="why this is acceptable")
    owner: str = Field(min_length=1, max_length=200, description="who answers for it")
    expires_at: AwareDatetime = Field(description="when it ends; at most one year ahead")


class Exemption(Model):
    """An exemption as projected from its stream."""

    id: str
    status: Status
    request: ExemptionRequest
    created_by: str
    created_at: AwareDatetime
    ended_by: str | None = None
    ended_at: AwareDatetime | None = None
    sequence: int = 0

    def covers(self, resource_id: str, policy: str, at: datetime) -> bool:
        """Whether it exempts this pair at this time. Ids compare without case, and by whole segments."""
        scope = self.request.scope.lower().rstrip("/")
        below = resource_id.lower()
        return (
            self.status == Status.ACTIVE
            and at < self.request.expires_at
            and policy in self.request.policies
            and (below == scope or below.startswith(f"{scope}/"))
        )


def apply(exemption: Exemption | None, event: Event) -> Exemption:
    """The exemption after an event; Conflict when the move is not allowed."""
    now = exemption.status if exemption else None
    if (now, event.type) not in TRANSITIONS:
        raise Conflict(f"an exemption that is {now or 'not there'} cannot take {event.type}")
    status = TRANSITIONS[now, event.type]
    if exemption is None:
        return Exemption(
            id=event.stream.partition(":")[2],
            status=status,
            request=ExemptionRequest.model_validate(event.data["request"]),
            created_by=event.actor,
            created_at=event.at,
            sequence=event.sequence,
        )
    return exemption.model_copy(
        update={"status": status, "ended_by": event.actor, "ended_at": event.at, "sequence": event.sequence}
    )

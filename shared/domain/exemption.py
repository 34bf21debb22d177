"""Exemptions: somebody accepts responsibility for what is not compliant, until a day that must be given."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from shared.domain import transition
from shared.domain.approval import DecisionReason
from shared.domain.event import Event, Recorded
from shared.domain.model import Model, Timestamp
from shared.domain.page import PageRequest


def _any_case_pattern(word: str) -> str:
    """Return a pattern of a word in any case, without the flag that OpenAPI's patterns do not have (ECMA-262)."""
    return "".join(f"[{letter.upper()}{letter.lower()}]" for letter in word)


_GROUP_PATTERN, _PROVIDER_PATTERN = (
    f"/{_any_case_pattern('resourceGroups')}/[^/]+",
    f"/{_any_case_pattern('providers')}/[^/]+(/[^/]+/[^/]+)+",
)
EXEMPTION_SCOPE_PATTERN = f"^/{_any_case_pattern('subscriptions')}/[^/]+({_GROUP_PATTERN})?({_PROVIDER_PATTERN})*$"


_UPN = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP = re.compile(r"[^\W_][^@\x00-\x1f\x7f]*[^\s@]")
_GROUP_PARTS = re.compile(r"[^\W\d_]+[\s._/-]+\w|\d[\s._/-]*[^\W\d_]|[^\W\d_]\d")
"""What tells the name of a group from a first name: a second word, or a digit."""
_NOBODY = frozenset({"n/a", "na", "none", "nobody", "no one", "unknown", "tbd", "todo", "me", "null", "owner"})


def _check_owner(given: str) -> str:
    """Refuse what names neither a person nor a group, by its form: nobody's directory is asked."""
    owner = given.strip()
    # What has an @ is an address or nothing. A single word may be anybody's first name, and a number nobody's.
    is_group = _GROUP.fullmatch(owner) and _GROUP_PARTS.search(owner)
    if owner.lower() in _NOBODY or not (_UPN.fullmatch(owner) or _OBJECT_ID.fullmatch(owner) or is_group):
        raise ValueError(
            "a person or a group is expected: an e-mail address or user principal name (ada@example.com), an object id "
            "(5d1c9c4e-0000-4000-8000-000000000001) or the name of a group of two words or more (platform-team)"
        )
    return owner


class ExemptionCategory(StrEnum):
    """The category of an exemption. Source: Azure Policy, "exemption structure"."""

    WAIVER = "Waiver"
    MITIGATED = "Mitigated"


class ExemptionStatus(StrEnum):
    """The status of an exemption."""

    PENDING = "pending"
    ACTIVE = "active"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    EXPIRED = "expired"


class SelectorCondition(Model):
    """A property of a resource that must be in a list, or not in it; exactly one of the two is given."""

    kind: Literal["resourceLocation", "resourceType", "resourceWithoutLocation"]
    one_of: tuple[str, ...] | None = Field(default=None, alias="in", max_length=50)
    none_of: tuple[str, ...] | None = Field(default=None, alias="notIn", max_length=50)

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if (self.one_of is None) == (self.none_of is None):
            raise ValueError("give either `in` or `notIn`")
        return self


class ResourceSelector(Model):
    """Selects resources for which every condition holds. Source: Azure Policy, "exemption structure"."""

    name: str = Field(default="", max_length=128)
    selectors: tuple[SelectorCondition, ...] = Field(min_length=1, max_length=3)


class ExemptionRequest(Model):
    """A request to exempt resources from policies."""

    scope: str = Field(
        min_length=2,
        max_length=1024,
        pattern=EXEMPTION_SCOPE_PATTERN,
        description="ARM id of a subscription, resource group or resource",
    )
    assignment: str = Field(min_length=1, max_length=1024, description="id or name of the assignment")
    references: tuple[str, ...] = Field(
        default=(), max_length=100, description="definition reference ids in its initiative; none for all of them"
    )
    resource_selectors: tuple[ResourceSelector, ...] = Field(
        default=(), max_length=10, description="only resources that one of these selects; none for all in the scope"
    )
    category: ExemptionCategory
    reason: DecisionReason = Field(max_length=2000, description="why this is acceptable, in a sentence")
    owner: Annotated[str, AfterValidator(_check_owner)] = Field(
        min_length=1,
        max_length=256,
        description="who is responsible: the e-mail address or user principal name of a person, an object id, or the "
        "name of a group of two words or more, such as platform-team",
    )
    expires_at: Timestamp = Field(description="when it ends; at most one year ahead")


class Exemption(Model):
    """An exemption as projected from its stream: it exempts nothing before somebody has approved it."""

    id: str
    status: ExemptionStatus
    request: ExemptionRequest
    created_by: str = Field(description="who asked for it")
    created_at: AwareDatetime
    approved_by: str | None = None
    approved_at: AwareDatetime | None = None
    ended_by: str | None = Field(default=None, description="who rejected, withdrew or revoked it")
    ended_at: AwareDatetime | None = None
    rejection_reason: str = ""
    applied: bool = Field(default=True, description="whether what it covers was evaluated since it began or ended")
    sequence: int = 0

    def covers(self, resource_id: str, assignment: str, reference: str, at: datetime) -> bool:
        """Return whether it exempts a resource from a policy in force. Ids compare without case."""
        names = [each.lower() for each in self.request.references]
        return (
            assignment.lower() == self.request.assignment.lower()
            and (not names or reference.lower() in names)
            and self.reaches(resource_id, at)
        )

    def reaches(self, resource_id: str, at: datetime) -> bool:
        """Return whether it exempts a resource from anything. Ids compare without case, by whole segments."""
        scope = self.request.scope.lower().rstrip("/")
        # Whole segments: an exemption of .../rg must not cover .../rg-other.
        below = resource_id.lower()
        return (
            self.status == ExemptionStatus.ACTIVE
            and at < self.request.expires_at
            and (below == scope or below.startswith(f"{scope}/"))
        )


class ExemptionRequested(Event):
    """Somebody asks that what is not compliant be accepted, and names who is responsible."""

    type: Literal["exemptionRequested"] = "exemptionRequested"
    version: Literal[1] = 1
    request: ExemptionRequest


class ExemptionApproved(Event):
    """Somebody approves it, and it begins."""

    type: Literal["exemptionApproved"] = "exemptionApproved"
    version: Literal[1] = 1


class ExemptionRejected(Event):
    """Somebody turns it down."""

    type: Literal["exemptionRejected"] = "exemptionRejected"
    version: Literal[1] = 1
    reason: str


class ExemptionWithdrawn(Event):
    """Whoever asked for it asks for it no more."""

    type: Literal["exemptionWithdrawn"] = "exemptionWithdrawn"
    version: Literal[1] = 1


class ExemptionRevoked(Event):
    """Somebody ends it before its day."""

    type: Literal["exemptionRevoked"] = "exemptionRevoked"
    version: Literal[1] = 1


class ExemptionExpired(Event):
    """Its day has come."""

    type: Literal["exemptionExpired"] = "exemptionExpired"
    version: Literal[1] = 1


class ExemptionApplied(Event):
    """The findings that it covers were judged since it last changed."""

    type: Literal["exemptionApplied"] = "exemptionApplied"
    version: Literal[1] = 1


type ExemptionEvent = Annotated[
    ExemptionRequested
    | ExemptionApproved
    | ExemptionRejected
    | ExemptionWithdrawn
    | ExemptionRevoked
    | ExemptionExpired
    | ExemptionApplied,
    Field(discriminator="type"),
]


TRANSITIONS: Mapping[tuple[ExemptionStatus | None, type[Event]], ExemptionStatus] = {
    (None, ExemptionRequested): ExemptionStatus.PENDING,
    (ExemptionStatus.PENDING, ExemptionApproved): ExemptionStatus.ACTIVE,
    (ExemptionStatus.PENDING, ExemptionRejected): ExemptionStatus.REJECTED,
    (ExemptionStatus.PENDING, ExemptionWithdrawn): ExemptionStatus.WITHDRAWN,
    (ExemptionStatus.PENDING, ExemptionExpired): ExemptionStatus.EXPIRED,
    (ExemptionStatus.ACTIVE, ExemptionRevoked): ExemptionStatus.REVOKED,
    (ExemptionStatus.ACTIVE, ExemptionExpired): ExemptionStatus.EXPIRED,
    **{(status, ExemptionApplied): status for status in ExemptionStatus},
}
"""(status, event) -> the status after it."""


def apply(exemption: Exemption | None, recorded: Recorded[ExemptionEvent]) -> Exemption:
    """Return the exemption after an event; Conflict when the move is not allowed."""
    event, now = recorded.event, exemption.status if exemption else None
    if (now, type(event)) not in TRANSITIONS:
        raise transition.refused("an exemption", now, event.type)
    status = TRANSITIONS[now, type(event)]
    if isinstance(event, ExemptionRequested):
        return Exemption(
            id=recorded.thing,
            status=status,
            request=event.request,
            created_by=recorded.actor,
            created_at=recorded.at,
            sequence=recorded.sequence,
        )
    assert exemption is not None  # the table allows only a request for an exemption that does not exist
    changes = _changes(event, exemption, recorded)
    return exemption.model_copy(update={**changes, "status": status, "sequence": recorded.sequence})


def _changes(event: ExemptionEvent, exemption: Exemption, recorded: Recorded[ExemptionEvent]) -> Mapping[str, object]:
    """Return the fields that an event changes besides the status."""
    if isinstance(event, ExemptionApplied):
        return {"applied": True}
    if isinstance(event, ExemptionApproved):
        return {"approved_by": recorded.actor, "approved_at": recorded.at, "applied": False}
    # What never began has nothing to be evaluated again.
    ended = {"ended_by": recorded.actor, "ended_at": recorded.at, "applied": exemption.approved_at is None}
    return {**ended, "rejection_reason": event.reason} if isinstance(event, ExemptionRejected) else ended


class ExemptionListing(PageRequest):
    """Chooses exemptions."""

    status: tuple[ExemptionStatus, ...] = ()

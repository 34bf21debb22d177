"""Approval by a second person: which actions need one, and who that may be."""

import unicodedata
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from shared.domain.error import Forbidden
from shared.domain.identity import SYSTEM_SUBJECT, Caller, CallerKind


class ApprovableAction(StrEnum):
    """An action that one person asks for, and another may have to approve."""

    REMEDIATION = "remediation"
    ROLLBACK = "rollback"
    EXEMPTION = "exemption"


_REQUIRED = frozenset(ApprovableAction)
REASON_CHARACTERS = 10


def _check_reason(given: str) -> str:
    """Refuse what says nothing: fewer than two words."""
    reason = given.strip()
    if len(reason) < REASON_CHARACTERS or len(reason.split()) < 2:  # noqa: PLR2004 - a word is no reason
        raise ValueError(f"say in a sentence why: at least {REASON_CHARACTERS} characters and two words")
    return reason


# The length is for the reference alone: the check has words for it.
DecisionReason = Annotated[
    str, AfterValidator(_check_reason), Field(json_schema_extra={"minLength": REASON_CHARACTERS})
]
"""Why somebody asks for an exemption, or rejects what another asked for."""


def required(action: ApprovableAction) -> bool:
    """Return whether an action waits until a second person has approved it; nothing else decides that."""
    return action in _REQUIRED


def check_approver(approver: Caller, requester: str, action: ApprovableAction) -> None:
    """Raise Forbidden for whoever asked for an action, and for anything but a person."""
    if same_person(approver.subject, requester):
        raise Forbidden(f"who asked for this {action} cannot approve it: someone else has to")
    nobody = same_person(approver.subject, SYSTEM_SUBJECT) or not approver.subject.strip()
    if nobody or approver.kind is not CallerKind.USER:
        raise Forbidden(f"only a person can approve this {action}")


def same_person(one: str, other: str) -> bool:
    """Return whether two names are one person's, however they are spelled."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    # Two spellings of one name must not pass for two people: nobody approves what they asked for.
    return unicodedata.normalize("NFKC", name).strip().casefold()

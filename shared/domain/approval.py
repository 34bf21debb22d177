"""Approval by a second person: which actions need one, and who that may be."""

import unicodedata
from enum import StrEnum

from shared.domain.error import Forbidden
from shared.domain.identity import SYSTEM_SUBJECT, Caller, CallerKind


class ApprovableAction(StrEnum):
    """An action that one person asks for, and another may have to approve."""

    REMEDIATION = "remediation"
    ROLLBACK = "rollback"
    EXEMPTION = "exemption"


_REQUIRED = frozenset(ApprovableAction)


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

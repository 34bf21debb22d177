"""Says in words why an event is not allowed for a thing in its status."""

import re

from shared.domain.error import Conflict

_REQUESTS = {
    "cancelRequested": "be cancelled",
    "rollbackRequested": "be rolled back",
    "remediationApproved": "be approved",
    "remediationRejected": "be rejected",
    "exemptionRevoked": "be revoked",
    "importRequested": "be started",
}
"""Event that somebody asks for -> what was asked for; all other events are the work's own."""
_ENDS = frozenset({"succeeded", "partlySucceeded", "failed", "completed", "expired"})
"""Statuses that say what a thing has done; the others say what it is."""


def refused(thing: str, status: str | None, event_type: str) -> Conflict:
    """Return the error for an event that the status of a thing ("a scan") does not allow; None: there is no thing."""
    now = f"{'has' if status in _ENDS else 'is'} {_words(status)}" if status else "does not exist"
    asked = _REQUESTS.get(event_type, f"have '{_words(event_type)}' recorded")
    return Conflict(f"{thing} that {now} cannot {asked}")


def _words(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f" {found[0].lower()}", name)

"""What a verification finds: where the state that scans of changes keep differs from what a full scan reads."""

from enum import StrEnum

from pydantic import Field

from shared.domain.inventory import ExternalText
from shared.domain.model import Model

SCAN_DIFFERENCE_ITEMS = 20
"""Differences that a record names; the others are counted."""


class ScanMode(StrEnum):
    """How a scan collects: what has changed where that is possible, everything, or both to compare them."""

    CHANGES = "changes"
    FULL = "full"
    VERIFICATION = "verification"


class ScanDifferenceKind(StrEnum):
    """What differs. `related` alone is no alarm: what belongs to a resource is read at a slower rhythm, by design."""

    BODY = "body"
    MISSING = "missing"
    RELATED = "related"
    VERDICT = "verdict"


class ScanDifference(Model):
    """One resource whose kept state is not what a full scan comes to, though nothing told of a change."""

    kind: ScanDifferenceKind = Field(
        description="the body differs, the resource was not known, what belongs to it differs, or a verdict differs"
    )
    resource: str = Field(description="ARM id")
    cause: ExternalText = Field(default="", description="what differs, and why no scan of changes saw it")

    @property
    def is_alarm(self) -> bool:
        """Return whether somebody has to look into it."""
        return self.kind is not ScanDifferenceKind.RELATED

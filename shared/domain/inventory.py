"""Subscriptions, management groups, gaps, permission checks, and bad records of an import."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from shared.domain.model import Model

EXTERNAL_TEXT_CHARACTERS = 1_000
ExternalText = Annotated[str, AfterValidator(lambda text: text[:EXTERNAL_TEXT_CHARACTERS])]
"""Text from another system, truncated to a thousand characters."""


class UnreadReason(StrEnum):
    """The reason why something could not be read."""

    FORBIDDEN = "forbidden"
    UNSUPPORTED = "unsupported"
    TIMEOUT = "timeout"
    PARTIAL = "partial"
    NOT_COLLECTED = "notCollected"
    FAILED = "failed"
    DAMAGED = "damaged"


class ManagementGroup(Model):
    """A management group. `parent` is the id of the one above; None for the top."""

    id: str
    name: str
    display_name: str = ""
    parent: str | None = None


class Subscription(Model):
    """A subscription. `id` is the GUID, lower case; display names may repeat, so nothing is keyed by them."""

    id: str
    display_name: str = ""
    state: str = "Enabled"
    management_groups: tuple[str, ...] = ()


class Gap(Model):
    """A part that could not be read: its scope, the reason, and what would allow it."""

    scope: str = Field(description="ARM scope the read was for: a subscription or a resource id")
    part: str = Field(description="a resource type, a provider, or a property path")
    reason: UnreadReason
    permission: str | None = Field(default=None, description="the ARM action that would have allowed it")
    role: str | None = Field(default=None, description="the least built-in role that grants it")
    at: AwareDatetime
    message: ExternalText = ""


class PermissionCheck(Model):
    """A call that a scan makes: whether it is allowed, and which role would allow it."""

    scope: str
    call: str
    allowed: bool
    permission: str
    role: str | None = None
    message: str = ""
    remedy: str | None = Field(default=None, description="the command that would allow it")


class RecordError(Model):
    """A record of an import that was left out."""

    position: int = Field(description="1-based number of the record in the file")
    line: int | None = Field(default=None, description="1-based number of the line the record begins in, where known")
    offset: int | None = Field(default=None, description="byte offset in the decompressed file, where known")
    path: str = Field(default="$", description="JSON path of the invalid part")
    reason: str

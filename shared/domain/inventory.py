"""What collecting speaks of: subscriptions, gaps, permission checks, and what an import found."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from shared.domain.model import Model


class Reason(StrEnum):
    """Why something could not be read."""

    FORBIDDEN = "forbidden"
    UNSUPPORTED = "unsupported"
    TIMEOUT = "timeout"
    PARTIAL = "partial"
    NOT_COLLECTED = "notCollected"
    FAILED = "failed"


class ManagementGroup(Model):
    """A management group and where it hangs."""

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
    """Something that could not be read: where, what, why, and what would allow it."""

    scope: str = Field(description="ARM scope the read was for: a subscription or a resource id")
    part: str = Field(description="a resource type, a provider, or a property path")
    reason: Reason
    permission: str | None = Field(default=None, description="the ARM action that would have allowed it")
    role: str | None = Field(default=None, description="the least built-in role that grants it")
    at: AwareDatetime
    message: str = ""


class PermissionCheck(Model):
    """One call a scan will make, tried before: whether it works, and which role would fix it."""

    scope: str
    call: str
    allowed: bool
    permission: str
    role: str | None = None
    message: str = ""


class BadRecord(Model):
    """A record of an import that was left out."""

    position: int = Field(description="1-based number of the record in the file")
    line: int | None = Field(default=None, description="1-based number of the line the record begins in, where known")
    offset: int | None = Field(default=None, description="byte offset in the decompressed file, where known")
    path: str = Field(default="$", description="JSON path of the offending part")
    reason: str


class ImportReport(Model):
    """What an import took and what it left."""

    format: str
    records: int = 0
    kept: int = 0
    bad: int = 0
    first_bad: tuple[BadRecord, ...] = Field(default=(), description="the first 100")
    subscriptions: tuple[str, ...] = ()

"""The alias listing of a tenant: which version of it is in force, and since when."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from shared.domain.event import Event, Recorded
from shared.domain.progress import Waiting


class AliasListing(Waiting):
    """The provider listing that was read last. `hash` names its content, the blob that holds it and what is cached.

    `names` counts aliases, `providers` resource providers; `at` is when the content last changed. Before the first
    one was read there is no `hash`. `reason` says why reading it again waits or failed.
    """

    hash: str = ""
    names: int = 0
    providers: int = 0
    at: datetime | None = None
    tries: int = Field(default=0, description="how often the read was put off in a row")
    sequence: int = 0


class AliasesRefreshed(Event):
    """The listing was read, and has changed."""

    type: Literal["aliasesRefreshed"] = "aliasesRefreshed"
    version: Literal[1] = 1
    hash: str
    names: int
    providers: int


class AliasesUnread(Event):
    """The listing could not be read; it is tried again at `until`, or with the next day's without one."""

    type: Literal["aliasesUnread"] = "aliasesUnread"
    version: Literal[1] = 1
    until: AwareDatetime | None
    reason: str


type AliasEvent = Annotated[AliasesRefreshed | AliasesUnread, Field(discriminator="type")]


def apply(known: AliasListing | None, recorded: Recorded[AliasEvent]) -> AliasListing:
    """Return the listing after an event."""
    event, sequence = recorded.event, recorded.sequence
    if isinstance(event, AliasesRefreshed):
        content = {"hash": event.hash, "names": event.names, "providers": event.providers}
        return AliasListing(**content, at=recorded.at, sequence=sequence)
    before = known or AliasListing()
    waits = {"waiting_until": event.until, "reason": event.reason, "tries": before.tries + 1}
    return before.model_copy(update={**waits, "sequence": sequence})

"""The alias listing of a tenant: which version of it is in force, and since when."""

from datetime import datetime

from shared.domain.event import Event
from shared.domain.model import Model

REFRESHED = "aliasesRefreshed"


class AliasListing(Model):
    """The provider listing that was read last. `hash` names its content, the blob that holds it and what is cached.

    `names` counts aliases, `providers` resource providers; `at` is when the content last changed.
    """

    hash: str
    names: int
    providers: int
    at: datetime
    sequence: int


def apply(_: AliasListing | None, event: Event) -> AliasListing:
    """The listing after an event."""
    return AliasListing(**event.data, at=event.at, sequence=event.sequence)

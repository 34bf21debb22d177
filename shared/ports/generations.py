"""Generations: the documents that follow from events, kept more than once while they are made again."""

from typing import Protocol

from shared.ports.documents import Documents

SETTLED_SECONDS = 10.0
"""After so long, every process follows a switch."""


class Generations(Protocol):
    """Knows which generation of a tenant's projected documents is in use, and opens any of them.

    A rebuild makes the next generation while the one in use is read and written, then switches. Documents that do not
    follow from events are in no generation, and the same in each.
    """

    def current(self, *, tenant: str) -> int:
        """Return which generation is in use; 0 before the first switch."""
        ...

    def at(self, *, tenant: str, generation: int) -> Documents:
        """Open the documents of one generation of a tenant, whichever is in use."""
        ...

    def switch(self, *, tenant: str, before: int, to: int) -> None:
        """Put another generation in use, by one conditional write; Stale when `before` is no longer in use."""
        ...

"""Identity: who stands behind a token."""

from typing import Protocol

from shared.domain.identity import Principal


class Identity(Protocol):
    """Safe for several threads, and quick enough for an event loop: it never waits for a network or a disk."""

    def authenticate(self, token: str) -> Principal:
        """Who the token was given to; Unauthenticated, whose message never says why, for every token but a good one."""
        ...

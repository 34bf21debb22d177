"""Identity: who a token was given to."""

from typing import Protocol

from shared.domain.identity import Caller


class Identity(Protocol):
    """Safe for several threads, and quick enough for an event loop: it never waits for a network or a disk."""

    def authenticate(self, token: str) -> Caller:
        """Return who the token was given to; Unauthenticated when it is not valid, without saying why."""
        ...

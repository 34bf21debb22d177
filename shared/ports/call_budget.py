"""Call budget: how many calls a cloud still takes, shared by all who call it as the same principal."""

from typing import Protocol

from shared.domain.call_budget import CallScope

CALL_WAIT_SECONDS = 10.0
"""Seconds that one call waits at most for its turn; longer waits are for the caller to plan."""


class CallBudget(Protocol):
    """Tells when the next call may be sent, so that all together stay within what the cloud takes.

    A budget never stops the product: when its store does not answer, calls go on by what this process knows. It is
    safe for several threads.
    """

    def take(self, scope: CallScope) -> float:
        """Take one call, and return the seconds after which it may be sent; 0 for now.

        Errors: Throttled when that is more than `CALL_WAIT_SECONDS`, and nothing is taken.
        """
        ...

    def learn(self, scope: CallScope, remaining: int) -> None:
        """Take note of how many calls the cloud has left, as the response to a call says."""
        ...

    def learn_throttling(self, scope: CallScope, retry_after: float) -> None:
        """Take note that the cloud refused a call, and has none left for so many seconds."""
        ...

"""Holds what a step on the records of one tenant works with."""

from dataclasses import dataclass, replace
from typing import Self

from shared.domain.event import Actor
from shared.domain.identity import Caller
from shared.ports.blobs import Blobs
from shared.ports.clock import Now
from shared.ports.documents import Documents


@dataclass(frozen=True, slots=True)
class Store:
    """What a step on the records of one tenant works with, on whose behalf, and in which piece of work.

    `reason` is why, where somebody said so; `causation` the recorded event that led to the step.
    """

    documents: Documents
    blobs: Blobs
    now: Now
    caller: Caller
    correlation: str
    reason: str = ""
    causation: str | None = None

    @property
    def tenant(self) -> str:
        """Name the only tenant that can be reached."""
        return self.caller.tenant

    @property
    def actor(self) -> Actor:
        """Name who decides, as events record it."""
        told = {"reason": self.reason, "causation": self.causation}
        return Actor(name=self.caller.subject, correlation=self.correlation, **told)

    def led_by(self, stream: str, sequence: int) -> Self:
        """Return the same for what a recorded event leads to."""
        return replace(self, causation=f"{stream}:{sequence}")

"""Events: what happened to one thing, in order; each kind of event is a model of its own, with a version."""

from pydantic import AwareDatetime, SerializeAsAny

from shared.domain.model import Model


class Event(Model):
    """States what happened, as it was decided.

    Each kind is a subclass with a `type` and a `version`, both literal. What is recorded is never changed: another
    form of an event is its next version, with an upcaster from the version before (eventstore/stream.py).
    """

    type: str
    version: int


class Recorded[E: Event](Model):
    """Records an event in the stream of the thing it happened to ("scan:01…"); `sequence` counts from 1.

    `actor` decided it, `on_behalf_of` whoever asked for what the actor does, for this `reason`. `correlation` names
    the piece of work, `causation` the recorded event ("stream:sequence") that led to this one.
    """

    stream: str
    sequence: int
    at: AwareDatetime
    actor: str
    on_behalf_of: str | None = None
    reason: str = ""
    correlation: str
    causation: str | None = None
    event: SerializeAsAny[E]

    @property
    def thing(self) -> str:
        """Return the id of the thing it happened to."""
        return self.stream.partition(":")[2]


class Actor(Model):
    """Names who decides (a person, or "system"), in which piece of work, on whose behalf, why and led by what."""

    name: str
    correlation: str
    on_behalf_of: str | None = None
    reason: str = ""
    causation: str | None = None

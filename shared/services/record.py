"""Decide, record, project for things that are one document: a scan, a remediation, an exemption, an import."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.error import NotFound, Stale
from shared.domain.event import Actor, Event, Fact
from shared.domain.model import Model
from shared.ports.clock import Now
from shared.ports.documents import Documents
from shared.services import stream

TRIES = 20


@dataclass(frozen=True, slots=True)
class Kind[T: Model]:
    """A kind of thing: its document kind (also the start of its stream's name), its model and how events change it."""

    name: str
    model: type[T]
    apply: Callable[[T | None, Event], T]

    def stream(self, thing_id: str) -> str:
        """The name of the thing's stream."""
        return f"{self.name}:{thing_id}"


type Decision[T: Model] = Callable[[T | None], Sequence[Fact]]
"""What looks at a thing as it is now and answers the facts to record."""


def sequence_of(thing: Model | None) -> int:
    """The sequence that a projected thing reflects; 0 for none."""
    return int(getattr(thing, "sequence", 0)) if thing is not None else 0


def find[T: Model](kind: Kind[T], thing_id: str, *, documents: Documents, tenant: str) -> T | None:
    """The thing as projected; a cheap point read that may lag a projector that died."""
    document = documents.get(tenant=tenant, kind=kind.name, id=thing_id)
    return kind.model.model_validate(document.body) if document else None


def current[T: Model](kind: Kind[T], thing_id: str, *, documents: Documents, tenant: str) -> T | None:
    """The thing with all its events applied; catches the document up when its projector had died."""
    thing = find(kind, thing_id, documents=documents, tenant=tenant)
    events = list(
        stream.read(documents=documents, tenant=tenant, stream=kind.stream(thing_id), after=sequence_of(thing))
    )
    return project(kind, thing, events, documents=documents, tenant=tenant) if events else thing


def project[T: Model](
    kind: Kind[T], thing: T | None, events: Sequence[Event], *, documents: Documents, tenant: str
) -> T:
    """Apply events to the thing and store it."""
    for event in events:
        thing = kind.apply(thing, event)
    assert thing is not None  # events were given
    thing_id = events[-1].stream.partition(":")[2]
    body: dict[str, Any] = thing.model_dump(mode="json")
    documents.put_many(tenant=tenant, kind=kind.name, items={thing_id: body}, newer_by="sequence")
    return thing


def decide[T: Model](
    kind: Kind[T],
    thing_id: str,
    decision: Decision[T],
    *,
    documents: Documents,
    now: Now,
    tenant: str,
    actor: Actor,
) -> T:
    """Let `decision` look at the thing, record the facts it answers and project them; again when others were first.

    A decision that answers no facts leaves the thing as it is. NotFound when there is nothing and nothing comes;
    what the kind's `apply` raises for a fact that is not allowed, Conflict say, before anything is recorded.
    """
    for _ in range(TRIES):
        thing = current(kind, thing_id, documents=documents, tenant=tenant)
        facts = decision(thing)
        if not facts:
            if thing is None:
                raise NotFound(f"there is no {kind.name} {thing_id}")
            return thing
        name, after = kind.stream(thing_id), sequence_of(thing)
        _rehearse(kind, thing, stream.prepare(facts, stream=name, after=after, at=now(), actor=actor))
        try:
            events = stream.append(
                facts, documents=documents, now=now, tenant=tenant, stream=name, after=after, actor=actor
            )
        except Stale:
            continue
        return project(kind, thing, events, documents=documents, tenant=tenant)
    raise Stale(f"{kind.name} {thing_id} kept changing; try again")


def _rehearse[T: Model](kind: Kind[T], thing: T | None, events: Sequence[Event]) -> None:
    """Apply events that are not recorded yet: a stream must never hold one that its thing cannot take."""
    for event in events:
        thing = kind.apply(thing, event)

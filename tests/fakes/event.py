"""Reads the events of any stream, as the tests that look at what was recorded want them."""

from typing import Any

from shared.domain.event import Event, Recorded
from shared.domain.identity import Caller
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.ports.documents import Documents
from shared.services.rebuild import STREAMS

NOBODY: Any = None


def recorded(documents: Documents, tenant: str, name: str) -> list[Recorded[Any]]:
    """Read the events of a stream by its name."""
    kind, _, thing = name.partition(":")
    store = Store(documents, NOBODY, NOBODY, Caller.system(tenant), "c")
    return list(stream.read(STREAMS[kind], thing, store=store))


def of(store: Store, name: str) -> list[Recorded[Any]]:
    """Read the events of a stream of the store's tenant."""
    return recorded(store.documents, store.tenant, name)


def types(store: Store, name: str) -> list[str]:
    """Answer the types of the events of a stream, in order."""
    return [each.event.type for each in of(store, name)]


def append(store: Store, kind: str, thing: str, *events: Event) -> None:
    """Record events of a thing as a process does that dies before it projects them."""
    known = STREAMS[kind]
    before = len(of(store, known.of(thing)))
    prepared = stream.prepare(known, thing, events, thing=None, store=store)
    stream.append([each.model_copy(update={"sequence": before + each.sequence}) for each in prepared], store=store)

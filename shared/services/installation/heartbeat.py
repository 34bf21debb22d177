"""Heartbeats: when each timer last ran and an event last came, so that their absence is noticed."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from shared.domain.identity import REGISTRY_TENANT
from shared.ports.documents import Documents, Query

KIND = "heartbeat"
EVENT_HEARTBEAT = "events"
HEARTBEAT_INTERVAL = timedelta(seconds=50)
"""How often a process writes a heartbeat at most."""
HEARTBEAT_ITEMS = 100

_latest: WeakKeyDictionary[Documents, dict[str, datetime]] = WeakKeyDictionary()
_turn = threading.Lock()


def beat(name: str, *, documents: Documents, at: datetime) -> None:
    """Record that something has just happened."""
    # Under the lock only the decision, not the write: a slow store must not hold up other threads.
    with _turn:
        known = _latest.setdefault(documents, {})
        # After the clock was set back, the difference is negative: the heartbeat is written again.
        if name in known and timedelta(0) <= at - known[name] < HEARTBEAT_INTERVAL:
            return
        known[name] = at
    documents.put(tenant=REGISTRY_TENANT, kind=KIND, id=name, body={"at": at.isoformat()})


def last(*, documents: Documents) -> Mapping[str, datetime]:
    """Return when each thing happened last, by name."""
    page = documents.query(tenant=REGISTRY_TENANT, kind=KIND, query=Query(), limit=HEARTBEAT_ITEMS)
    return {each.id: datetime.fromisoformat(each.body["at"]) for each in page.items}

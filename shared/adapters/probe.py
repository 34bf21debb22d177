"""The check of every adapter whether its store works: write something small, read it back.

What is written is the same each time, so that several processes may try at once.
"""

from datetime import timedelta

from shared.domain.error import Unavailable
from shared.ports.blobs import Blobs
from shared.ports.documents import Documents
from shared.ports.queue import Queue

PROBE_NAME = "readiness"
"""The tenant, kind, blob and queue of the probes: nothing of a customer is touched."""
_BODY = {"probe": "written to be read back"}
_DATA = b"written to be read back\n" * 1000
_VISIBILITY_TIMEOUT = timedelta(seconds=5)


def documents(store: Documents) -> None:
    """Write a document and read it; Unavailable when it does not read back."""
    store.put(tenant=PROBE_NAME, kind=PROBE_NAME, id=PROBE_NAME, body=_BODY)
    found = store.get(tenant=PROBE_NAME, kind=PROBE_NAME, id=PROBE_NAME)
    if found is None or found.body != _BODY:
        raise Unavailable("a document that was just written does not read back")


def blobs(store: Blobs) -> None:
    """Write a blob and read it; Unavailable when it does not read back."""
    store.put(tenant=PROBE_NAME, name=PROBE_NAME, data=_DATA)
    if store.get(tenant=PROBE_NAME, name=PROBE_NAME) != _DATA:
        raise Unavailable("a blob that was just written does not read back")


def queue(store: Queue) -> None:
    """Send a message, then receive and delete what is there; another process may have been faster."""
    # All that is there is removed, so that probes that died before leave nothing behind.
    store.send(PROBE_NAME, PROBE_NAME)
    for message in store.receive(PROBE_NAME, limit=32, visibility=_VISIBILITY_TIMEOUT):
        store.delete(PROBE_NAME, message)

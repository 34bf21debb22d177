"""The registry of tenants: each is known before its first event, so that timers find the work of all."""

import contextlib
import threading
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from shared.domain.error import AlreadyExists
from shared.domain.identity import REGISTRY_TENANT
from shared.ports.documents import Documents, Query, each_document

KIND = "tenant"

_known: WeakKeyDictionary[Documents, set[str]] = WeakKeyDictionary()
_knowing = threading.Lock()


def register(tenant: str, *, documents: Documents) -> None:
    """Add the tenant to the registry; a process writes each tenant of a store once, and remembers."""
    with _knowing:
        known = _known.setdefault(documents, set())
    if tenant in known:
        return
    with contextlib.suppress(AlreadyExists):
        documents.create(tenant=REGISTRY_TENANT, kind=KIND, id=tenant, body={"tenant": tenant})
    known.add(tenant)


def listed(*, documents: Documents, configured: str) -> Sequence[str]:
    """Return all tenants that ever recorded anything, and the `configured` one, sorted. One partition is read."""
    known = each_document(KIND, Query(), documents=documents, tenant=REGISTRY_TENANT)
    return sorted({configured, *(each.id for each in known)})

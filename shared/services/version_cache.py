"""Remembers what was made of stored documents, by their version: what has not changed is not made again.

A version is the etag that the store gave with the document just now, so nothing out of date is ever answered.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from weakref import WeakKeyDictionary

from shared.ports.documents import Documents

CacheKey = tuple[str, str, str, str]
"""The tenant, kind and id of a document, and what is made of it."""


class VersionCache[T]:
    """Keeps what was used last, one version of each, for each store; safe for several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: WeakKeyDictionary[Documents, OrderedDict[CacheKey, tuple[str, T]]] = WeakKeyDictionary()

    def get(self, documents: Documents, place: CacheKey, etag: str, make: Callable[[], T]) -> T:
        """Find what was made of a version, or make it; what `make` raises is not remembered."""
        with self._lock:
            kept = self._kept.setdefault(documents, OrderedDict())
            known = kept.get(place)
            # Another etag is another version: what was made of the old one is replaced below.
            if known is not None and known[0] == etag:
                kept.move_to_end(place)
                return known[1]
        made = make()
        with self._lock:
            # Made outside of the lock: two threads may make it twice, and neither waits for the other.
            kept[place] = etag, made
            while len(kept) > self._most:
                kept.popitem(last=False)
        return made

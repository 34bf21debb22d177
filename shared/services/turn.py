"""Threads of one process take turns: optimistic locking among them would only repeat what each has worked out."""

import threading
from contextlib import AbstractContextManager
from weakref import WeakKeyDictionary, WeakValueDictionary

from shared.ports.documents import Documents


class Turns:
    """Locks by store and name, which are there as long as somebody holds or awaits them.

    A thread may take its turn again within its turn. Other processes are kept out by the store alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: WeakKeyDictionary[Documents, WeakValueDictionary[str, AbstractContextManager[bool]]]
        self._locks = WeakKeyDictionary()

    def at(self, documents: Documents, name: str) -> AbstractContextManager[bool]:
        """Return the lock of a name."""
        with self._lock:
            locks = self._locks.setdefault(documents, WeakValueDictionary())
            return locks.setdefault(name, threading.RLock())

"""The SDK's connection to Cosmos DB, made safe for several threads."""

import threading

from azure.core.utils import CaseInsensitiveDict
from azure.cosmos import CosmosClient
from azure.cosmos._cosmos_client_connection import CosmosClientConnection

_HEADERS = "last headers by thread"
"""Where a connection keeps them: a name that no attribute of the SDK has."""


class ThreadSafeConnection(CosmosClientConnection):
    """Keeps the headers of the last response for each thread.

    The SDK keeps them once for all. Whoever ends a call writes its number of retries into them, although they may be
    another thread's, which fails if it reads them at that moment ("OrderedDict mutated during iteration"); and a
    session that is not there yet is cleared by the token of another call. Source: azure-cosmos 4.17, `_retry_utility`.
    """

    @property
    def last_response_headers(self) -> CaseInsensitiveDict:
        """Return the headers of the last response that this thread has got."""
        headers: CaseInsensitiveDict = self._headers.__dict__.setdefault("headers", CaseInsensitiveDict())
        return headers

    @last_response_headers.setter
    def last_response_headers(self, headers: CaseInsensitiveDict) -> None:
        self._headers.headers = headers

    @property
    def _headers(self) -> threading.local:
        found: threading.local = self.__dict__.setdefault(_HEADERS, threading.local())
        return found


def make_thread_safe(client: CosmosClient) -> CosmosClient:
    """Return the same client with a connection that several threads may use at once."""
    # The client makes its connection itself, and takes none that is given.
    client.client_connection.__class__ = ThreadSafeConnection
    return client

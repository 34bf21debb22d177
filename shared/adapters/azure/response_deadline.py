"""Responses that end: each byte of one is received before its deadline, whatever the server sends meanwhile.

A timeout of the socket bounds one receive, and a check between pieces of a body sees only pieces: informational
responses, headers, extensions of chunks, trailers and compressed nothing could go on for ever.
"""

import io
import socket
import time
from collections.abc import Buffer
from http.client import HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

RESPONSE_SECONDS = 60.0
"""Seconds that one response may take, from the request's end to its own."""


class DeadlineExceeded(Exception):
    """A response that was not complete at its deadline."""


class _Stream(io.RawIOBase):
    """What a socket receives until the deadline; DeadlineExceeded after it."""

    def __init__(self, received: io.RawIOBase, sock: socket.socket) -> None:
        self._received = received
        self._sock = sock
        self._until = time.monotonic() + RESPONSE_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        wait, left = self._sock.gettimeout(), self._until - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded
        if wait is None or left < wait:
            # The next request on this connection sets its own.
            self._sock.settimeout(left)
        try:
            return self._received.readinto(buffer)
        except TimeoutError as error:
            if time.monotonic() < self._until:
                raise
            raise DeadlineExceeded from error

    def close(self) -> None:
        self._received.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *options: Any, **named: Any) -> None:  # noqa: ANN401 - the client's protocol
        super().__init__(sock, *options, **named)
        self.fp = io.BufferedReader(_Stream(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _SecurePool}
"""The classes of connections whose responses have a deadline, by scheme."""

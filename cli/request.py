"""One HTTP call, bounded in time and in the bytes of its answer, whatever is at the other end."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import httpx2

_ENCODINGS = ("", "identity", "gzip")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer with its whole content."""

    status: int
    phrase: str
    kind: str
    host: str
    content: bytes

    @property
    def ok(self) -> bool:
        """Return whether it is a success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - 2xx

    def json(self) -> object:
        """Return the JSON value; None when the content is not JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


class TooLargeError(Exception):
    """An answer has more bytes than allowed."""


def read_bounded(response: httpx2.Response, most: int, ends: float) -> bytes:
    """Return the body; TooLargeError beyond `most` bytes, TimeoutError when it is incomplete at the time `ends`."""
    if response.headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
        raise httpx2.DecodingError("an encoding that was not asked for")
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > most:
            raise TooLargeError(f"more than {most >> 20} MB")
        if time.monotonic() > ends:
            raise TimeoutError
    return bytes(content)


def run_within(seconds: float, work: Callable[[], HttpResponse]) -> HttpResponse:
    """Return or raise what the work does; TimeoutError after `seconds` in all, which no timeout of httpx bounds."""
    # timeouts of the client bound each wait, not their sum: a server that sends a byte now and then would never end
    done: Future[HttpResponse] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(seconds)

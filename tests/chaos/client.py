"""A caller of the API that does not give up: what got no answer is asked again under the same idempotency key."""

import threading
import time
import uuid
from collections import Counter
from typing import Any

import httpx2

from tests.fakes.product import Json, mint

TIMEOUT_SECONDS = 120.0
BUSY = (429, 503)
SERVER_ERROR = 500
RETRY_SECONDS = 0.2


class Client:
    """Calls as one person. `answers` counts every answer by method, first part of the path and status."""

    def __init__(self, url: str, role: str, answers: Counter[str]) -> None:
        self._http = httpx2.Client(base_url=f"{url}/api/v1", timeout=30)
        self._bearer = f"Bearer {mint(role)}"
        self._answers = answers
        self._lock = threading.Lock()

    def post(self, path: str, body: Any = None, *, content: bytes | None = None) -> httpx2.Response:
        """Have something done once, however often it takes to hear so."""
        return self._insist("POST", path, {"idempotency-key": str(uuid.uuid4())}, body, content)

    def get(self, path: str, **query: Any) -> Json:
        """Read, until there is an answer that says something."""
        found: Json = self._insist("GET", path, {}, None, None, query).json()
        return found

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _insist(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Any,
        content: bytes | None,
        query: dict[str, Any] | None = None,
    ) -> httpx2.Response:
        headers = {**headers, "authorization": self._bearer}
        if content is not None:
            headers["content-type"] = "application/json"
        until = time.monotonic() + TIMEOUT_SECONDS
        while True:
            answer = self._try(method, path, json=body, content=content, params=query, headers=headers)
            if answer is not None and answer.status_code not in BUSY and not _is_under_way(answer):
                return answer
            if time.monotonic() > until:
                raise AssertionError(f"{method} {path} got no answer in {TIMEOUT_SECONDS:.0f} s, at last {answer}")
            time.sleep(RETRY_SECONDS)

    def _try(self, method: str, path: str, **how: Any) -> httpx2.Response | None:
        try:
            answer = self._http.request(method, path, **how)
        except httpx2.HTTPError:
            self._count(f"{method} {_first(path)} lost")
            return None
        self._count(f"{method} {_first(path)} {answer.status_code}")
        return answer

    def _count(self, what: str) -> None:
        with self._lock:
            self._answers[what] += 1


def _first(path: str) -> str:
    return path.split("/")[1].partition("?")[0]


def _is_under_way(answer: httpx2.Response) -> bool:
    """Whether the answer is that an earlier try with this key is still at work."""
    return answer.status_code == 409 and "retry-after" in answer.headers

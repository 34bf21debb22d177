"""The API as the command line calls it: one token, clear errors, waiting for work that takes a while."""

import os
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx2

from cli.local import kept

DEFAULT_URL = "http://127.0.0.1:7071"
Json = dict[str, Any]


class ApiError(Exception):
    """The API refused, or could not be reached; the message says what to do."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Calls the API at CORTEX_URL with CORTEX_TOKEN, or as `cortex run` left them in the state folder."""

    def __init__(self, role: str = "operator") -> None:
        self.url = (os.environ.get("CORTEX_URL") or kept("address") or DEFAULT_URL).rstrip("/")
        bearer = os.environ.get("CORTEX_TOKEN") or kept(role)
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        self._http = httpx2.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | None) -> Json:
        """GET; parameters that are None are left out."""
        return self._call("GET", path, params={key: value for key, value in query.items() if value is not None})

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """POST with an idempotency key, so that a repeated call is one effect."""
        return self._call("POST", path, json=body or {}, headers={"idempotency-key": str(uuid.uuid4())})

    def upload(self, path: str, chunks: Iterator[bytes], **query: str | None) -> Json:
        """POST bytes as they come; parameters that are None are left out."""
        headers = {"idempotency-key": str(uuid.uuid4()), "content-type": "application/octet-stream"}
        told = {key: value for key, value in query.items() if value is not None}
        return self._call("POST", path, params=told, content=chunks, headers=headers)

    def pages(self, path: str, **query: str | int | None) -> Iterator[Json]:
        """The items of all pages of a listing."""
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page.get("nextCursor")
            if not cursor:
                return

    def _call(self, method: str, path: str, **given: Any) -> Json:  # noqa: ANN401 - what httpx2 takes
        try:
            answer = self._http.request(method, path, **given)
        except httpx2.HTTPError as error:
            raise ApiError(
                f"{self.url} does not answer ({error}). Is it running? Start it with `cortex run`."
            ) from error
        if answer.is_success:
            loaded: Json = answer.json() if answer.content else {}
            return loaded
        raise ApiError(_reason(answer), status=answer.status_code)


def _reason(answer: httpx2.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.reason_phrase}"
    if answer.status_code == 401:  # noqa: PLR2004 - Unauthorized
        return "The token was refused. Set CORTEX_TOKEN to one that `cortex token` or `cortex run` prints."
    where = "; ".join(f"{each.get('path', '')} {each.get('detail', '')}".strip() for each in problem.get("errors", ()))
    told = problem.get("detail") or problem.get("title") or str(answer.status_code)
    return f"{told} ({where})" if where else str(told)

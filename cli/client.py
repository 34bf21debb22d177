"""The client of the API: one token, bounded answers, errors that say what to do."""

import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, cast
from urllib.parse import quote, urlsplit

import httpx2

from cli.request import HttpResponse, TooLargeError, read_bounded, run_within
from cli.response import Page, Upload, mismatch
from cli.state_folder import load_connection, state_path

DEFAULT_URL = "http://127.0.0.1:7071"
SENDING_SECONDS = 300.0
"""Seconds without any data while a large file is sent and stored."""
UPLOAD_SECONDS = 900.0
"""Seconds for a request that carries a file."""
RESPONSE_BYTES, LARGE_RESPONSE_BYTES = 8 << 20, 64 << 20
"""Maximum bytes of an answer, and of one that grows with the estate: a page of a listing, a plan."""
LISTING_PAGES = 10_000
_TIMED_OUT = "does not answer in time ({}): is it the right address, and does a firewall let you through?"
START = "Is it running? Start it with `cortex run`."
_LOOK = (
    "Neither CORTEX_URL nor the state folder {} says where it runs, so this is the default address: set CORTEX_URL to "
    "its address, or CORTEX_STATE to the folder .cortex where `cortex run` was started; if it runs nowhere, start it "
    "with `cortex run`."
)
_TEXT_CHARACTERS, _ERROR_ITEMS = 2000, 20
QueryParameters = Mapping[str, str | int | Sequence[str] | None]
"""Parameters of a request; those that are None are left out, and several values of one are sent one by one."""


class ApiError(Exception):
    """The API refused, or could not be reached; the message says what to do.

    `path` is the part of the request that was refused, `remediation` or `exemption` what is in the way.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        path: str = "",
        remediation: str | None = None,
        exemption: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.path = path
        self.remediation = remediation
        self.exemption = exemption


def address(*parts: str) -> str:
    """Return a path of the API; each part is one segment of it. ApiError for what no id can be: empty, or with a /."""
    for part in parts:
        if not part.strip() or "/" in part:
            raise ApiError(f"'{part}' is not an id: an id is not empty and contains no /")
    return "".join(f"/{quote(part, safe='', errors='replace')}" for part in parts)


class Client:
    """Calls the API at CORTEX_URL with CORTEX_TOKEN, or as `cortex run` left them in the state folder.

    A call ends within `timeout` seconds, whatever is at the other end, and what it gives has the shape asked for;
    otherwise ApiError.
    """

    def __init__(self, role: str = "operator", *, timeout: float = 60) -> None:
        self._timeout = timeout
        known = os.environ.get("CORTEX_URL") or load_connection("address")
        self.url = (known or DEFAULT_URL).rstrip("/")
        self._remedy = START if known else _LOOK.format(state_path().absolute())
        bearer = (os.environ.get("CORTEX_TOKEN") or load_connection(role) or "").strip()
        if not (bearer.isascii() and bearer.isprintable()):
            raise ApiError("CORTEX_TOKEN holds no token: copy it again")
        # Only what is always there: other encodings depend on what else is installed.
        # the only encoding that `read_bounded` accepts
        headers = {"accept-encoding": "gzip", **({"authorization": f"Bearer {bearer}"} if bearer else {})}
        try:
            self._http = httpx2.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=timeout)
        except httpx2.InvalidURL as error:
            raise ApiError(f"CORTEX_URL is not an address ({error}): {self.url}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get[T](
        self,
        path: str,
        shape: type[T],
        *,
        most: int = RESPONSE_BYTES,
        seconds: float | None = None,
        query: QueryParameters | None = None,
    ) -> T:
        """Send a GET; `most` is the maximum number of bytes of the answer."""
        return self._call("GET", path, shape, most=most, seconds=seconds, params=_query_of(query or {}))

    def readiness[T](self, shape: type[T]) -> T:
        """Return the readiness of the service, also when it is not ready."""
        return self._call("GET", "/health/ready", shape, also=503)

    def post[T](self, path: str, shape: type[T], body: Mapping[str, Any] | None = None) -> T:
        """Send a POST with an idempotency key, so that a repeated call has one effect."""
        return self._call("POST", path, shape, json=body or {}, headers=_reserve_key())

    def upload[T](self, path: str, shape: type[T], chunks: Iterator[bytes], query: QueryParameters) -> T:
        """Send a POST with bytes as they come."""
        headers = {**_reserve_key(), "content-type": "application/octet-stream"}
        return self._call(
            "POST", path, shape, seconds=UPLOAD_SECONDS, params=_query_of(query), content=chunks, headers=headers
        )

    def send(self, grant: Upload, chunks: Iterator[bytes], size: int) -> None:
        """Send a file to the url of an upload, with the headers it gives and without our token."""
        # With a length, or the body would be chunked, which blob stores refuse.
        headers = {**grant["headers"], "content-length": str(size), "content-type": "application/octet-stream"}
        try:
            host = urlsplit(grant["url"]).netloc
            with httpx2.stream(
                grant["method"], grant["url"], content=chunks, headers=headers, timeout=SENDING_SECONDS
            ) as sent:
                answer = HttpResponse(
                    sent.status_code, sent.reason_phrase, "", host, read_bounded(sent, RESPONSE_BYTES, float("inf"))
                )
        except httpx2.HTTPError as error:
            raise ApiError(f"the upload to {host} broke off ({error}): import the file again") from error
        except (httpx2.InvalidURL, ValueError) as error:
            raise ApiError(f"the file cannot be sent where {self.url} says ({error}): {grant['url']}") from error
        if not answer.ok:
            raise ApiError(f"the upload to {host} was refused: {_reason(answer)}", status=answer.status)

    def pages[T](self, path: str, shape: type[T], query: QueryParameters) -> Iterator[T]:
        """Yield the items of all pages of a listing."""
        for page in self.each_page(path, Page[shape], query):  # type: ignore[valid-type]
            yield from page["items"]

    def each_page[T: Mapping[str, Any]](self, path: str, shape: type[T], query: QueryParameters) -> Iterator[T]:
        """Yield all pages of a listing, whole; a `cursor` of the query says where to begin."""
        cursor = query.get("cursor")
        for _ in range(LISTING_PAGES):
            page = self.get(path, shape, most=LARGE_RESPONSE_BYTES, query={**query, "cursor": cursor})
            yield page
            cursor = page["nextCursor"]
            if not cursor:
                return
        raise ApiError(f"{self.url}{path} does not end: it has more than {LISTING_PAGES} pages")

    def _call[T](
        self,
        method: str,
        path: str,
        shape: type[T],
        *,
        most: int = RESPONSE_BYTES,
        seconds: float | None = None,
        also: int = 0,
        **given: Any,  # noqa: ANN401 - what httpx2 takes
    ) -> T:
        """Return the answer, checked against its shape, when it is a success or has the status `also`; ApiError."""
        seconds = seconds or self._timeout
        ends = time.monotonic() + seconds

        def ask() -> HttpResponse:
            with self._http.stream(method, path, **given) as response:
                kind = response.headers.get("content-type", "something without a type")
                return HttpResponse(
                    response.status_code,
                    response.reason_phrase,
                    kind,
                    response.url.host,
                    read_bounded(response, most, ends),
                )

        try:
            answer = run_within(seconds, ask)
        except httpx2.HTTPError as error:
            raise ApiError(f"{self.url} {_unreachable(error, self._remedy)}") from error
        except (httpx2.InvalidURL, UnicodeError) as error:  # an id or a cursor that the API gave
            raise ApiError(f"{self.url}{path} is not a valid address ({error})") from error
        except TimeoutError as error:
            raise ApiError(f"{self.url} {_TIMED_OUT.format(f'no whole answer in {seconds:g} s')}") from error
        except TooLargeError as error:
            raise ApiError(f"{self.url} answers {path} with {error}: is a proxy or another program there?") from error
        if answer.ok or answer.status == also:
            return self._shaped(answer, shape)
        problem = answer.json()
        named = {
            key: str(problem[key])
            for key in ("path", "remediation", "exemption")
            if isinstance(problem, dict) and problem.get(key)
        }
        raise ApiError(_reason(answer), status=answer.status, **named)

    def _shaped[T](self, answer: HttpResponse, shape: type[T]) -> T:
        loaded = answer.json()
        wrong = mismatch(loaded, shape)
        if wrong is None:
            return cast("T", loaded)
        problem = f"with {answer.kind}" if loaded is None else f"something else ({wrong})"
        raise ApiError(
            f"{self.url} answers {problem}, not as the API does: this is not PolicyCortex, or not this version of it; "
            "is a proxy or another program there?"
        )


def _reserve_key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


def _query_of(query: QueryParameters) -> dict[str, str | int | Sequence[str]]:
    return {name: value for name, value in query.items() if value is not None}


def _unreachable(error: httpx2.HTTPError, remedy: str) -> str:
    """Return why there is no answer, and what to do."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx2.UnsupportedProtocol):
        return "is not an address: CORTEX_URL begins with http:// or https://"
    if isinstance(error, httpx2.TimeoutException):
        return _TIMED_OUT.format(reason)
    if isinstance(error, httpx2.DecodingError):
        return f"answers what cannot be decoded ({reason}): is a proxy or another program there?"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return (
            f"shows a certificate that is not trusted ({reason}): set SSL_CERT_FILE to that of your proxy's authority"
        )
    if "[SSL" in reason:
        return f"does not speak TLS ({reason}): is it http://, or another port?"
    if isinstance(error, httpx2.RemoteProtocolError):
        return f"does not speak HTTP ({reason}): is it https://, or another port?"
    return f"does not answer ({reason}). {remedy}"


def _reason(answer: HttpResponse) -> str:
    if answer.status == 401:  # noqa: PLR2004 - Unauthorized
        return "The token was refused. Set CORTEX_TOKEN to one that `cortex token` or `cortex run` prints."
    problem = answer.json()
    if not isinstance(problem, dict):
        return f"{answer.host} answers {answer.status} {answer.phrase}"
    errors = problem.get("errors")
    parts = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    parts = parts[1:] if problem.get("detail") else parts  # the detail has the first
    where = "; ".join(f"{_text(each.get('path'))} {_text(each.get('detail'))}".strip() for each in parts[:_ERROR_ITEMS])
    message = (
        _text(problem.get("detail"))
        or _text(problem.get("title"))
        or f"{answer.host} answers {answer.status} {answer.phrase}"
    )
    return f"{message} ({where})" if where else message


def _text(value: object) -> str:
    """Return a text of a problem document, cut when it is long; empty for any other value."""
    if not isinstance(value, str):
        return ""
    return value if len(value) <= _TEXT_CHARACTERS else f"{value[:_TEXT_CHARACTERS]}…"

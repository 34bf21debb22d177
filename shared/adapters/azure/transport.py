"""The transport of requests to Azure Resource Manager: responses are read whole, bounded in size and time.

A scan makes thousands of small calls. The SDK's own transport spends more on each than on sending it: cookies,
redirects, `.netrc` and the environment's proxies are looked at every time.
"""

import os
from collections.abc import Iterator, MutableMapping
from http import HTTPStatus
from typing import Any, Self

import urllib3
from azure.core.exceptions import (
    AzureError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest, HttpResponse
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, get_environ_proxies, select_proxy
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPHeaderDict, PoolManager, ProxyManager, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import parse_url

from shared.adapters.azure import response_deadline, response_validation
from shared.adapters.azure.address import parse
from shared.domain.error import Malformed, Misconfigured

RESPONSE_BYTES = 64 * 1024 * 1024
"""Bytes of the largest response read. Resource Graph sends up to 16 MiB, ARM all providers with aliases at once."""
CHUNK_BYTES = 64 * 1024
POOL_CONNECTIONS = 64
"""Connections kept open: eight subscriptions are collected at a time, with eight threads each."""
_PROXY_FORM = "it takes http://host:port or https://host:port"
_DEFAULT_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate"}


class WholeResponse(HttpResponse):
    """A response whose body has been read."""

    encoding: str | None = None
    is_closed = True
    is_stream_consumed = True
    # The SDK's class has abstract properties of these names, which values of the class replace.
    request = HttpRequest("GET", "")
    status_code = 0
    headers: MutableMapping[str, str] = HTTPHeaderDict()
    reason = ""
    content = b""

    def __init__(self, request: HttpRequest, found: BaseHTTPResponse, content: bytes) -> None:
        self.request = request
        self.status_code = found.status
        self.headers = found.headers
        self.reason = found.reason or ""
        self.content = content

    @property
    def url(self) -> str:
        """Return the address that answered."""
        return str(self.request.url)

    @property
    def content_type(self) -> str | None:
        """Return the content type as it was sent."""
        return self.headers.get("content-type")

    def text(self, encoding: str | None = None) -> str:
        """Return the body as text: UTF-8, also with a byte order mark, unless another encoding is asked for."""
        return self.content.decode(encoding or "utf-8-sig")

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON of the body; ValueError when it is none."""
        return response_validation.decode(self.text())

    def raise_for_status(self) -> None:
        """Raise HttpResponseError for a response that tells an error."""
        if self.status_code >= HTTPStatus.BAD_REQUEST:
            raise HttpResponseError(response=self)

    def read(self) -> bytes:
        """Return the body."""
        return self.content

    def iter_raw(self, **_options: Any) -> Iterator[bytes]:  # noqa: ANN401 - the SDK's protocol
        """Yield the body."""
        yield self.content

    iter_bytes = iter_raw

    def close(self) -> None:
        """Do nothing: the connection has been given back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None: ...


class BoundedTransport(HttpTransport[HttpRequest, HttpResponse]):
    """Sends requests over kept connections. Safe for several threads.

    A connection must be made, and each piece of a response come, within so many seconds. Proxies and certificates are
    those of the environment.
    """

    def __init__(self, *, connect_seconds: float, read_seconds: float) -> None:
        self._timeout = Timeout(connect=connect_seconds, read=read_seconds)
        self._pools: dict[tuple[str, str, int], PoolManager | HTTPConnectionPool] = {}

    def send(self, request: HttpRequest, **_options: Any) -> HttpResponse:  # noqa: ANN401 - the SDK's protocol
        """Send a request once, and read the response; AzureError, Malformed beyond a bound, or Misconfigured."""
        try:
            return self._exchange(request)
        except response_deadline.DeadlineExceeded as error:
            raise Malformed(
                f"the answer to {request.url.partition('?')[0]} was not complete after "
                f"{response_deadline.RESPONSE_SECONDS:.0f} s"
            ) from error

    def _exchange(self, request: HttpRequest) -> WholeResponse:
        pool, target = self._pool(request.url)
        try:
            found: BaseHTTPResponse = pool.urlopen(
                request.method,
                target,
                body=request.content,
                headers={**_DEFAULT_HEADERS, **request.headers},
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            raise _unsent(error) from error
        try:
            content = b"".join(_pieces(found, request.url))
        except HTTPError as error:
            raise _unread(error) from error
        finally:
            # What was read to its end has given its connection back; any other is of no use.
            found.close()
        return WholeResponse(request, found, content)

    def _pool(self, url: str) -> tuple[PoolManager | HTTPConnectionPool, str]:
        """Return the connections to an address, and what to ask them for: the whole address where there is a proxy."""
        # Connects to the host as parsed: a second parser might take another part of the text for it.
        asked = parse(url)
        if asked.origin not in self._pools:
            proxy = _proxy(asked.url)
            manager = _made(proxy)
            self._pools[asked.origin] = (
                manager if proxy else manager.connection_from_host(asked.host, asked.port, asked.scheme)
            )
        pool = self._pools[asked.origin]
        return pool, asked.url if isinstance(pool, PoolManager) else asked.target

    def open(self) -> None:
        """Do nothing: connections are opened by the first request."""

    def close(self) -> None:
        """Close the connections."""
        for each in self._pools.values():
            each.clear() if isinstance(each, PoolManager) else each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _proxy(origin: str) -> str | None:
    """Return the address of the proxy that the environment names; Misconfigured when it cannot be one."""
    proxies = get_environ_proxies(origin)
    found = select_proxy(origin, proxies)
    if not found:
        return None
    scheme = origin.partition(":")[0]
    name = f"{scheme if scheme in proxies else 'all'}_proxy".upper()
    # Without a scheme it is one of HTTP, as curl and requests take it.
    address = found if "://" in found else f"http://{found.removeprefix('//')}"
    try:
        parts = parse_url(address)
    except LocationParseError:
        raise Misconfigured(
            f"the environment's {name} is not the address of a proxy: {_PROXY_FORM}"
        ) from None  # it has the password
    if parts.scheme not in {"http", "https"}:
        raise Misconfigured(f"the environment's {name} names a proxy of the scheme {parts.scheme}: {_PROXY_FORM}")
    if not parts.host:
        raise Misconfigured(f"the environment's {name} names no host: {_PROXY_FORM}")
    return address


def _made(proxy: str | None) -> PoolManager:
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    place = "ca_cert_dir" if os.path.isdir(bundle) else "ca_certs"  # noqa: PTH112 - a variable of the environment
    options: dict[str, Any] = {"maxsize": POOL_CONNECTIONS, "cert_reqs": "CERT_REQUIRED", place: bundle}
    name, word = get_auth_from_url(proxy) if proxy else ("", "")
    headers = urllib3.make_headers(proxy_basic_auth=f"{name}:{word}") if name else None
    manager = ProxyManager(proxy, proxy_headers=headers, **options) if proxy else PoolManager(**options)
    manager.pool_classes_by_scheme = response_deadline.POOLS
    return manager


def _pieces(found: BaseHTTPResponse, url: str) -> Iterator[bytes]:
    """Yield the body piece by piece, as it arrives; Malformed when it is too large."""
    size = 0
    while piece := found.read1(CHUNK_BYTES, decode_content=True):
        size += len(piece)
        if size > RESPONSE_BYTES:
            raise Malformed(f"the answer to {url.partition('?')[0]} is larger than {RESPONSE_BYTES} bytes")
        yield piece


def _unsent(error: HTTPError) -> AzureError:
    """Return the SDK's error for a request that was not sent, or whose answer did not begin."""
    if isinstance(error, NewConnectionError | SSLError | ProxyError):
        return ServiceRequestError(error, error=error)
    if isinstance(error, ConnectTimeoutError):
        return ServiceRequestTimeoutError(error, error=error)
    if isinstance(error, ReadTimeoutError):
        return ServiceResponseTimeoutError(error, error=error)
    # It may have arrived: a write must not be sent again.
    return ServiceResponseError(error, error=error)


def _unread(error: HTTPError) -> AzureError:
    """Return the SDK's error for an answer that broke off."""
    if isinstance(error, ReadTimeoutError):
        return ServiceResponseTimeoutError(error, error=error)
    if isinstance(error, ProtocolError):
        return IncompleteReadError(error, error=error)
    return DecodeError(f"its content cannot be decoded: {error}", error=error)

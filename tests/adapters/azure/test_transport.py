"""The transport to Resource Manager: what it sends, what it reads, and what its failures are called."""

import contextlib
import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from socketserver import StreamRequestHandler

import pytest
from azure.core.exceptions import (
    AzureError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.rest import HttpRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.adapters.azure import response_deadline
from shared.adapters.azure.transport import BoundedTransport
from shared.domain.error import Malformed, Misconfigured
from tests.adapters.cloud import SCOPE, Answer, Cloud
from tests.fakes.server import Server

PLACE = "/subscriptions"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        yield running


@pytest.fixture
def transport() -> Iterator[BoundedTransport]:
    with BoundedTransport(connect_seconds=2.0, read_seconds=0.5) as opened:
        yield opened


def asked(cloud: Cloud, method: str = "GET", **options: object) -> HttpRequest:
    return HttpRequest(method, cloud.endpoint + PLACE, **options)


def test_a_response_is_read_whole(cloud: Cloud, transport: BoundedTransport) -> None:
    cloud.always(PLACE, Answer(200, {"value": ["ü"]}, {"x-ms-Request-Id": "7"}))
    found = transport.send(asked(cloud))
    assert (found.status_code, found.json(), found.headers["X-MS-request-id"]) == (200, {"value": ["ü"]}, "7")
    assert (found.content_type, found.url) == ("application/json", cloud.endpoint + PLACE)
    assert found.read() == found.content == b"".join(found.iter_bytes())
    found.raise_for_status()


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"}),
        (b'\xef\xbb\xbf{"a": 1}', {}),
    ],
    ids=["gzip", "byte order mark"],
)
def test_encodings_are_decoded(cloud: Cloud, transport: BoundedTransport, raw: bytes, headers: dict[str, str]) -> None:
    cloud.always(PLACE, Answer(200, raw=raw, headers=headers))
    assert transport.send(asked(cloud)).json() == {"a": 1}


def test_an_error_is_a_response(cloud: Cloud, transport: BoundedTransport) -> None:
    cloud.always(PLACE, Answer(409, {"error": {"code": "Conflict", "message": "twice"}}))
    with pytest.raises(HttpResponseError, match="twice") as raised:
        transport.send(asked(cloud)).raise_for_status()
    assert raised.value.status_code == 409


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(drop=True), ServiceResponseError),
        (Answer(hold=True), ServiceResponseTimeoutError),
        (Answer(200, {"value": ["x" * 100]}, cut=True), IncompleteReadError),
        (Answer(200, raw=b"no gzip", headers={"Content-Encoding": "gzip"}), DecodeError),
    ],
    ids=["dropped", "late", "cut", "garbled"],
)
def test_a_failure_says_whether_the_request_may_have_arrived(
    cloud: Cloud, transport: BoundedTransport, answer: Answer, error: type[AzureError]
) -> None:
    cloud.always(PLACE, answer)
    with pytest.raises(error):
        transport.send(asked(cloud, "PUT", json={}))


def test_nobody_who_listens_is_told(transport: BoundedTransport) -> None:
    with Cloud() as gone:
        pass
    with pytest.raises(ServiceRequestError):
        transport.send(asked(gone))


def test_a_body_is_sent_as_it_is(cloud: Cloud, transport: BoundedTransport) -> None:
    cloud.always(PLACE, Answer(200, {}))
    transport.send(asked(cloud, "PUT", json={"name": "ü"}, headers={"If-Match": "*"}))
    transport.send(asked(cloud, "DELETE"))
    (put, delete) = cloud.calls
    assert (put.method, put.body, put.headers["if-match"]) == ("PUT", {"name": "ü"}, "*")
    assert put.headers["content-type"] == "application/json"
    assert (delete.method, delete.body) == ("DELETE", None)


def test_redirects_and_cookies_are_not_followed(cloud: Cloud, transport: BoundedTransport) -> None:
    cloud.once(PLACE, Answer(307, {}, {"Location": "/elsewhere", "Set-Cookie": "a=b"}))
    assert transport.send(asked(cloud)).status_code == 307
    transport.send(asked(cloud))
    assert [call.path for call in cloud.calls] == [PLACE, PLACE]
    assert "cookie" not in cloud.calls[1].headers


def test_a_token_is_not_replaced_by_what_a_file_says(
    cloud: Cloud, transport: BoundedTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    transport.send(asked(cloud, headers={"Authorization": "Bearer token"}))
    assert cloud.calls[0].headers["authorization"] == "Bearer token"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no proxy."""
    for name in ("no", "http", "https", "all"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("prefix", ["http://", "//", ""])
def test_the_environment_names_the_proxy(cloud: Cloud, environment: pytest.MonkeyPatch, prefix: str) -> None:
    environment.setenv("http_proxy", cloud.endpoint.replace("http://", f"{prefix}ada:secret@"))
    with BoundedTransport(connect_seconds=2.0, read_seconds=2.0) as transport:
        transport.send(HttpRequest("GET", "http://management.invalid/subscriptions"))
    (call,) = cloud.calls
    assert call.headers["host"] == "management.invalid"
    assert call.headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("https_proxy", "socks5h://ada:secret@127.0.0.1:1080", "HTTPS_PROXY names a proxy of the scheme socks5h"),
        ("ALL_PROXY", "ftp://ada:secret@127.0.0.1", "ALL_PROXY names a proxy of the scheme ftp"),
        ("HTTPS_PROXY", "ada:secret@127.0.0.1:port", "HTTPS_PROXY is not the address of a proxy"),
        ("HTTPS_PROXY", "http://", "HTTPS_PROXY names no host"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told(
    transport: BoundedTransport, environment: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(Misconfigured, match=told) as raised:
        transport.send(HttpRequest("GET", "https://management.invalid/subscriptions"))
    assert "secret" not in raised.value.message


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of the cloud over TLS, and the certificate that proves it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cloud")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    kept = tmp_path / "cloud.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    kept.write_bytes(made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kept, tmp_path / "key.pem")
    with Cloud(context) as running:
        yield running.endpoint.replace("http://", "https://"), kept


def test_a_certificate_has_to_be_known(secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    address, certificate = secure
    request = HttpRequest("GET", f"{address}{SCOPE}")
    with BoundedTransport(connect_seconds=2.0, read_seconds=2.0) as transport, pytest.raises(ServiceRequestError):
        transport.send(request)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with BoundedTransport(connect_seconds=2.0, read_seconds=2.0) as transport:
        assert transport.send(request).status_code == 200


def test_a_link_without_a_path_keeps_its_query(cloud: Cloud, transport: BoundedTransport) -> None:
    for link in ("?$skip=1", "?$skip=2#part", "/a b?c=d e"):
        transport.send(HttpRequest("GET", cloud.endpoint + link))
    assert [(call.path, dict(call.query)) for call in cloud.calls] == [
        ("/", {"$skip": "1"}),
        ("/", {"$skip": "2"}),
        ("/a%20b", {"c": "d e"}),
    ]


def test_a_host_has_one_connection_whatever_its_spelling(cloud: Cloud, transport: BoundedTransport) -> None:
    port = cloud.endpoint.rpartition(":")[2]
    for origin in ("http://localhost", "HTTP://LocalHost"):
        for link in ("/a", "?b=c"):
            transport.send(HttpRequest("GET", f"{origin}:{port}{link}"))
    assert len({call.headers["host"] for call in cloud.calls}) == 1
    assert cloud.connections == 1


def test_what_is_no_address_is_not_asked(cloud: Cloud, transport: BoundedTransport) -> None:
    with Cloud() as other, pytest.raises(Malformed, match="is not an address"):
        transport.send(HttpRequest("GET", f"{other.endpoint}\\@{cloud.endpoint.partition('://')[2]}{PLACE}"))
    assert (cloud.calls, other.calls) == ([], [])


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "informational responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a header": (HEAD, b"x"),
    "a body": (HEAD + b"\r\n", b"x"),
    "compressed nothing": (
        HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff",
        b"\0\0\0\xff\xff",
    ),
    "an extension of a chunk": (CHUNKED + b"1;", b"x"),
    "trailers": (CHUNKED + b"1\r\nx\r\n0\r\n", b"x: y\r\n"),
}


@pytest.fixture
def endless() -> Iterator[Callable[[bytes, bytes], str]]:
    """Servers that answer with a beginning, and then with the same for as long as somebody listens."""
    over = threading.Event()
    with contextlib.ExitStack() as ending:

        def serve(begin: bytes, again: bytes) -> str:
            class Handler(StreamRequestHandler):
                def handle(self) -> None:
                    with contextlib.suppress(OSError):
                        self.request.recv(65536)
                        self.wfile.write(begin)
                        while not over.wait(0.02):
                            self.wfile.write(again)

            server = ending.enter_context(Server(("127.0.0.1", 0), Handler))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            for end in (thread.join, server.shutdown, over.set):
                ending.callback(end)
            return f"http://127.0.0.1:{server.server_port}/"

        yield serve


@pytest.mark.parametrize("part", ENDLESS)
def test_an_answer_that_does_not_end_is_given_up_in_every_part(
    endless: Callable[[bytes, bytes], str], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(response_deadline, "RESPONSE_SECONDS", 0.3)
    request = HttpRequest("GET", endless(*ENDLESS[part]))
    with (
        BoundedTransport(connect_seconds=5.0, read_seconds=5.0) as transport,
        pytest.raises(Malformed, match="was not complete after"),
    ):
        transport.send(request)


def test_a_connection_is_used_again_after_a_deadline_that_was_kept(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BoundedTransport(connect_seconds=5.0, read_seconds=5.0) as transport:
        for seconds in (0.5, 60.0):
            monkeypatch.setattr(response_deadline, "RESPONSE_SECONDS", seconds)
            assert transport.send(asked(cloud)).status_code == 404
    assert cloud.connections == 1


def test_many_threads_share_it(cloud: Cloud, transport: BoundedTransport) -> None:
    cloud.always(PLACE, Answer(200, {"value": []}))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: transport.send(asked(cloud)).status_code, range(64)))
    assert found == [200] * 64

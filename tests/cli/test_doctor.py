"""`cortex doctor`: clear lines whatever is wrong, down to an address at which something else answers."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.server import Server

TOKEN = "eyJ.secret.token"
ALIVE = {"/api/v1/health": (200, {"status": "ok"})}
READY = {
    "documents": {"ready": True, "milliseconds": 1},
    "queue": {"ready": False, "milliseconds": 1, "reason": "full"},
}
Answers = dict[str, tuple[int, Any]]


@contextmanager
def server(answers: Answers, *, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers paths with JSON, or with a page where the answer is text; all else is a page too."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (502, "<html>Bad Gateway</html>"))
            page = isinstance(body, str)
            content = (body if page else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("content-type", "text/html" if page else "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return

    with Server(("127.0.0.1", 0), Handler) as opened:
        if context:
            opened.socket = context.wrap_socket(opened.socket, server_side=True)
        thread = threading.Thread(target=opened.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http{'s' if context else ''}://127.0.0.1:{opened.server_address[1]}"
        finally:
            opened.shutdown()
            thread.join()


@pytest.fixture
def doctor(cortex: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    monkeypatch.setenv("CORTEX_STATE", str(tmp_path))
    monkeypatch.setenv("CORTEX_TOKEN", TOKEN)

    def run(url: str, *options: str) -> Any:
        monkeypatch.setenv("CORTEX_URL", url)
        answer = cortex("doctor", *options)
        assert TOKEN not in answer.output
        return answer

    return run


def first(answer: Any) -> str:
    """The first problem."""
    assert answer.exit_code == 1
    return next(line for line in answer.stdout.splitlines() if line.startswith("✗"))


def test_a_port_at_which_nothing_listens(doctor: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answer = doctor(f"http://127.0.0.1:{port}")
    assert "does not answer" in first(answer)
    assert "→ start it here with `cortex run`, or set CORTEX_URL" in answer.stdout


@pytest.mark.parametrize("url", ["127.0.0.1:7071", "ftp://x", "http://[::1", "nonsense"])
def test_an_address_that_is_none(doctor: Any, url: str) -> None:
    answer = doctor(url)
    assert answer.exit_code == 1
    assert "CORTEX_URL" in f"{answer.output}{answer.exception}"


def test_a_port_that_speaks_something_else(doctor: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            opened, _ = listener.accept()
            with opened:
                opened.sendall(b"SSH-2.0-OpenSSH_9\r\n")
                opened.recv(1024)

        thread = threading.Thread(target=greet)
        thread.start()
        answer = doctor(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert "does not speak HTTP" in first(answer)


def test_a_port_without_tls(doctor: Any) -> None:
    with server(ALIVE) as url:
        assert "does not speak TLS" in first(doctor(url.replace("http:", "https:")))


def test_a_certificate_that_is_not_trusted(doctor: Any, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    with server(ALIVE, context=context) as url:
        answer = doctor(url)
    assert "certificate that is not trusted" in first(answer)
    assert "SSL_CERT_FILE" in first(answer)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, "<html>Sign in</html>", "answers with text/html, not as the API does"),
        (200, {"status": "green"}, "not as the API does"),
        (200, [1], "not as the API does"),
        (503, "<html>Service Unavailable</html>", "answers 503 Service Unavailable"),
        (503, {"detail": "starting", "errors": "many"}, "starting"),
        (
            400,
            {"detail": "a: no", "errors": [{"path": "a", "detail": "no"}, {"path": "b", "detail": "nor"}]},
            "a: no (b nor)",
        ),
        (302, "", "answers 302 Found"),
        (404, "<html>", "answers 404 Not Found"),
    ],
)
def test_something_else_in_the_place_of_the_api(doctor: Any, status: int, body: Any, expected: str) -> None:
    with server({"/api/v1/health": (status, body)}) as url:
        assert expected in first(doctor(url))


@pytest.mark.parametrize(
    ("status", "expected"), [(401, "The token was refused"), (403, "this needs the role 'operator'")]
)
def test_a_token_that_is_not_taken_and_the_stores_that_anybody_may_ask_for(
    doctor: Any, status: int, expected: str
) -> None:
    refused = (status, {"detail": "this needs the role 'operator'"})
    answers: Answers = {**ALIVE, "/api/v1/health/ready": (503, {"checks": READY}), "/api/v1/diagnosis": refused}
    with server(answers) as url:
        answer = doctor(url)
    assert first(answer) == "✗ queue: full"
    assert f"✗ diagnosis: {expected}" in answer.stdout
    assert "→ set CORTEX_TOKEN" in answer.stdout
    assert "2 problems" in answer.stdout


def test_stores_that_cannot_be_asked_are_reported_too(doctor: Any) -> None:
    with server(ALIVE) as url:
        answer = doctor(url)
    assert "✗ stores: 127.0.0.1 answers 502 Bad Gateway" in first(answer)
    assert answer.stdout.count("✗") == 2


def checks(*names: str, health: str = "broken") -> list[dict[str, Any]]:
    return [{"name": name, "health": health, "detail": "why", "remedy": f"mend {name}"} for name in names]


def test_what_is_broken_is_listed_in_the_order_to_fix_it(doctor: Any) -> None:
    diagnosis = {"healthy": False, "version": "1", "checks": checks("subscriptions", "timer x")}
    with server({**ALIVE, "/api/v1/diagnosis": (200, diagnosis)}) as url:
        answer = doctor(url)
        found = json.loads(doctor(url, "--json").stdout)
    lines = answer.stdout.splitlines()
    assert lines[2:6] == ["✗ subscriptions: why", "  → mend subscriptions", "✗ timer x: why", "  → mend timer x"]
    assert lines[-1] == f"2 problems at {url}: fix the first one first"
    assert [each["name"] for each in found["checks"]] == ["address", "token", "subscriptions", "timer x"]
    assert not found["healthy"]


def test_what_is_not_known_yet_is_no_fault(doctor: Any) -> None:
    found = [*checks("documents", health="ok"), *checks("events", health="unknown")]
    diagnosis = {"healthy": True, "version": "1", "checks": found}
    with server({**ALIVE, "/api/v1/diagnosis": (200, diagnosis)}) as url:
        answer = doctor(url)
    assert answer.exit_code == 0
    assert "? events: why\n  → mend events" in answer.stdout
    assert "mend documents" not in answer.stdout


DEEP = "[" * 200_000 + "]" * 200_000
OURS = {"healthy": True, "version": "1"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, DEEP),
        (500, DEEP),
        (200, '{"status":' + "9" * 10_000 + "}"),
        (200, '{"status":' + '{"a":' * 300 + "1" + "}" * 301),
        (500, {"errors": 5}),
        (500, {"errors": {"a": 1}, "detail": {"x": [1]}}),
        (200, {}),
        (200, {"status": ["ok"]}),
    ],
)
def test_a_hostile_sign_of_life_is_one_line(doctor: Any, status: int, body: Any) -> None:
    with server({"/api/v1/health": (status, body)}) as url:
        broken_line(doctor, url, "address")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        *(OURS | {"checks": each} for each in ([], [1], 5, [{}], None, "abc", {"a": 1})),
        OURS | {"checks": [{"name": "x", "health": {"a": 1}, "detail": "", "remedy": None}]},
        OURS | {"checks": [{"name": 1, "health": ["x"], "detail": {}, "remedy": 5}]},
        {"healthy": "yes", "version": "1", "checks": [{"name": "x", "health": "ok", "detail": "", "remedy": None}]},
    ],
)
def test_what_is_no_diagnosis_of_ours_is_broken(doctor: Any, answer: Any) -> None:
    with server({**ALIVE, "/api/v1/diagnosis": (200, answer)}) as url:
        assert "this is not PolicyCortex" in broken_line(doctor, url, "diagnosis")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [1],
        {"checks": [1]},
        {"checks": {"a": 1}},
        {"checks": None},
        {"checks": {"a": {"ready": []}}},
        {"checks": {}},
    ],
)
def test_what_is_no_readiness_of_ours_is_broken(doctor: Any, answer: Any) -> None:
    answers: Answers = {**ALIVE, "/api/v1/health/ready": (200, answer), "/api/v1/diagnosis": (503, {})}
    with server(answers) as url:
        assert "this is not PolicyCortex" in broken_line(doctor, url, "stores")


def broken_line(doctor: Any, url: str, name: str) -> str:
    """The line printed about a check, and the check as JSON."""
    answer, found = doctor(url), doctor(url, "--json")
    assert (answer.exit_code, found.exit_code) == (1, 1)
    assert isinstance(answer.exception, SystemExit)
    printed = json.loads(found.stdout)
    assert printed["healthy"] is False
    (check,) = [each for each in printed["checks"] if each["name"] == name]
    assert check["health"] == "broken"
    return next(line for line in answer.stdout.splitlines() if line.startswith(f"✗ {name}: "))


def test_a_health_that_is_none_of_ours_is_broken_and_what_else_was_told_is_kept(doctor: Any) -> None:
    diagnosis = OURS | {"checks": [*checks("x", health="splendid"), *checks("y", health="ok")]}
    with server({**ALIVE, "/api/v1/diagnosis": (200, diagnosis)}) as url:
        assert "✗ x: is 'splendid', which this command does not know" in broken_line(doctor, url, "x")
        assert "✓ y" in doctor(url).stdout


def certificate(folder: Path) -> Path:
    """A certificate that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path

"""The HTTP server in front of the stand-in."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.fakes.cosmos.account import Account
from tests.fakes.cosmos.exchange import Answer, Asked

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date"}


class Front(ThreadingHTTPServer):
    """Answers at `url` what the account says; what that asks the stand-in goes to `upstream`."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._upstream = urlsplit(upstream)
        self._client: HTTPConnection | None = None
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.account = Account(self._send)

    def _send(self, asked: Asked) -> Answer:
        """Ask the stand-in, on the one connection there is: the account asks one thing at a time."""
        headers = {name: value for name, value in asked.headers.items() if name not in _HOP_BY_HOP}
        for last in (False, True):
            if self._client is None:
                self._client = HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=30)
            try:
                self._client.request(asked.method, asked.path, asked.body, headers)
                answer = self._client.getresponse()
                sent = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
                return Answer(answer.status, self._corrected(asked, answer.read()), sent)
            except (HTTPException, OSError):
                self._client.close()
                self._client = None
                if last:
                    raise
        raise AssertionError("it either answers or raises")

    def _corrected(self, asked: Asked, content: bytes) -> bytes:
        """The account's regions are all here, not at https://localhost; the ids of partition key ranges are text."""
        if asked.path == "/":
            account = json.loads(content)
            for region in (*account["writableLocations"], *account["readableLocations"]):
                region["databaseAccountEndpoint"] = self.url
            return json.dumps(account).encode()
        if asked.path.rstrip("/").endswith("/pkranges") and content:
            found = json.loads(content)
            for each in found["PartitionKeyRanges"]:
                each["id"] = str(each["id"])
            return json.dumps(found).encode()
        return content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Front

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.account.handle(Asked(self.command, self.path, headers, body))
        if not answer.status:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815 - as http.server calls them

    def log_message(self, *_told: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def front(upstream: str) -> Iterator[Front]:
    """The front of the stand-in at `upstream` until the block ends."""
    with Front(upstream) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="cosmos front")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

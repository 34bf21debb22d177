"""A server on this machine that answers what a test tells it to: the SDK's own retries and errors in front of it."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.server import Server


@dataclass
class Answer:
    """A status, the headers and the JSON body; status 0 is silence."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass
class Loopback:
    """`fixed` answers by path; everything else gets `answer`. `asked` lists method and path of those."""

    address: str
    answer: Answer
    fixed: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def loopback(answer: Answer, fixed: dict[str, Answer]) -> Iterator[Loopback]:
    told, over = Loopback("", answer, fixed), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0].strip("/")
            given = told.fixed.get(path)
            if given is None:
                told.asked.append((self.command, path))
                given = told.answer
            if not given.status:
                over.wait(timeout=30)
                return
            etag = given.headers.get("etag")
            self._send(Answer(304, given.headers) if etag and etag == self.headers.get("If-None-Match") else given)

        def _send(self, given: Answer) -> None:
            data = json.dumps(given.body or {"code": str(given.status), "message": "as told"}).encode()
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD" and given.status != HTTPStatus.NOT_MODIFIED:
                self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with Server(("127.0.0.1", 0), Handler) as server:
        told.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield told
        finally:
            over.set()
            server.shutdown()
            thread.join()

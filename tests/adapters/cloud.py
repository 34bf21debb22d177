"""A small cloud on loopback that answers in ARM's recorded shapes, and any fault a test asks for."""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, BinaryIO, Self
from urllib.parse import parse_qs, urlsplit

from tests.fakes.server import Server

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"


@dataclass(frozen=True)
class Answer:
    """One answer. `drop` closes the connection instead, `cut` breaks it off in the middle, `hold` waits for release.

    `garbled` ends the body in the middle, although the answer claims to be whole. `raw` is a body of any bytes,
    `drip` the seconds between two bytes of it.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: bool = False
    garbled: bool = False
    hold: bool = False
    raw: bytes | None = None
    drip: float = 0.0

    def content(self) -> bytes:
        """The body as it is sent."""
        if self.raw is not None:
            return self.raw
        content = b"" if self.body is None else json.dumps(self.body).encode()
        return content[: len(content) // 2] if self.garbled else content


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


Script = Callable[[Call], Answer | None]


def error(status: int, code: str, message: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"error": {"code": code, "message": message}}, named)


def denied(action: str, scope: str) -> Answer:
    text = (
        f"The client 'x' with object id 'y' does not have authorization to perform action '{action}' "
        f"over scope '{scope}' or the scope is invalid."
    )
    return error(403, "AuthorizationFailed", text)


class Cloud:
    """Resources by id, children by list path, and scripts that answer before anything else does."""

    def __init__(self, secure: ssl.SSLContext | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self.bodies: dict[str, dict[str, Any]] = {
            SCOPE: {"id": SCOPE, "subscriptionId": SUBSCRIPTION, "displayName": "Dev", "state": "Enabled"}
        }
        self.lists: dict[str, list[dict[str, Any]]] = {f"{SCOPE}/resourceGroups": []}
        self.answers: dict[tuple[str, str], Any] = {}
        self.scripts: list[Script] = []
        self.calls: list[Call] = []
        self.connections = 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if secure:
            self._server.socket = secure.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def once(self, path: str, *answers: Answer, method: str | None = None) -> None:
        """Give these answers, one after the other, to calls whose path ends so."""
        left = list(answers)

        def script(call: Call) -> Answer | None:
            if not left or not call.path.endswith(path) or method not in {None, call.method}:
                return None
            return left.pop(0)

        self.scripts.append(script)

    def refuse_token(self, token: str) -> None:
        """Answer as Resource Graph does when a skip token has expired."""
        self.scripts.append(
            lambda call: (
                error(400, "BadRequest", "The skip token is invalid")
                if call.body and (call.body.get("options") or {}).get("$skipToken") == token
                else None
            )
        )

    def always(self, path: str, answer: Answer) -> None:
        self.scripts.append(lambda call: answer if call.path.endswith(path) else None)

    def add(self, resource_id: str, kind: str, **rest: Any) -> dict[str, Any]:
        """A resource that both Resource Graph and ARM know."""
        body = {"id": resource_id, "name": resource_id.rpartition("/")[2], "type": kind, "properties": {}, **rest}
        self.bodies[resource_id] = body
        self.rows.append({**body, "type": kind.lower(), "kind": "", "plan": None, "sku": None})
        return body

    def answer(self, call: Call) -> Answer:
        with self._lock:
            self.calls.append(call)
            scripted = next((found for script in self.scripts if (found := script(call)) is not None), None)
        if scripted is not None:
            return scripted
        if call.path.endswith("Microsoft.ResourceGraph/resources"):
            return Answer(200, self.graph(call.body))
        if (call.method, call.path) in self.answers:
            return Answer(200, self.answers[call.method, call.path])
        if call.path in self.lists:
            return Answer(200, {"value": self.lists[call.path]})
        if call.path in self.bodies:
            return Answer(200, self.bodies[call.path], {"ETag": '"1"'})
        return error(404, "ResourceNotFound", f"{call.path} was not found")

    def graph(self, question: Mapping[str, Any]) -> dict[str, Any]:
        options = question["options"]
        start = int((options.get("$skipToken") or "at:0").partition(":")[2])
        lower = "order by tolower(id) asc" in question["query"]
        rows = sorted(self._matching(question["query"]), key=lambda row: row["id"].lower() if lower else row["id"])
        page = rows[start : start + options["$top"]]
        more = start + len(page) < len(rows)
        answer = {"totalRecords": len(rows), "count": len(page), "resultTruncated": "false", "data": page, "facets": []}
        return {**answer, **({"$skipToken": f"at:{start + len(page)}"} if more else {})}

    def _matching(self, query: str) -> list[dict[str, Any]]:
        kind = query.partition("type =~ '")[2].partition("'")[0]
        named = set(query.partition("id in~ ('")[2].partition("')")[0].split("', '"))
        found = (row for row in self.rows if kind in {"", row["type"]})
        if " parent in~ (" not in query:
            return [row for row in found if named == {""} or row["id"] in named]
        owners = set(query.partition("parent in~ ('")[2].partition("')")[0].lower().split("', '"))
        return [row for row in found if row["id"].lower().rpartition("/")[0].rpartition("/")[0] in owners]


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536

        def setup(self) -> None:
            super().setup()
            cloud.connections += 1

        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, parts.path, query, headers, json.loads(sent) if sent else None)
            self._give(cloud.answer(call))

        def _give(self, answer: Answer) -> None:
            if answer.hold:
                cloud.released.wait(30)
            if answer.drop or answer.hold:
                self.close_connection = True
                return
            content = answer.content()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value.replace("{endpoint}", cloud.endpoint))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            _send(self.wfile, content[: len(content) // 2] if answer.cut else content, answer.drip, cloud.released)
            self.close_connection = self.close_connection or answer.cut

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the server's names

        def log_message(self, *_args: object) -> None: ...

    return Handler


def _send(out: BinaryIO, content: bytes, drip: float, released: threading.Event) -> None:
    """Write a body, byte by byte when it drips, for as long as somebody listens."""
    pieces = [content] if not drip else [content[at : at + 1] for at in range(len(content))]
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            out.write(piece)
            out.flush()
            if drip and released.wait(drip):
                return

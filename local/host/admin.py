"""The admin routes: run any function that HTTP does not reach, list the functions, show the state of the host."""

import hmac
import ipaddress
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.types import Receive, Scope, Send

from local.host.function import AppFunction
from local.host.response import send_json, send_problem

FireFunction = Callable[[AppFunction, str], Awaitable[None]]
"""Starts a function with an input, without waiting for its end; ValueError when its kind cannot be started so."""

_FUNCTIONS = "/admin/functions"
_BODY_BYTES = 1024 * 1024


class Admin:
    """Serves /admin to programs on this machine and to holders of the master key.

    Source: "Manually run a non HTTP-triggered function".
    """

    def __init__(self, functions: Mapping[str, AppFunction], fire: FireFunction, key: str) -> None:
        self._functions = functions
        self._fire = fire
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under /admin."""
        path = scope["path"].rstrip("/")
        if not self._allowed(scope):
            await send_problem(
                send, 401, "Unauthorized", "only from this machine, or with the master key as x-functions-key"
            )
        elif path == "/admin/host/status":
            await send_json(send, 200, {"state": "Running", "processId": os.getpid()})
        elif path == _FUNCTIONS and scope["method"] == "GET":
            await send_json(send, 200, [{"name": each.name, "trigger": each.kind} for each in self._functions.values()])
        elif path.startswith(f"{_FUNCTIONS}/") and scope["method"] == "POST":
            await self._run(path.removeprefix(f"{_FUNCTIONS}/"), receive, send)
        else:
            await send_problem(send, 404, "Not Found", "see GET /admin/functions and POST /admin/functions/{name}")

    async def _run(self, name: str, receive: Receive, send: Send) -> None:
        function = next((each for each in self._functions.values() if each.name.lower() == name.lower()), None)
        if function is None:
            await send_problem(send, 404, "Not Found", f"there is no function '{name}'; see GET {_FUNCTIONS}")
            return
        try:
            await self._fire(function, await _input(receive))
        except ValueError as error:
            await send_problem(send, 400, "Bad Request", str(error))
        else:
            await send_json(send, 202)

    def _allowed(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = headers.get(b"x-functions-key", query.get("code", [""])[0].encode())
        if given:
            # Takes as long for every wrong key, which therefore cannot be guessed byte by byte.
            return hmac.compare_digest(given, self._key)
        # Without a key a program on this machine has to ask: no proxy, and no page in a browser (Origin, foreign Host).
        if headers.keys() & {b"origin", b"forwarded", b"x-forwarded-for"}:
            return False
        host = urlsplit(f"//{headers.get(b'host', b'').decode('latin-1')}").hostname or ""
        return _is_loopback((scope["client"] or ("",))[0]) and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _input(receive: Receive) -> str:
    """Read the `input` of a body {"input": …}, as text; values other than text are written as JSON."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _BODY_BYTES:
            raise ValueError(f"the body has more than {_BODY_BYTES} bytes")
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f'the body is not JSON: {error}; send {{"input": …}}') from error
    if not isinstance(given, dict):
        raise ValueError('the body is not a JSON object; send {"input": …}')  # noqa: TRY004 - one error for bad bodies
    value = given.get("input", "")
    return value if isinstance(value, str) else json.dumps(value)

"""The local host's own cost: a trivial function over HTTP, compared with the bare server under it."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

CALLS = 2000
CONCURRENT_CALLS = 32
REQUEST = b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\n\r\n"

APP = """
import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
@app.route(route="hello")
async def hello(req: Request) -> Response:
    return Response("hello")
"""
BARE_SERVER = """
import asyncio, uvicorn
from local.host.server import Server, listen, url
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})
async def main():
    with listen("127.0.0.1", 0) as listener:
        await Server(app, listener, 1).start()
        print("at", url(listener), flush=True)
        await asyncio.sleep(1e6)
asyncio.run(main())
"""


async def ask(port: int, count: int) -> list[float]:
    """Send so many requests on one connection, one after the other. Return the milliseconds of each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(5)
        times.append((time.perf_counter() - began) * 1000)
    writer.close()
    await writer.wait_closed()
    return times


async def measure(name: str, port: int) -> float:
    """Print the figures of one server; return its median."""
    await ask(port, CALLS // 10)
    cuts = quantiles(await ask(port, CALLS), n=20)
    began = time.perf_counter()
    await asyncio.gather(*(ask(port, CALLS // CONCURRENT_CALLS) for _ in range(CONCURRENT_CALLS)))
    rate = CALLS / (time.perf_counter() - began)
    print(f"host, {name}: p50 {cuts[9]:.2f} ms, p95 {cuts[18]:.2f} ms, {rate:,.0f} requests/s at {CONCURRENT_CALLS}")
    return cuts[9]


def serve(name: str, command: list[str]) -> float:
    """Start a server that prints its address last on its first line, measure it, stop it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PORT": "0"}) as process:
        assert process.stdout
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        try:
            return asyncio.run(measure(name, port))
        finally:
            process.terminate()


def main() -> None:
    """Compare the two."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "function_app.py").write_text(APP)
        (Path(folder) / "host.json").write_text('{"logging": {"logLevel": {"Host.Results": "Warning"}}}')
        bare = serve("bare server", [sys.executable, "-c", BARE_SERVER])
        host = serve(
            "trivial function", [sys.executable, "-m", "local.host", "--app", folder, "--state", f"{folder}/state"]
        )
    print(f"host: a function costs {host / bare:.1f} times the bare server, {host - bare:.2f} ms more")


if __name__ == "__main__":
    main()

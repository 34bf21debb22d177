"""`cortex run`, `token` and `estate`: the whole product on this machine, and what goes with it."""

import contextlib
import json as stdlib_json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.panel import Panel

from cli import local, show
from cli.client import ApiError, Client
from shared.domain.identity import Role

ROOT = Path(__file__).parents[1]
PEOPLE = {Role.OPERATOR: "olga", Role.APPROVER: "ada"}
LIFETIME = timedelta(days=30)
LEAVING = 3.0
PATIENCE = 120.0
"""Seconds to wait for the sandbox cloud: a large estate takes a while to make."""


def run(
    port: Annotated[
        int,
        typer.Option(
            envvar="PORT", min=1, max=65_534, help="where the product answers; the sandbox cloud is next to it"
        ),
    ] = 7071,
    resources: Annotated[int, typer.Option(min=1, max=1_000_000, help="size of the sample estate")] = 2000,
    seed: Annotated[int, typer.Option(help="another seed is another estate")] = 7,
    sample: Annotated[bool, typer.Option("--sample/--no-sample", help="with the sandbox cloud, or without")] = True,
    json: Annotated[bool, typer.Option("--json", help="write logs as JSON lines")] = False,
) -> None:
    """Run the whole product on this machine, with a sample estate in a sandbox cloud. Everything is kept in .cortex."""
    from local.host.run import leave  # noqa: PLC0415 - the other commands do without it

    tokens = {role.value: _mint(name, role, LIFETIME) for role, name in PEOPLE.items()}
    _settings()
    _claim(port)
    with _cloud(port, resources, seed) if sample else contextlib.nullcontext():
        status = _host(port, tokens, first_scan=sample, as_json=json)
    leave(status)


def mint(
    role: Annotated[Role, typer.Option(help="what the token lets its bearer do")] = Role.OPERATOR,
    name: Annotated[str, typer.Option(help="whom the streams and approvals name")] = "olga",
    days: Annotated[float, typer.Option(min=0.001, max=30, help="how long it lives")] = 1.0,
) -> None:
    """Print a development token, signed with this machine's own secret."""
    print(_mint(name, role, timedelta(days=days)))  # noqa: T201 - the output itself


def estate(
    resources: Annotated[int, typer.Option(min=1, max=1_000_000, help="how many")] = 200,
    seed: Annotated[int, typer.Option(help="another seed is another estate")] = 7,
) -> None:
    """Print a sample estate as JSON lines of ARM bodies, of any size, the same for the same seed."""
    from local import estate as sample  # noqa: PLC0415 - the other commands do without it

    with contextlib.suppress(BrokenPipeError):
        for body in sample.resources(seed=seed, count=resources):
            sys.stdout.write(stdlib_json.dumps(body) + "\n")


def _mint(name: str, role: Role, lifetime: timedelta) -> str:
    from shared.adapters.local.identity import SignedTokens  # noqa: PLC0415 - the other commands do without it

    tokens = SignedTokens(local.secret(), lambda: datetime.now(UTC))
    return tokens.mint(name, [role], os.environ.get("CORTEX_TENANT", "local"), lifetime)


def _claim(port: int) -> None:
    """Refuse to begin where a port is taken, or where another product keeps its state in the same folder."""
    for each in (port, port + 1):
        if not _comes_free(each):
            raise ApiError(f"port {each} is taken: choose another, as in `PORT=8080 make run`")
    if not local.claim():
        raise ApiError(f"another product runs on {local.state()}: end it, or set CORTEX_STATE to another folder")


def _comes_free(port: int) -> bool:
    """Whether a port is free, or comes free in the moment that the sandbox of a killed product takes to end."""
    until = time.monotonic() + LEAVING
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)


def _settings() -> None:
    """What the product is told about this machine; what is set already stays."""
    settings = {
        "CORTEX_STATE": str(local.state()),
        "CORTEX_TENANT": "local",
        "CORTEX_LOCAL_TOKEN_SECRET": local.secret(),
        "CORTEX_SCAN_SCHEDULE": "0 0 2 * * *",
        "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(520 * 1024 * 1024),
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)


@contextlib.contextmanager
def _cloud(port: int, resources: int, seed: int) -> Iterator[None]:
    """The sandbox cloud beside the product, in a process of its own; it keeps what was written to it."""
    url = f"http://127.0.0.1:{port + 1}"
    command = [sys.executable, "-m", "local.cloud", "--port", str(port + 1), "--state", str(local.state() / "cloud.db")]
    events = f"http://127.0.0.1:{port}/api/v1/changes"
    told = ["--resources", str(resources), "--seed", str(seed), "--events", events, "--exit-with-parent"]
    env = {**os.environ, "CORTEX_EVENTS_TOKEN": _mint("sandbox-cloud", Role.SENDER, LIFETIME)}
    process = subprocess.Popen([*command, *told], cwd=ROOT, env=env)  # noqa: S603 - our own program
    try:
        with show.errors.status(f"making a sample estate of {resources} resources"):
            _await(f"{url}/admin/health", process)
        os.environ.setdefault("CORTEX_CLOUD_ENDPOINT", url)
        os.environ.setdefault("CORTEX_CLOUD_TOKEN", (local.state() / "cloud.token").read_text(encoding="utf-8"))
        yield
    finally:
        process.terminate()
        process.wait(10)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise ApiError(f"the sandbox cloud ended at once with {process.returncode}; its own message says why")
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(url).is_success:
                return
        time.sleep(0.1)
    raise ApiError(f"the sandbox cloud did not answer at {url} within {PATIENCE:.0f} s")


def _host(port: int, tokens: dict[str, str], *, first_scan: bool, as_json: bool) -> int:
    """Run the local host until it is told to stop; its exit code."""
    from local.host.__main__ import main as host  # noqa: PLC0415 - the other commands do without it

    threading.Thread(target=_welcome, args=(port, tokens, first_scan), daemon=True).start()
    return host(
        ["--port", str(port), "--app", str(ROOT), "--state", str(local.state()), *(["--json"] if as_json else [])]
    )


def _welcome(port: int, tokens: dict[str, str], first_scan: bool) -> None:
    """When the product answers: say where to look, and have the estate scanned if it never was."""
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(f"{url}/api/v1/health").is_success:
                break
        time.sleep(0.1)
    local.keep(url, tokens)
    scanning = first_scan and _first_scan()
    show.errors.print(Panel(_text(url, scanning=scanning), title="PolicyCortex", expand=False, highlight=False))
    for role, token in tokens.items():
        show.errors.print(f"{role} ({PEOPLE[Role(role)]}): {token}", highlight=False, soft_wrap=True, markup=False)


def _first_scan() -> bool:
    with Client() as api, contextlib.suppress(ApiError):
        if not api.get("/scans", limit=1)["items"]:
            api.post("/scans", {})
            return True
    return False


def _text(url: str, *, scanning: bool) -> str:
    begun = "The sample estate is being collected and judged now; it takes a few seconds.\n\n" if scanning else ""
    return (
        f"{begun}Look:  {url}/  and  {url}/api/docs\nTry:   .venv/bin/cortex findings --severity critical\n"
        f"Tour:  {url}/tour\n\nSign in with a development token, good for {LIFETIME.days} days on this machine alone:"
    )

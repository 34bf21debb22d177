"""`cortex run` and `estate`: the whole product on this machine, and its sample estate."""

import contextlib
import json as stdlib_json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.panel import Panel
from rich.text import Text

from cli import state_folder, terminal
from cli.client import ApiError
from cli.sample import SampleSetup
from cli.sign_in import mint_token
from shared.domain.error import CortexError
from shared.domain.identity import Role

ROOT = Path(__file__).parents[1]
USER_BY_ROLE = {Role.OPERATOR: "olga", Role.APPROVER: "ada"}
TOKEN_LIFETIME = timedelta(days=30)
RECONCILERS = ("scan_reconcile", "remediation_reconcile", "import_reconcile", "exemption_expire")
SHUTDOWN_SECONDS = 3.0
CLOUD_START_SECONDS = 120.0
"""Seconds to wait for the sandbox cloud: creating a large estate takes a while."""


def run(
    port: Annotated[
        int,
        typer.Option(
            envvar="PORT", min=1, max=65_534, help="port of the product; the sandbox cloud takes the next one"
        ),
    ] = 7071,
    resources: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="number of resources in the sample estate")
    ] = 2000,
    seed: Annotated[int, typer.Option(help="seed of the sample estate; the same seed makes the same estate")] = 7,
    sample: Annotated[
        bool, typer.Option("--sample/--no-sample", help="run a sandbox cloud with a sample estate")
    ] = True,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="show each function that ran, and not only what it is about")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="show the same as JSON lines")] = False,
) -> None:
    """Run PolicyCortex on this machine, with a sample estate in a sandbox cloud.

    All data is kept in the state folder: CORTEX_STATE, or .cortex in the current folder.
    """
    from local.host.run import leave_process  # noqa: PLC0415 - the other commands do without it

    os.umask(0o077)  # only the owner may read what is kept
    tokens = {role.value: mint_token(name, role, TOKEN_LIFETIME) for role, name in USER_BY_ROLE.items()}
    _configure(sample=sample)
    _lock_state(port)
    _check_stores()
    with _cloud(port, resources, seed) if sample else contextlib.nullcontext():
        options = ["--json"] if json else [] if verbose else ["--brief"]
        status = _host(port, tokens, seed=seed if sample else None, options=options)
    leave_process(status)


def estate(
    resources: Annotated[int, typer.Option(min=1, max=1_000_000, help="number of resources")] = 200,
    seed: Annotated[int, typer.Option(help="seed of the sample estate; the same seed makes the same estate")] = 7,
) -> None:
    """Print a sample estate of any size as JSON lines of ARM bodies."""
    from local import estate as sample  # noqa: PLC0415 - the other commands do without it

    with contextlib.suppress(BrokenPipeError):
        for body in sample.resources(seed=seed, count=resources):
            sys.stdout.write(stdlib_json.dumps(body) + "\n")


def _lock_state(port: int) -> None:
    """Refuse to start when a port is in use, or when another product keeps its state in the same folder."""
    for each in (port, port + 1):
        if not _wait_for_port(each):
            raise ApiError(f"port {each} is in use: choose another with --port, or with PORT")
    if not state_folder.lock_state():
        raise ApiError(
            f"another PolicyCortex uses the state folder {state_folder.state_path()}: stop it, or set CORTEX_STATE to "
            "another folder"
        )


def _wait_for_port(port: int) -> bool:
    """Return whether a port is free within the seconds that the sandbox of a killed product takes to end."""
    until = time.monotonic() + SHUTDOWN_SECONDS
    while True:
        with socket.socket() as probe:
            # As the host binds: connections that are still closing do not keep a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)


def _configure(*, sample: bool) -> None:
    """Set the product's settings for this machine, where they are not set. The sample estate has house rules."""
    settings = {
        **({"CORTEX_ASSIGNMENTS": str(ROOT / "local" / "assignments")} if sample else {}),
        "CORTEX_STATE": str(state_folder.state_path()),
        "CORTEX_TENANT": "local",
        "CORTEX_LOCAL_TOKEN_SECRET": state_folder.load_secret(),
        "CORTEX_SCAN_SCHEDULE": "0 0 2 * * *",
        "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1",
        "PYTHON_THREADPOOL_THREAD_COUNT": "16",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(520 * 1024 * 1024),
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def _check_stores() -> None:
    """Refuse to start on stores that are damaged or cannot be opened, before an estate is created in vain."""
    from shared import bootstrap  # noqa: PLC0415 - the other commands do without it

    with bootstrap.build(bootstrap.settings()) as ports:
        for check in (ports.documents.check, ports.blobs.check, ports.queue.check):
            check()


@contextlib.contextmanager
def _cloud(port: int, resources: int, seed: int) -> Iterator[None]:
    """Run the sandbox cloud in a process of its own; it keeps what was written to it."""
    url = f"http://127.0.0.1:{port + 1}"
    # With -P, the folder of the caller, which may hold a `local` of its own, is not searched; PYTHONPATH has ours.
    command = [sys.executable, "-P", "-m", "local.cloud", "--port", str(port + 1)]
    state = ["--state", str(state_folder.state_path() / "cloud.db")]
    events = f"http://127.0.0.1:{port}/api/v1/changes"
    estate = ["--resources", str(resources), "--seed", str(seed), "--restricted"]
    options = [*estate, "--events", events, "--exit-with-parent"]
    env = {
        **os.environ,
        "CORTEX_EVENTS_TOKEN": mint_token("sandbox-cloud", Role.SENDER, TOKEN_LIFETIME),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    process = subprocess.Popen([*command, *state, *options], env=env)  # noqa: S603 - our own program
    try:
        with terminal.errors.status(f"creating a sample estate of {terminal.count(resources, 'resource')}"):
            _wait_for_cloud(f"{url}/admin/health", process)
        os.environ.setdefault("CORTEX_CLOUD_ENDPOINT", url)
        os.environ.setdefault("CORTEX_CLOUD_TOKEN", state_folder.read_text("cloud.token"))
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_cloud(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + CLOUD_START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise ApiError(f"the sandbox cloud exited with code {process.returncode}; its own message says why")
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(url).is_success:
                return
        time.sleep(0.1)
    raise ApiError(f"the sandbox cloud did not answer at {url} within {CLOUD_START_SECONDS:.0f} s")


def _host(port: int, tokens: dict[str, str], *, seed: int | None, options: Sequence[str]) -> int:
    """Run the local host until it is stopped, and return its exit code."""
    from local.host.__main__ import main as host  # noqa: PLC0415 - the other commands do without it

    # The host runs in this thread, the only one that Python gives signals to.
    threading.Thread(target=_welcome, args=(port, tokens, seed), daemon=True).start()
    return host(["--port", str(port), "--app", str(ROOT), "--state", str(state_folder.state_path()), *options])


def _welcome(port: int, tokens: dict[str, str], seed: int | None) -> None:
    """Print where to look as soon as the product answers, and fill a new sample estate, which has a seed."""
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(f"{url}/api/v1/health").is_success:
                break
        time.sleep(0.1)
    run_reconcilers(url)
    try:
        state_folder.save_connection(url, tokens)
    except CortexError as error:
        terminal.print_err(
            "[bold red]✗[/] set CORTEX_URL={} and CORTEX_TOKEN for the other commands yourself: {}", url, error
        )
    try:
        with SampleSetup(url, tokens) as sample:
            is_new = sample.is_new()
            link = sample.sign_in_link()
            terminal.errors.print(Panel(Text(_welcome_text(url)), title="PolicyCortex", expand=False))
            terminal.print_err("[bold]Open[/] {}", link)  # outside the panel, which would break a long line
            if seed is not None and is_new:
                terminal.print_err("The sample estate is being scanned; this takes half a minute.")
                sample.complete(seed)
    except ApiError as error:
        terminal.print_err("[bold red]✗[/] the sample estate is not complete: {}", error)


def run_reconcilers(url: str) -> None:
    """Run the reconcilers at once: here, unlike on Azure, running workflows end with the process."""
    for name in RECONCILERS:
        with contextlib.suppress(httpx2.HTTPError):
            httpx2.post(f"{url}/admin/functions/{name}", json={})


def _welcome_text(url: str) -> str:
    command = "cortex" if shutil.which("cortex") else ".venv/bin/cortex"
    lines = (
        ("Look", "open the link below: it signs in one browser, once, within ten minutes"),
        ("", f"{command} sign-in prints another"),
        ("Try", f"{command} finding list --severity critical"),
        ("Tour", f"{url}/tour"),
        ("API", f"{url}/api/docs"),
        ("", f"{command} token --role operator prints a token for curl"),
        ("Logs", f"{state_folder.state_path() / 'logs' / 'host.log'} has a line for each function that ran"),
    )
    return "\n".join(f"{title:5} {text}" for title, text in lines)

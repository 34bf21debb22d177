"""`python -m local.host`: runs the function app until a signal stops it."""

import argparse
import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from local.host import log
from local.host.host import Host, HostOptions
from local.host.run import leave_process, serve
from local.host.server import PortTakenError
from local.host.setting import SettingError, defaults, local_settings, read_host
from local.host.worker import LoadError
from shared import bootstrap
from shared.domain.error import CortexError
from shared.domain.printable import printable

ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Run the host. Return 0 after a stop by signal, 1 when it could not start."""
    options = _parser().parse_args(arguments)
    app: Path = options.app
    try:
        with local_settings(app), defaults(_address(options.host, options.port)):
            if options.state:
                os.environ["CORTEX_STATE"] = str(options.state)
            state = bootstrap.settings().state
            levels = read_host(app).logging.log_level
            log.configure(levels, as_json=options.json, brief=options.brief, folder=state / "logs")
            grace, lease = timedelta(seconds=options.grace), timedelta(seconds=options.lease)
            chosen = HostOptions(address=options.host, port=options.port, grace=grace, lease=lease)
            asyncio.run(serve(Host(app, queue=bootstrap.ports().queue, state=state, options=chosen)))
    except (PortTakenError, LoadError, SettingError, CortexError) as error:
        print(printable(f"The host cannot start: {error}"), file=sys.stderr)  # noqa: T201 - logging may not be set up yet
        return 1
    return 0


def _address(host: str, port: int) -> dict[str, str]:
    """Return the setting with the address for links, unless one is configured; nothing for port 0."""
    name = "127.0.0.1" if host in ANY_ADDRESS else host
    configured = os.environ.get("CORTEX_PUBLIC_URL") or os.environ.get("WEBSITE_HOSTNAME")
    return {} if configured or not port or ":" in name else {"CORTEX_PUBLIC_URL": f"http://{name}:{port}"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--port", type=int, default=os.environ.get("PORT") or "7071", help="default: PORT or 7071")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine only)")
    parser.add_argument("--app", type=Path, default=ROOT, help="the folder of function_app.py")
    parser.add_argument("--state", type=Path, help="the folder for all state (default: CORTEX_STATE or .cortex)")
    parser.add_argument("--grace", type=float, default=8.0, help="seconds that work under way may take after a stop")
    parser.add_argument(
        "--lease", type=float, default=30.0, help="seconds after which a dead host's messages come back"
    )
    parser.add_argument(
        "--brief", action="store_true", help="no line on the terminal for a function that ran well; the file has all"
    )
    parser.add_argument("--json", action="store_true", help="write logs as JSON lines")
    return parser


if __name__ == "__main__":
    os.umask(0o077)  # only the owner may read what is stored
    leave_process(main())

"""`python -m local.host`: runs the function app until it is told to stop."""

import argparse
import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from local.host import log
from local.host.host import Host, Place
from local.host.run import leave, serve
from local.host.server import PortTakenError
from local.host.setting import SettingError, local_settings, read_host
from local.host.worker import LoadError
from shared import bootstrap
from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Run the host; 0 after a stop by signal, 1 when it could not start."""
    options = _parser().parse_args(arguments)
    app: Path = options.app
    try:
        with local_settings(app):
            log.configure(read_host(app).logging.log_level, as_json=options.json)
            if options.state:
                os.environ["CORTEX_STATE"] = str(options.state)
            grace, lease = timedelta(seconds=options.grace), timedelta(seconds=options.lease)
            place = Place(address=options.host, port=options.port, grace=grace, lease=lease)
            asyncio.run(serve(Host(app, queue=bootstrap.ports().queue, state=Settings().state, place=place)))
    except (PortTakenError, LoadError, SettingError) as error:
        print(f"The host cannot start: {error}", file=sys.stderr)  # noqa: T201 - it may be that nothing else is up yet
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--port", type=int, default=os.environ.get("PORT") or "7071", help="default: PORT or 7071")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine only)")
    parser.add_argument("--app", type=Path, default=ROOT, help="the folder of function_app.py")
    parser.add_argument(
        "--state", type=Path, help="the folder that keeps everything (default: CORTEX_STATE or .cortex)"
    )
    parser.add_argument("--grace", type=float, default=8.0, help="seconds that work may take to end after a stop")
    parser.add_argument(
        "--lease", type=float, default=30.0, help="seconds after which a dead host's messages come back"
    )
    parser.add_argument("--json", action="store_true", help="write logs as JSON lines")
    return parser


if __name__ == "__main__":
    leave(main())

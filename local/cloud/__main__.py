"""Run the sandbox cloud: `python -m local.cloud --port 7072 --state .cortex/cloud.db --resources 2000 --seed 7`."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from local.cloud.generation import generate
from local.cloud.server import Sandbox, sandbox

_PARENT_SECONDS = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if options.reset:
        _remove(options.state)
    if not options.state.exists():
        seconds = generate(options.state, seed=options.seed, count=options.resources)
        logging.getLogger(__name__).info("made an estate of %d resources in %.1f s", options.resources, seconds)
    try:
        return _serve(options)
    except OSError as error:
        sys.stderr.write(
            f"The sandbox cloud cannot listen on port {options.port}: {error}. Choose another with --port.\n"
        )
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.cloud", description="A sandbox cloud that speaks ARM.")
    parser.add_argument("--port", type=int, default=7072, help="0 lets the system choose (default: 7072)")
    parser.add_argument("--state", type=Path, default=Path(".cortex/cloud.db"), help="the file that holds the cloud")
    parser.add_argument("--resources", type=int, default=2000, help="how many, when the file is not there yet")
    parser.add_argument("--seed", type=int, default=7, help="which estate, when the file is not there yet")
    parser.add_argument("--reset", action="store_true", help="make the estate anew")
    parser.add_argument(
        "--events", metavar="URL", help="a webhook that is told of every write; CORTEX_EVENTS_TOKEN is its bearer token"
    )
    parser.add_argument("--operation-seconds", type=float, default=0.5, help="how long writes of slow types take")
    parser.add_argument("--throttle", action="store_true", help="enforce Azure's rate limits")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when the process that started this ends")
    parser.add_argument("--json", action="store_true", help="print address and token as one line of JSON")
    return parser


def _serve(options: argparse.Namespace) -> int:
    with sandbox(
        options.state,
        port=options.port,
        events=options.events,
        events_token=os.environ.get("CORTEX_EVENTS_TOKEN"),
        operation_seconds=options.operation_seconds,
        throttle=options.throttle,
    ) as cloud:
        _announce(cloud, options)
        _wait(with_parent=options.exit_with_parent)
    return 0


def _announce(cloud: Sandbox, options: argparse.Namespace) -> None:
    """Tell where the cloud is; the token is also left beside the state, readable by its owner only."""
    place = options.state.with_suffix(".token")
    place.touch(mode=0o600)
    place.write_text(cloud.token, encoding="utf-8")
    line = json.dumps({"url": cloud.url, "token": cloud.token, "resources": cloud.count()})
    text = f"Sandbox cloud with {cloud.count()} resources at {cloud.url}; its token is in {place}."
    sys.stdout.write((line if options.json else text) + "\n")
    sys.stdout.flush()


def _wait(*, with_parent: bool) -> None:
    """Until a signal comes, or the parent has gone."""
    stop = threading.Event()

    def stopped(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stopped)
    parent = os.getppid()
    while not stop.wait(_PARENT_SECONDS if with_parent else None):
        if os.getppid() != parent:
            return


def _remove(state: Path) -> None:
    for path in (state, *state.parent.glob(state.name + "-*")):
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())

"""Run the sandbox cloud: `python -m local.cloud --port 7072 --state .cortex/cloud.db --resources 2000 --seed 7`."""

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from local import estate
from local.cloud.faults.fault import FaultKind
from local.cloud.generation import generate_estate
from local.cloud.server import Sandbox, sandbox
from shared.domain.error import Damaged

_PARENT_SECONDS = 0.5
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        _generate(options)
        # Before the first thread, which inherits it: a signal that comes before the wait is kept for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        with sandbox(
            options.state,
            port=options.port,
            events=options.events,
            events_token=os.environ.get("CORTEX_EVENTS_TOKEN"),
            operation_seconds=options.operation_seconds,
            graph_delay_seconds=options.graph_delay_seconds,
            throttle=options.throttle,
        ) as cloud:
            for each in estate.restrictions(options.seed) if options.restricted else ():
                cloud.faults.add(FaultKind.FORBIDDEN, **each)
            _announce(cloud, options)
            _wait(with_parent=options.exit_with_parent)
    except Damaged as error:
        sys.stderr.write(f"The sandbox cloud cannot start: {error} ({error.place}).\n")
    except OSError as error:
        unusable = f"{error.filename}: {error.strerror}" if error.filename else f"port {options.port}: {error}"
        sys.stderr.write(f"The sandbox cloud cannot use {unusable}. Choose another with --state or --port.\n")
    else:
        return 0
    return 1


def _generate(options: argparse.Namespace) -> None:
    """Generate the estate when there is none, or when it is to be replaced."""
    if options.reset:
        for path in (options.state, *options.state.parent.glob(options.state.name + "-*")):
            path.unlink(missing_ok=True)
    if not options.state.exists():
        seconds = generate_estate(options.state, seed=options.seed, count=options.resources)
        logging.getLogger(__name__).info("generated an estate of %d resources in %.1f s", options.resources, seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.cloud", description="A sandbox cloud that speaks ARM.")
    parser.add_argument("--port", type=int, default=7072, help="0 lets the system choose (default: 7072)")
    parser.add_argument("--state", type=Path, default=Path(".cortex/cloud.db"), help="the file that holds the cloud")
    parser.add_argument(
        "--resources", type=int, default=2000, help="number of resources to generate when the file does not exist"
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="seed of the estate to generate when the file does not exist"
    )
    parser.add_argument("--reset", action="store_true", help="delete the file and generate the estate again")
    parser.add_argument(
        "--events", metavar="URL", help="a webhook to send every write to; CORTEX_EVENTS_TOKEN is its bearer token"
    )
    parser.add_argument(
        "--operation-seconds", type=float, default=0.5, help="seconds that writes of slow types take (default: 0.5)"
    )
    parser.add_argument(
        "--graph-delay-seconds",
        type=float,
        default=0.0,
        help="seconds until Resource Graph tells of a change; up to 300 in Azure (default: 0)",
    )
    parser.add_argument("--throttle", action="store_true", help="enforce Azure's rate limits")
    parser.add_argument(
        "--restricted", action="store_true", help="forbid to read one subscription, and one part of another"
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when the parent process ends")
    parser.add_argument("--json", action="store_true", help="print address and token as one line of JSON")
    return parser


def _announce(cloud: Sandbox, options: argparse.Namespace) -> None:
    """Print where the cloud is. The token also goes into a file next to the state that only its owner can read."""
    place = options.state.with_suffix(".token")
    # Narrowed before the token is in it, and a file that was there before keeps its mode at touch.
    place.touch(mode=0o600)
    place.chmod(0o600)
    place.write_text(cloud.token, encoding="utf-8")
    line = json.dumps({"url": cloud.url, "token": cloud.token, "resources": cloud.count()})
    text = f"Sandbox cloud with {cloud.count()} resources at {cloud.url}; its token is in {place}."
    sys.stdout.write((line if options.json else text) + "\n")
    sys.stdout.flush()


def _wait(*, with_parent: bool) -> None:
    """Wait until a signal comes or the parent has ended."""
    if with_parent:
        Thread(target=_follow, args=(os.getppid(),), name="parent", daemon=True).start()
    # Not with a timeout: Python's sigtimedwait tells of a signal that never came if the process stood still.
    signal.sigwait(_STOP_SIGNALS)


def _follow(parent: int) -> None:
    """Stop this process as soon as its parent is another process, which is all there is to see of the parent's end."""
    while os.getppid() == parent:
        time.sleep(_PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    os.umask(0o077)  # only the owner may read what is stored
    sys.exit(main())

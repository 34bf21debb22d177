"""Jobs of the service: wait for their end, show how far they are, and tell that they go on without us."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli import terminal
from cli.client import ApiError, Client
from cli.exit_code import INTERRUPTED, UNSETTLED
from cli.response import ImportJob, Rebuild, Remediation, Scan

EXIT_CODES = {"completed": 0, "partial": UNSETTLED}
POLL_SECONDS = 0.3
WORKER_SECONDS = 30
"""How long a job may wait for a worker before that is said."""
NO_WORKER = (
    "no worker has taken the job yet: it waits, and begins once there is one; `cortex doctor` looks for the cause"
)


@contextmanager
def goes_on(api: Client, noun: str, job: str) -> Iterator[None]:
    """Add to an error, such as a lost server, or to Ctrl-C, that the job was started and goes on by itself."""
    told = f"The {noun} {job} was started and goes on by itself: `cortex {noun} show {job}`"
    try:
        yield
    except ApiError as error:
        raise ApiError(f"{error} {told} at {api.url}.", status=error.status) from error
    except KeyboardInterrupt:
        terminal.print_err("{}", told)
        raise SystemExit(INTERRUPTED) from None


def wait_for_job[T: (ImportJob, Rebuild, Remediation, Scan)](
    look: Callable[[], T],
    progress: Callable[[T], tuple[str, int, int | None]],
    done: Callable[[T], bool] = lambda now: bool(now.get("endedAt")),
) -> T:
    """Poll a job until it is done, by default until it has ended, and show its progress."""
    with terminal.progress() as bar:
        task = bar.add_task("starting", total=None)
        started, told = time.monotonic(), False
        while True:
            now = look()
            if now.get("status") == "requested" and not told and time.monotonic() - started > WORKER_SECONDS:
                told = True
                terminal.print_err("{}", NO_WORKER)
            text, number, total = progress(now)
            bar.update(task, description=text, completed=number, total=total)
            if done(now):
                return now
            time.sleep(POLL_SECONDS)

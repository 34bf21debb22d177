"""Disturb the running product for a while, let it settle, and hold it against what must be true.

Usage: `python -m tests.chaos [--seconds 60] [--seed N] [--keep]`. Prints the seed, what was done, and each broken
promise; the exit code is 1 when there is one. The seed repeats the choices; how they meet in time differs from run to
run.
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import invariant
from tests.chaos.disturbance import Disturbance
from tests.chaos.invariant import EXAMPLE_ITEMS, Violation
from tests.chaos.workload import Account, Workload
from tests.fakes.product import Product

RESOURCES = 400
SETTLE_SECONDS = 240.0
"""Seconds after which what has not ended is stuck: twice the longest wait that the disturbances ask for, and more."""
RECONCILERS = ("scan_reconcile", "import_reconcile", "remediation_reconcile", "exemption_expire")


def main() -> int:
    """Run it; the exit code."""
    options = _parser().parse_args()
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    _say(f"seed {seed}, {options.seconds:.0f} s")
    with tempfile.TemporaryDirectory(prefix="chaos-", delete=not options.keep) as folder:
        faults = list(_run(Path(folder), seed, options.seconds))
        if options.keep:
            _say(f"the state is kept in {folder}")
    return _describe(faults)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to disturb (default: 60)")
    parser.add_argument("--seed", type=int, help="choices to repeat (default: fresh ones)")
    parser.add_argument("--keep", action="store_true", help="leave the state folder there, to look into it")
    return parser


def _run(folder: Path, seed: int, seconds: float) -> Iterator[Violation]:
    account = Account()
    with Product(folder, resources=RESOURCES).impatient() as product:
        first = product.scan()["id"]
        workload, disturbance = Workload(product, seed, account), Disturbance(product, seed)
        with _stopped(workload), _stopped(disturbance):
            workload.start()
            disturbance.start()
            time.sleep(seconds)
        yield from _settled(product, disturbance)
        _say(f"did {_counts(account)}; {dict(disturbance.counts)}")
        _say(f"answers {dict(sorted(account.answers.items()))}")
        yield from invariant.of_answers(account)
        yield from invariant.of_records(product, account, first)
        yield from invariant.of_imports(product, account)
        yield from invariant.of_remediations(product, account)
        _say(f"written more often than planned: {invariant.repeated(product, account) or 'nothing'}")
        yield from invariant.of_estate(product)
        product.stop()
        yield from invariant.of_streams(folder)


@contextmanager
def _stopped(threads: Disturbance | Workload) -> Iterator[None]:
    """Stop them however the block ends: a thread that goes on would keep the process alive."""
    try:
        yield
    finally:
        threads.stop()


def _settled(product: Product, disturbance: Disturbance) -> Iterator[Violation]:
    """Let everything come to its end, with the timers fired as their times would come."""
    until = time.monotonic() + SETTLE_SECONDS
    while left := invariant.unfinished(product):
        if time.monotonic() > until:
            yield from (("stuck", each) for each in left)
            return
        for name in RECONCILERS:
            disturbance.fire(name)
        time.sleep(2.0)


def _counts(account: Account) -> str:
    done = {
        "scans": len(account.scans),
        "imports": len(account.imports),
        "remediations": len(account.remediations),
        "rollbacks": len(account.rolled_back),
        "exemptions": len(account.exemptions),
    }
    return ", ".join(f"{number} {noun}" for noun, number in done.items())


def _describe(faults: list[Violation]) -> int:
    for kind, number in sorted(Counter(kind for kind, _ in faults).items()):
        _say(f"{kind}: {number}")
        for each in [text for name, text in faults if name == kind][:EXAMPLE_ITEMS]:
            _say(f"  {each}")
    _say("nothing lost, doubled, stuck or unexplained" if not faults else f"{len(faults)} broken promises")
    return 1 if faults else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

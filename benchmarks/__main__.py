"""Run all benchmarks, each in a process of its own: `make bench`, or `python -m benchmarks start api`."""

import subprocess
import sys

ALL = ("start", "engine", "alias", "storage", "importing", "host", "api", "scan", "change", "call_budget", "peers")


def main() -> int:
    """Run the named benchmarks, or all; 1 when one failed."""
    names = sys.argv[1:] or ALL
    failed = [
        name for name in names if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    ]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs the engine against a collection of cases with known outcomes and lists every miss with its reason.

Usage: `python -m benchmarks.conformance [DIR]` (default: `policy-cases` in the folder `shared` next to the project);
the definitions and the real alias table are read from `azure-policy` next to DIR or in that folder. The last line is
`cases P/N, functions P/N, oracle wrong W of N pairs`.
"""

import sys
from pathlib import Path

from benchmarks.conformance import Tables, run_cases, run_functions, run_oracle
from benchmarks.conformance.collection import data


def main(arguments: list[str]) -> None:
    """Run everything and print the score last."""
    folder = Path(arguments[0]) if arguments else data() / "policy-cases"
    tables = Tables(folder)
    passed, total = run_cases(folder, tables)
    functions, calls = run_functions(folder)
    wrong, pairs = run_oracle(folder, tables)
    print(f"cases {passed}/{total}, functions {functions}/{calls}, oracle wrong {wrong} of {pairs} pairs")


if __name__ == "__main__":
    main(sys.argv[1:])

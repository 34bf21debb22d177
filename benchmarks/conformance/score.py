"""Every case by its kind, and how many agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.conformance.collection import Tables, lines
from benchmarks.conformance.rule import run_applicability, run_expression, run_mutation, run_operator, run_rule
from benchmarks.conformance.state import run_assignment, run_initiative, run_percentage, run_rollup, run_state

Json = Any
RUNNERS: dict[str | None, Callable[[Json, Tables], str | None]] = {
    None: run_rule,
    "condition": run_rule,
    "enforcement": run_rule,
    "operator": run_operator,
    "expression": run_expression,
    "applicability": run_applicability,
    "mutation": run_mutation,
    "state": run_state,
    "rollup": run_rollup,
    "percentage": run_percentage,
    "assignment": run_assignment,
    "initiative": run_initiative,
}


def run_cases(folder: Path, tables: Tables) -> tuple[int, int]:
    """Agreements and cases; what the sources dispute is listed but not scored."""
    passed = total = 0
    for case in lines(folder / "cases.jsonl.gz"):
        run = RUNNERS.get(case.get("kind"))
        miss = run(case, tables) if run else f"kind {case['kind']} is not run here"
        if case.get("contested"):
            print(f"contested {case['id']}: {miss or 'agrees'}")
            continue
        total += 1
        passed += miss is None
        if miss:
            print(f"miss {case['id']}: {miss}")
    return passed, total

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
    """Run all cases. Return how many agree, and how many there are; contested ones are listed but not scored."""
    passed = total = 0
    for case in lines(folder / "cases.jsonl.gz"):
        miss = _miss(case, tables)
        if case.get("contested"):
            print(f"contested {case['id']}: {miss or 'agrees'}")
            continue
        total += 1
        passed += miss is None
        if miss:
            print(f"miss {case['id']}: {miss}")
    return passed, total


def _miss(case: Json, tables: Tables) -> str | None:
    run = RUNNERS.get(case.get("kind"))
    if run is None:
        return f"kind {case['kind']} is not run here"
    try:
        return run(case, tables)
    except Exception as error:  # noqa: BLE001 - what breaks one case is a miss, and the rest are still judged
        return f"broke: {error!r}"

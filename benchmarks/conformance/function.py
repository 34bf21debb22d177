"""Cases on template functions: arguments and the value."""

from pathlib import Path
from typing import Any

from benchmarks.conformance.collection import lines
from shared.engine.error import EvaluationError
from shared.engine.functions import FUNCTIONS, call_function

Json = Any
FUNCTION_NAMES = {"logicall": "and", "logicany": "or", "logicnot": "not", "intdiv": "div", "intmod": "mod"}


def run_functions(folder: Path) -> tuple[int, int]:
    """Run the cases on functions. Return how many agree, and how many there are."""
    passed = total = 0
    for case in lines(folder / "functions.jsonl.gz"):
        total += 1
        miss = _function_miss(case)
        passed += miss is None
        if miss:
            print(f"miss {case['id']}: {miss}")
    return passed, total


def _function_miss(case: Json) -> str | None:
    name = case["builtin"].rpartition(".")[2].replace("_", "")
    function = FUNCTIONS.get(FUNCTION_NAMES.get(name, name))
    if function is None:
        return f"no function {name}"
    expected = case["expected"]
    try:
        found = call_function(function, case["args"])
    except EvaluationError as error:
        return None if "value" not in expected else f"error: {error}"
    wanted = expected.get("value", expected)
    return None if "value" in expected and found == wanted else f"{case['args']} gives {found!r}, expected {expected}"

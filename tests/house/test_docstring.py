"""Docstrings of functions begin with a verb, in the imperative: what the function does."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("shared", "functions", "local", "cli")
VERBS = frozenset(
    """
    accept act activate add align allow answer append apply approve ask assign authenticate authorize build call
    cancel carry catch change check close collect combine compare compile compute continue convert count create
    cut decide decode decorate define delete deliver do drop empty encode end escape evaluate exempt explain fill
    find fire forget format generate give go handle hash have hide hold import index insert join judge keep leave
    let lint list load lock log look make map match merge move name negate note notify open parse pass pay pickle
    plan poll post prepare print project purge put queue raise rank read rebuild receive reconcile record refresh
    refuse reject remember remove render renew replace report request require reserve resolve respond return roll round
    run save see send serve set show spell split start step stop store stream summarize supervise take tell
    terminate translate try turn upload wait wake withdraw write yield
    """.split()  # noqa: SIM905 - words read better than a list of them
)
"""The verbs that docstrings begin with; another verb of the field is added here."""


def first_word(node: ast.AST) -> str:
    text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
    return text.split()[0].rstrip(":,.;").lower() if text else ""


def test_a_function_says_what_it_does() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)} {word}"
        for file in [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (word := first_word(node)) and word not in VERBS
    ]
    assert found == []

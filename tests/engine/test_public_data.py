"""Public definitions and cases with known outcomes, read where the test data is present."""

import gzip
import json
import pickle
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conformance import Tables, run_cases, run_functions, run_oracle
from shared.engine import AliasCatalog, compile_definition


def rows(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rb") as file:
        yield from map(json.loads, file)


def test_every_public_definition_parses_and_compiles(data: Path) -> None:
    aliases = AliasCatalog.from_rows(rows(data / "azure-policy" / "aliases.jsonl.gz"))
    why: Counter[str] = Counter()
    for row in rows(data / "azure-policy" / "policyDefinitions.jsonl.gz"):
        policy = compile_definition(row["definition"], aliases=aliases)
        policy.program(next(iter(policy.types or {"microsoft.storage/storageaccounts"})))
        policy.existence()
        why[policy.not_evaluable[:4]] += 1
    assert why["a st"] == 1_664  # static placeholders
    assert why["mode"] == 228  # data planes
    assert why[""] == 5_009 - 1_664 - 228


def test_patterns_compile_and_survive_pickling(data: Path) -> None:
    aliases = AliasCatalog.from_rows(rows(data / "azure-policy" / "aliases.jsonl.gz"))
    definitions = [row for row in rows(data / "azure-policy" / "patterns.jsonl.gz") if "policyRule" in str(row)]
    assert len(definitions) > 10
    for row in definitions:
        policy = compile_definition(row["definition"], aliases=aliases)
        copy = pickle.loads(pickle.dumps(policy))  # noqa: S301 - our own bytes
        assert copy.definition == policy.definition


def test_cases_from_elsewhere_agree(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data / "policy-cases"
    passed, total = run_cases(folder, Tables(folder))
    assert (passed, total >= 400) == (total, True), capsys.readouterr().out
    assert len(set(run_functions(folder))) == 1


def test_two_other_engines_agree(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data / "policy-cases"
    wrong, pairs = run_oracle(folder, Tables(folder))
    assert wrong == 0, capsys.readouterr().out
    assert pairs > 500_000

"""Runs the specification: every case of cases/*.yaml, one file per part of the language."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.authoring.test_case import (
    context_of_case,
    evaluate_expression_case,
    policy_of_case,
    read_suite,
    resource_of_case,
)
from shared.domain.error import InvalidInput
from shared.domain.test_case import ExpectedResult, PolicyTestCase
from shared.domain.verdict import State
from shared.engine import (
    AliasCatalog,
    EffectConflict,
    EvaluationError,
    InvalidDefinition,
    Policy,
    apply_effects,
    compile_set,
    effect_details,
    explain,
    judge,
)

FOLDER = Path(__file__).parent / "cases"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def tables() -> Iterator[tuple[str, PolicyTestCase]]:
    for file in sorted(FOLDER.glob("*.yaml")):
        table = read_suite(yaml.load(file.read_text("utf-8"), Loader=LOADER))  # noqa: S506 - a safe loader
        yield from ((f"{file.stem}/{case.name}", case) for case in table.test_cases())


CASES = dict(tables())


def nothing(name: str) -> Any:
    raise InvalidInput(f"a case of the specification is whole, it does not name {name}")


def policy(case: PolicyTestCase, catalog: AliasCatalog) -> Policy:
    return policy_of_case(case, catalog, nothing)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_policy_test_case_passes(case: PolicyTestCase, catalog: AliasCatalog) -> None:
    expected = case.expected
    if case.expression is not None:
        check_expression(case, expected, catalog)
    elif expected.state is not None:
        check_state(case, expected.state, catalog)
    elif expected.refused is not None:
        with pytest.raises(InvalidDefinition) as refused:
            policy(case, catalog)
        assert refused.value.path == expected.refused
    else:
        check_effects(case, expected, catalog)


def test_the_specification_is_whole_and_each_case_expects_one_thing_and_says_why() -> None:
    assert len(CASES) > 1240
    assert [name for name, case in CASES.items() if not case.note or len(case.expected.model_fields_set) != 1] == []


def check_expression(case: PolicyTestCase, expected: ExpectedResult, catalog: AliasCatalog) -> None:
    if expected.error:
        with pytest.raises(EvaluationError):
            evaluate_expression_case(case, catalog)
    else:
        found = evaluate_expression_case(case, catalog)
        assert "value" in expected.model_fields_set
        assert found == expected.value
        assert type(found) is type(expected.value)


def check_state(case: PolicyTestCase, expected: State, catalog: AliasCatalog) -> None:
    compiled, one, surroundings = policy(case, catalog), resource_of_case(case), context_of_case(case)
    verdict = judge(compiled, one, surroundings)
    assert verdict.state is expected, verdict.reason
    assert (expected is State.UNKNOWN and compiled.effect != "manual") <= bool(verdict.missing)
    assert explain(compiled, one, surroundings).verdict == verdict
    batch = compile_set([compiled]).judge(one, surroundings)
    assert [each.state for _, each in batch] == ([] if expected is State.NOT_APPLICABLE else [expected])


def check_effects(case: PolicyTestCase, expected: ExpectedResult, catalog: AliasCatalog) -> None:
    compiled, one, surroundings = policy(case, catalog), resource_of_case(case), context_of_case(case)
    resolved = effect_details(compiled, one, surroundings)
    if expected.conflict:
        with pytest.raises(EffectConflict):
            apply_effects(one.body, resolved)
        return
    changed = apply_effects(one.body, resolved)
    assert changed == expected.body
    assert apply_effects(changed, resolved) == changed

"""Runs the specification: every case of cases/*.yaml, one file per part of the language."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.domain.resource import Resource, Unread
from shared.engine import (
    AliasCatalog,
    Context,
    EffectConflict,
    EvaluationError,
    InvalidDefinition,
    Policy,
    apply,
    compile_definition,
    compile_set,
    effects,
    explain,
    judge,
)
from shared.engine.context import Frame
from shared.engine.evaluate import compile_operand
from shared.engine.operand import parse_operand
from shared.engine.scope import Scope

Case = dict[str, Any]
FOLDER = Path(__file__).parent / "cases"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NOW = datetime(2024, 6, 1, 12, 30, tzinfo=UTC)


def cases() -> Iterator[Any]:
    for file in sorted(FOLDER.glob("*.yaml")):
        table = yaml.load(file.read_text("utf-8"), Loader=LOADER)  # noqa: S506 - a safe loader
        for case in table["cases"]:
            yield pytest.param(case, id=f"{file.stem}/{case['name']}")


def unread(rows: dict[str, Any]) -> dict[str, Unread]:
    return {path: Unread.from_record(why) for path, why in rows.items()}


def mark_members(body: Any, paths: list[str]) -> Any:
    """Members of arrays that were not read: a path ends in an index, which `Resource.unread` does not have."""
    from shared.engine.unknown import Unknown  # noqa: PLC0415 - only this helper looks inside

    for path in paths:
        *keys, last = path.replace("[", ".").replace("]", "").split(".")
        node = body
        for key in keys:
            node = node[key]
        node[int(last)] = Unknown(path, "forbidden")
    return body


def resource(case: Case) -> Resource:
    related: dict[str, Any] = {}
    for kind, found in (case.get("related") or {}).items():
        related[kind] = Unread.from_record(found) if isinstance(found, dict) else tuple(map(related_resource, found))
    body = mark_members(case.get("resource") or {}, case.get("partial") or [])
    return Resource(body, case.get("apiVersion"), None, unread(case.get("unread") or {}), related)


def related_resource(row: dict[str, Any]) -> Resource:
    body = {key: value for key, value in row.items() if key != "$unread"}
    return Resource(body, unread=unread(row.get("$unread") or {}))


def context(case: Case) -> Context:
    given = case.get("context") or {}
    return Context(
        resource_group=given.get("resourceGroup"),
        subscription=given.get("subscription"),
        request_context=given.get("requestContext"),
        policy=given.get("policy") or {},
        now=None if "now" in given else NOW,
    )


def policy(case: Case, catalog: AliasCatalog) -> Policy:
    definition = {
        "name": "case",
        "properties": {
            "mode": case.get("mode", "All"),
            "parameters": case.get("declared") or {},
            "policyRule": {"if": case["if"], "then": case.get("then", {"effect": "audit"})},
        },
    }
    return compile_definition(definition, aliases=catalog, parameters=case.get("parameters"))


def evaluate(case: Case, catalog: AliasCatalog) -> Any:
    one = resource(case)
    frame = Frame(one, context(case))
    scope = Scope(catalog, case.get("parameters") or {}, frame.type, one.api_version)
    return compile_operand(parse_operand(case["expression"], "$"), scope).read(frame.body, frame)


@pytest.mark.parametrize("case", list(cases()))
def test_case(case: Case, catalog: AliasCatalog) -> None:
    expected = case["expect"]
    if "expression" in case:
        check_expression(case, expected, catalog)
    elif isinstance(expected, str):
        check_state(case, expected, catalog)
    elif "refused" in expected:
        with pytest.raises(InvalidDefinition) as refused:
            policy(case, catalog)
        assert refused.value.path == expected["refused"]
    else:
        check_effects(case, expected, catalog)


def check_expression(case: Case, expected: Any, catalog: AliasCatalog) -> None:
    if expected.get("error"):
        with pytest.raises(EvaluationError):
            evaluate(case, catalog)
    else:
        found = evaluate(case, catalog)
        assert found == expected["value"]
        assert type(found) is type(expected["value"])


def check_state(case: Case, expected: str, catalog: AliasCatalog) -> None:
    compiled, one, surroundings = policy(case, catalog), resource(case), context(case)
    verdict = judge(compiled, one, surroundings)
    assert verdict.state.value == expected, verdict.reason
    assert (expected == "unknown" and compiled.effect != "manual") <= bool(verdict.needs)
    assert explain(compiled, one, surroundings).verdict == verdict
    batch = compile_set([compiled]).judge(one, surroundings)
    assert [each.state.value for each in batch] == ([] if expected == "notApplicable" else [expected])


def check_effects(case: Case, expected: Any, catalog: AliasCatalog) -> None:
    compiled, one, surroundings = policy(case, catalog), resource(case), context(case)
    resolved = effects(compiled, one, surroundings)
    if expected.get("conflict"):
        with pytest.raises(EffectConflict):
            apply(one.body, resolved)
        return
    changed = apply(one.body, resolved)
    assert changed == expected["body"]
    assert apply(changed, resolved) == changed

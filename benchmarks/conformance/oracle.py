"""Rule parts on real resources, where two other engines agree."""

from pathlib import Path
from typing import Any

from benchmarks.conformance.collection import Tables, definitions, lines
from shared.domain.resource import Resource
from shared.engine import AliasCatalog, Context, InvalidDefinition, Policy, compile_definition
from shared.engine.compile.clause import CompiledClause
from shared.engine.context import Frame
from shared.engine.error import EvaluationError

Json = Any
ORACLE = Context(
    resource_group={
        "id": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/myResourceGroup",
        "name": "myResourceGroup",
        "location": "eastus",
        "tags": {},
        "managedBy": None,
    },
    subscription={
        "subscriptionId": "00000000-0000-0000-0000-000000000000",
        "id": "/subscriptions/00000000-0000-0000-0000-000000000000",
        "displayName": "sub",
        "tenantId": "11111111-1111-1111-1111-111111111111",
    },
    request_context={"apiVersion": "2024-01-01"},
)


def run_oracle(folder: Path, tables: Tables) -> tuple[int, int]:
    """Judge the pairs on which two engines agree. Return how many are wrong, and how many there are."""
    source = definitions(folder) / "policyDefinitions.jsonl.gz"
    rows = sorted(lines(source), key=lambda row: str(row["cloud"]), reverse=True)  # AzureCloud last: it wins
    found = {row["definition"]["name"]: row["definition"] for row in rows}
    bodies = list(lines(folder / "resources.jsonl.gz"))
    expected = {row["rule"]: set(row["rids"]) for row in lines(folder / "oracle-matches.jsonl.gz")}
    disputed = {(row["rule"], row["rid"]) for row in lines(folder / "oracle-disputed.jsonl.gz")}
    wrong = pairs = 0
    for rule in lines(folder / "oracle-rules.jsonl.gz"):
        answers = _rule_answers(rule, found.get(rule["policy"], {}), tables.named("real"), bodies)
        for rid, answer in answers.items():
            if (rule["rule"], rid) in disputed:
                continue
            pairs += 1
            wanted = rid in expected.get(rule["rule"], ())
            if answer is not wanted:
                wrong += 1
                print(f"oracle {rule['rule']} {rule['part']} {rid}: expected {wanted}, found {answer}")
    return wrong, pairs


def _rule_answers(rule: Json, source: Json, aliases: AliasCatalog, bodies: list[Json]) -> dict[str, Json]:
    try:
        policy = compile_definition(source, aliases=aliases, parameters=rule["parameters"])
    except InvalidDefinition as error:
        return dict.fromkeys((row["rid"] for row in bodies), f"refused: {error}")
    answers: dict[str, Json] = {}
    for row in bodies:
        # The oracle judges every body with the default paths of aliases: no api-version.
        frame = Frame(Resource(row["resource"]), ORACLE)
        if rule["part"] == "existenceCondition" and frame.type != policy.details.type.lower():
            answers[row["rid"]] = False
            continue
        answers[row["rid"]] = _answer_of(_clause(policy, rule["part"], frame), frame)
    return answers


def _clause(policy: Policy, part: str, frame: Frame) -> CompiledClause | None:
    return policy.existence() if part == "existenceCondition" else policy.program(frame.type).rule


def _answer_of(clause: CompiledClause | None, frame: Frame) -> bool | str | None:
    try:
        return True if clause is None else clause.test(frame.body, frame)
    except (EvaluationError, RecursionError) as error:
        return f"error: {error}"

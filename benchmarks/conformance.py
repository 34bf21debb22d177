"""Runs the engine against a collection of cases with known outcomes and lists every miss with its reason.

Usage: `python -m benchmarks.conformance [DIR]` (default: `policy-cases` in the folder `shared` beside the project);
the definitions and the real alias table are read from `azure-policy` beside DIR or in that folder. The last line is
`cases P/N, functions P/N, oracle wrong W of N pairs`.
"""

import gzip
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import (
    AliasCatalog,
    Context,
    EffectConflict,
    InvalidDefinition,
    Policy,
    apply,
    compile_definition,
    effects,
    judge,
    load_definition,
)
from shared.engine.alias import Alias
from shared.engine.assignment import Assignment, Exemption, percentage, roll_up
from shared.engine.clause import Clause
from shared.engine.comparison import checker
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.evaluate import compile_operand
from shared.engine.function import FUNCTIONS, call
from shared.engine.judge import state_for
from shared.engine.operand import parse_operand
from shared.engine.policy import names_used
from shared.engine.related import any_related
from shared.engine.scope import Scope

Json = Any
SHARED = Path(os.environ.get("CORTEX_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared")
GROUP = {"name": "myResourceGroup", "location": "eastus"}
SUBSCRIPTION = {"subscriptionId": "00000000-0000-0000-0000-000000000000"}
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
FUNCTION_NAMES = {"logicall": "and", "logicany": "or", "logicnot": "not", "intdiv": "div", "intmod": "mod"}


def lines(path: Path) -> Iterator[Json]:
    """The rows of a gzip-compressed file of JSON lines; none where there is no such file."""
    if not path.is_file():
        return
    with gzip.open(path, "rb") as file:
        yield from map(json.loads, file)


def definitions(folder: Path) -> Path:
    """The folder with the public definitions: beside the cases, else beside the project."""
    places = (folder.parent / "azure-policy", SHARED / "azure-policy")
    return next((each for each in places if each.is_dir()), places[0])


class Tables:
    """The alias tables that cases name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: dict[str, AliasCatalog] = {}

    def named(self, name: str) -> AliasCatalog:
        """The table of that name, loaded once."""
        if name not in self.loaded:
            self.loaded[name] = self._real() if name == "real" else self._listing(name)
        return self.loaded[name]

    def _real(self) -> AliasCatalog:
        source = definitions(self.folder)
        rows = [row for file in ("aliases", "aliases-supplement") for row in lines(source / f"{file}.jsonl.gz")]
        return AliasCatalog.from_rows(rows)

    def _listing(self, name: str) -> AliasCatalog:
        with gzip.open(self.folder / f"aliases.{name}.json.gz", "rb") as file:
            return AliasCatalog.from_providers(json.load(file))


class PlainPaths(AliasCatalog):
    """Where a case names no alias table every name is the path itself."""

    def __init__(self) -> None:
        super().__init__({})

    def __contains__(self, name: str) -> bool:
        return True

    def rows(self, name: str) -> tuple[Alias, ...]:
        """The name as its own path."""
        return (Alias(name, name, frozenset()),)


def catalog(case: Json, tables: Tables) -> AliasCatalog:
    """The alias table of a case."""
    return tables.named(case["alias_table"]) if case.get("alias_table") else PlainPaths()


def context(case: Json) -> Context:
    """The surroundings of a case, with the documented defaults."""
    given = case.get("context") or {}
    now = case.get("now")
    return Context(
        resource_group=given.get("resourceGroup", GROUP),
        subscription=given.get("subscription", SUBSCRIPTION),
        request_context=case.get("request_context")
        or ({"apiVersion": case["api_version"]} if case.get("api_version") else {}),
        policy=given.get("policy") or {},
        now=datetime.fromisoformat(now) if now else datetime.fromisoformat("2024-06-01T00:00:00+00:00"),
    )


def definition(case: Json) -> Json:
    """The definition of a case; parameters that are only given get a declaration."""
    declared = dict(case.get("parameter_definitions") or {})
    kinds = {str: "String", bool: "Boolean", int: "Integer", float: "Float", list: "Array", dict: "Object"}
    if not case.get("parameter_definitions"):
        for name, value in (case.get("parameters") or {}).items():
            declared.setdefault(name, {"type": kinds.get(type(value), "Object")})
    return {"mode": case.get("mode") or "All", "parameters": declared, "policyRule": case["policy_rule"]}


def compiled(case: Json, tables: Tables) -> Policy:
    """The policy of a case."""
    if "policy_text" in case:
        return compile_definition(load_definition(case["policy_text"]), aliases=catalog(case, tables))
    return compile_definition(definition(case), aliases=catalog(case, tables), parameters=case.get("parameters"))


def resource(case: Json) -> Resource:
    """The resource of a case with its related ones: the answers of the look-ups, in order."""
    body = case.get("resource") or {}
    related: dict[str, tuple[Resource, ...]] = {}
    details = ((case.get("policy_rule") or {}).get("then") or {}).get("details")
    kind = str(details.get("type", "")).lower() if isinstance(details, dict) else ""
    if kind:
        found = [_answer(each) for each in case.get("related") or ()]
        related[kind] = tuple(Resource(each) for each in found if each is not None)
    return Resource(body, api_version=case.get("api_version"), related=related)


def _answer(row: Json) -> Json:
    return row["resource"] if isinstance(row, dict) and set(row) == {"request", "type", "resource"} else row


def matches(policy: Policy, one: Resource, surroundings: Context) -> bool | str | None:
    """Whether the rule takes effect; "error" when the evaluation fails."""
    frame = Frame(one, surroundings)
    try:
        program = policy.program(frame.type, one.api_version)
        answer = program.rule.test(frame.body, frame)
        if answer and policy.effect in {"auditIfNotExists", "deployIfNotExists"}:
            answer = any_related(policy, frame) is False
    except EvaluationError as error:
        return f"error: {error}"
    return answer if policy.effect != "disabled" else False


def run_rule(case: Json, tables: Tables) -> str | None:
    """None when the case agrees, else what came instead."""
    expected = case["expected"]
    try:
        policy = compiled(case, tables)
    except InvalidDefinition as error:
        return None if expected.get("error") in {"parse", "compile"} else f"refused: {error}"
    if "error" in expected:
        return f"expected {expected['error']} error, but it compiles"
    found = matches(policy, resource(case), context(case))
    if expected.get("evaluation_error"):
        return None if isinstance(found, str) else f"expected an evaluation error, found {found}"
    wanted = expected["matches"] if "matches" in expected else expected.get("effect") is not None
    if found is not wanted:
        return f"expected {wanted}, found {found}"
    effect = expected.get("effect")
    if effect is not None and effect.lower() != policy.effect.lower():
        return f"expected {effect}, found {policy.effect}"
    return None


def run_operator(case: Json, _: Tables) -> str | None:
    """One operator on two values."""
    expected = case["expected"]
    try:
        found: Json = checker(case["operator"], case.get("right"))(case.get("left"))
    except EvaluationError as error:
        return None if expected.get("error") or expected.get("evaluation_error") else f"error: {error}"
    return None if found is expected.get("value") else f"expected {expected}, found {found}"


def run_expression(case: Json, tables: Tables) -> str | None:
    """One expression on a resource."""
    names = catalog(case, tables)
    one = Resource(case["resource"], api_version=case.get("api_version"))
    frame = Frame(one, context(case))
    try:
        operand = parse_operand(case["expression"], "$")
        found = compile_operand(operand, Scope(names, case.get("parameters") or {}, frame.type)).read(frame.body, frame)
    except (EvaluationError, InvalidDefinition) as error:
        failed = case["expected"].get("evaluation_error") or case["expected"].get("error")
        return None if failed else f"error: {error}"
    return None if found == case["expected"].get("value") else f"expected {case['expected']}, found {found!r}"


def run_applicability(case: Json, tables: Tables) -> str | None:
    """Whether a policy is about a resource."""
    policy = compiled(case, tables)
    verdict = judge(policy, resource(case), context(case))
    # The page has a policy with an invalid alias not applicable; here it is judged, unknown where the alias matters.
    names = names_used(policy.parameters, policy.definition.condition) or set()
    invalid = any("/" in name and name not in policy.catalog for name in names)
    found = verdict.state is not State.NOT_APPLICABLE and not invalid
    wanted = case["expected"]["applicable"]
    return None if found is wanted else f"expected applicable {wanted}, found {verdict.state} ({verdict.reason})"


def run_mutation(case: Json, tables: Tables) -> str | None:
    """The resource after append or modify, or the denial of the request."""
    policy, one = compiled(case, tables), resource(case)
    surroundings = context(case)
    expected = case["expected"]
    try:
        changed = matches(policy, one, surroundings) is True
        found = apply(one.body, effects(policy, one, surroundings)) if changed else one.body
    except EffectConflict as error:
        return None if expected.get("denied") else f"denied: {error}"
    if expected.get("denied"):
        return f"expected a denial, found {found}"
    return None if found == expected["resource"] else f"expected {expected['resource']}, found {found}"


STATES = {
    "NonCompliant": State.NON_COMPLIANT,
    "Compliant": State.COMPLIANT,
    "Exempt": State.EXEMPT,
    "Unknown": State.UNKNOWN,
    "Conflict": State.ERROR,
    "NotEvaluated": State.NOT_APPLICABLE,
    "NotStarted": State.NOT_APPLICABLE,
}


def run_state(case: Json, _: Tables) -> str | None:
    """The state that an effect, the rule's answer and the existence condition come to."""
    found = state_for(case["effect"].lower(), lambda: case["existence_condition_met"], answer=case["if_true"])
    found = State.COMPLIANT if found is State.NOT_APPLICABLE else found  # the table of the page has only two states
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_rollup(case: Json, _: Tables) -> str | None:
    """The state of several."""
    found = roll_up(STATES[each] for each in case["states"])
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_percentage(case: Json, _: Tables) -> str | None:
    """The share of resources that do not fail, in percent."""
    given = case.get("states") or case.get("counts") or {}
    counted = Counter(given) if isinstance(given, list) else given
    found = percentage({STATES[name]: number for name, number in counted.items()})
    wanted = case["expected"].get("percentage", case["expected"].get("value"))
    return None if found is not None and round(found) == round(wanted) else f"expected {wanted}, found {found}"


def assigned_state(case: Json, rule: Json, reference: str, tables: Tables) -> State:
    """The state of a resource under one policy of an assignment."""
    assignment = Assignment.from_json(case["assignment"])
    one = resource(case)
    if not assignment.covers(one) or (assignment.effect(one, reference) or "").lower() == "disabled":
        return State.NOT_APPLICABLE
    now = datetime.fromisoformat(case.get("now") or "2024-06-01T00:00:00Z")
    exemptions = [Exemption.from_json(each) for each in case.get("exemptions") or ()]
    if any(each.holds(one, assignment.id, reference, now) for each in exemptions):
        return State.EXEMPT
    return judge(compiled({**case, "policy_rule": rule}, tables), one, context(case)).state


def run_assignment(case: Json, tables: Tables) -> str | None:
    """A resource under an assignment of one policy."""
    found = assigned_state(case, case["policy_rule"], "", tables)
    wanted = case["expected"]["state"]
    return None if found is STATES[wanted] else f"expected {wanted}, found {found}"


def run_initiative(case: Json, tables: Tables) -> str | None:
    """A resource under an assignment of several policies, by reference."""
    found = {
        each["policyDefinitionReferenceId"]: assigned_state(
            case, each["policy_rule"], each["policyDefinitionReferenceId"], tables
        )
        for each in case["initiative"]["policyDefinitions"]
    }
    wanted = {name: STATES[state] for name, state in case["expected"]["states"].items()}
    return None if found == wanted else f"expected {wanted}, found {found}"


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


def run_functions(folder: Path) -> tuple[int, int]:
    """Agreements and function cases."""
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
        found = call(function, case["args"])
    except EvaluationError as error:
        return None if "value" not in expected else f"error: {error}"
    wanted = expected.get("value", expected)
    return None if "value" in expected and found == wanted else f"{case['args']} gives {found!r}, expected {expected}"


def run_oracle(folder: Path, tables: Tables) -> tuple[int, int]:
    """Wrong answers and pairs of the two-engine agreement."""
    source = definitions(folder) / "policyDefinitions.jsonl.gz"
    rows = sorted(lines(source), key=lambda row: str(row["cloud"]), reverse=True)  # AzureCloud last: it wins
    found = {row["definition"]["name"]: row["definition"] for row in rows}
    bodies = list(lines(folder / "resources.jsonl.gz"))
    expected = {row["rule"]: set(row["rids"]) for row in lines(folder / "oracle-matches.jsonl.gz")}
    disputed = {(row["rule"], row["rid"]) for row in lines(folder / "oracle-disputed.jsonl.gz")}
    wrong = pairs = 0
    for rule in lines(folder / "oracle-rules.jsonl.gz"):
        answers = _rule_answers(rule, found[rule["policy"]], tables.named("real"), bodies)
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
    policy = compile_definition(source, aliases=aliases, parameters=rule["parameters"])
    answers: dict[str, Json] = {}
    for row in bodies:
        # The oracle judges every body with the default paths of aliases: no api-version.
        frame = Frame(Resource(row["resource"]), ORACLE)
        if rule["part"] == "existenceCondition" and frame.type != policy.details.type.lower():
            answers[row["rid"]] = False
            continue
        answers[row["rid"]] = _answer_of(_clause(policy, rule["part"], frame), frame)
    return answers


def _clause(policy: Policy, part: str, frame: Frame) -> Clause | None:
    return policy.existence() if part == "existenceCondition" else policy.program(frame.type).rule


def _answer_of(clause: Clause | None, frame: Frame) -> bool | str | None:
    try:
        return True if clause is None else clause.test(frame.body, frame)
    except EvaluationError as error:
        return f"error: {error}"


def main(arguments: list[str]) -> None:
    """Run everything and print the score last."""
    folder = Path(arguments[0]) if arguments else SHARED / "policy-cases"
    tables = Tables(folder)
    passed, total = run_cases(folder, tables)
    functions, calls = run_functions(folder)
    wrong, pairs = run_oracle(folder, tables)
    print(f"cases {passed}/{total}, functions {functions}/{calls}, oracle wrong {wrong} of {pairs} pairs")


if __name__ == "__main__":
    main(sys.argv[1:])

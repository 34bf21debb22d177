"""Run policy test cases: what a definition, an initiative or an assignment must come to for a resource."""

from collections.abc import Callable, Mapping
from copy import deepcopy

from pydantic import ValidationError

from shared.authoring import assertion
from shared.authoring.library import DocumentShape, Library, PolicyDocument, build_library, shape_of
from shared.authoring.resolution import resolve
from shared.domain.error import InvalidInput
from shared.domain.resource import Json, Resource, Unread
from shared.domain.test_case import PolicyTestCase, PolicyTestResult, PolicyTestSuite
from shared.domain.validation_message import describe
from shared.engine import (
    AliasCatalog,
    Context,
    EffectivePolicy,
    EvaluationError,
    Explanation,
    InvalidDefinition,
    Policy,
    compile_definition,
    effect_details,
    explain,
    explain_effective,
)
from shared.engine.compile.evaluate import compile_operand
from shared.engine.compile.scope import CompileScope
from shared.engine.context import Frame
from shared.engine.language.assignment import roll_up
from shared.engine.language.operand import parse_operand
from shared.engine.unknown import Unknown

FindDefinition = Callable[[str], Mapping[str, Json]]
"""The definition that a name means; InvalidInput when there is none."""


def read_suite(table: Json) -> PolicyTestSuite:
    """Read a suite of cases from parsed YAML or JSON; InvalidInput names the part that cannot be used."""
    if not isinstance(table, Mapping) or "cases" not in table:
        raise InvalidInput("this is no file of test cases: it has no table with `cases`; docs/test.md shows one")
    try:
        return PolicyTestSuite.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise InvalidInput(f"{path}: {describe(first)}", path=path) from None


def run_case(
    case: PolicyTestCase, *, aliases: AliasCatalog, find: FindDefinition, definitions: Library | None = None
) -> PolicyTestResult:
    """Run one case to a result, whatever it holds. `definitions` has what initiatives and assignments refer to."""
    try:
        if case.initiative is not None or case.assignment is not None:
            return _run_policies(case, aliases, find, definitions)
        if case.expression is not None:
            return _outcome(case, _check_expression(case, aliases))
        return _run_policy(case, aliases, find)
    except InvalidDefinition as error:
        refused = case.expected.refused
        wanted = f"expected it to be refused at {refused}, " if refused else ""
        return _outcome(case, [] if refused == error.path else [f"{wanted}the definition is refused: {error}"])
    except (InvalidInput, EvaluationError) as error:
        return _outcome(case, [str(error)])


def _run_policy(case: PolicyTestCase, aliases: AliasCatalog, find: FindDefinition) -> PolicyTestResult:
    expected = case.expected
    policy, resource, context = policy_of_case(case, aliases, find), resource_of_case(case), context_of_case(case)
    explained = explain(policy, resource, context)
    problems = [*assertion.check_verdict(expected, policy, explained)]
    if assertion.expects_details(expected):
        problems += assertion.check_details(expected, resource, effect_details(policy, resource, context))
    return _outcome(case, problems, explained)


def _run_policies(
    case: PolicyTestCase, aliases: AliasCatalog, find: FindDefinition, definitions: Library | None
) -> PolicyTestResult:
    """Run a case of an initiative or assignment: one verdict for each policy in it."""
    policies = policies_of_case(case, aliases, find, definitions)
    resource, context = resource_of_case(case), context_of_case(case)
    found = {each.reference: explain_effective(each, resource, context) for each in policies}
    # A single definition has "" as its reference, which `check_policies` tells it by.
    by_reference = {each.reference: each for each in policies}
    problems = [*assertion.check_policies(case.expected, by_reference, found, resource, context)]
    state = roll_up(each.verdict.state for each in found.values())
    single = found.get("")
    return PolicyTestResult(
        name=case.name,
        passed=not problems,
        problems=tuple(problems),
        state=state,
        summary=single.summary() if single else "",
        members={} if single else {name: each.verdict.state for name, each in found.items()},
    )


def policies_of_case(
    case: PolicyTestCase, aliases: AliasCatalog, find: FindDefinition, definitions: Library | None = None
) -> tuple[EffectivePolicy, ...]:
    """Return the policies of a case's initiative or assignment, compiled.

    Errors: InvalidDefinition; InvalidInput when nothing has the name, or something else has it.
    """
    shape = DocumentShape.ASSIGNMENT if case.assignment is not None else DocumentShape.INITIATIVE
    given = case.assignment if case.assignment is not None else case.initiative
    source = find(given) if isinstance(given, str) else given or {}
    # A source without a shape is taken at the word of the case, and refused where it cannot be parsed.
    found = shape_of(source)
    if found is not None and found is not shape:
        raise InvalidInput(f"this is a policy {found}, not an {shape}", path=f"$.{shape}")
    entry = PolicyDocument(str(source.get("name") or shape), source, shape)
    known = build_library((("", each) for each in case.definitions), definitions)
    return resolve(entry, known, aliases=aliases, parameters=case.parameters)


def _outcome(case: PolicyTestCase, problems: list[str], explained: Explanation | None = None) -> PolicyTestResult:
    return PolicyTestResult(
        name=case.name,
        passed=not problems,
        problems=tuple(problems),
        state=explained.verdict.state if explained else None,
        summary=explained.summary() if explained else "",
    )


def evaluate_expression_case(case: PolicyTestCase, aliases: AliasCatalog) -> Json:
    """Return the value of a case's expression; EvaluationError when it fails."""
    frame = Frame(resource_of_case(case), context_of_case(case))
    scope = CompileScope(aliases, case.parameters, frame.type, case.api_version)
    return compile_operand(parse_operand(case.expression, "$"), scope).read(frame.body, frame)


def policy_of_case(case: PolicyTestCase, aliases: AliasCatalog, find: FindDefinition) -> Policy:
    """Return the policy of a case, compiled; InvalidDefinition, or InvalidInput when nothing has the name."""
    definition = find(case.definition) if isinstance(case.definition, str) else case.definition
    if definition is None:  # only a condition is given, which needs a policy around it
        rule = {"if": case.condition, "then": {"effect": "audit"} if case.then is None else case.then}
        properties = {"mode": case.mode, "parameters": case.declared, "policyRule": rule}
        definition = {"name": "case", "properties": properties}
    return compile_definition(definition, aliases=aliases, parameters=case.parameters)


def resource_of_case(case: PolicyTestCase) -> Resource:
    """Return the resource of a case with its marks and relatives; InvalidInput for marks that lead nowhere."""
    related: dict[str, tuple[Resource, ...] | Unread] = {}
    for kind, found in case.related.items():
        if isinstance(found, Mapping):
            related[kind.lower()] = _unread(found)
            continue
        bodies = ({key: value for key, value in row.items() if key != "$unread"} for row in found)
        marks = (_marks(row.get("$unread") or {}) for row in found)
        related[kind.lower()] = tuple(Resource(body, unread=each) for body, each in zip(bodies, marks, strict=True))
    body = _marked(deepcopy(dict(case.resource)), case.partial)
    return Resource(body, case.api_version, None, _marks(case.unread), related)


def _marks(unread: Json) -> dict[str, Unread]:
    if not isinstance(unread, Mapping):
        raise InvalidInput("what was not read is given by path: {properties: {reason: forbidden}}", path="$.unread")
    return {path: _unread(why) for path, why in unread.items()}


def _unread(why: Json) -> Unread:
    if not isinstance(why, Mapping) or "reason" not in why:
        raise InvalidInput("what was not read needs a reason: {reason: forbidden}", path="$.unread")
    return Unread.from_record(why)


def _marked(body: dict[str, Json], paths: tuple[str, ...]) -> dict[str, Json]:
    """Return the body with members of arrays marked as not read; a path ends in an index."""
    for path in paths:
        # "rules[0]" is split as "rules.0": an index is a step like a name.
        *keys, last = path.replace("[", ".").replace("]", "").split(".")
        node: Json = body
        try:
            for key in keys:
                node = node[int(key)] if isinstance(node, list) else node[key]
            node[int(last)] = Unknown(path, "forbidden")
        except (KeyError, IndexError, TypeError, ValueError):
            raise InvalidInput(f"the resource has no member {path}", path="$.partial") from None
    return body


def context_of_case(case: PolicyTestCase) -> Context:
    """Return the surroundings of a case's resource."""
    given = case.context
    return Context(
        resource_group=given.resource_group,
        subscription=given.subscription,
        request_context=given.request_context,
        policy=given.policy,
        now=given.now,
        tenant=given.tenant,
    )


def _check_expression(case: PolicyTestCase, aliases: AliasCatalog) -> list[str]:
    expected = case.expected
    try:
        found = evaluate_expression_case(case, aliases)
    except EvaluationError as error:
        return [] if expected.error else [f"expected {expected.value!r}, it failed: {error}"]
    if expected.error:
        return [f"expected it to fail, found {found!r}"]
    # The type counts too: in Python, true equals 1.
    same = found == expected.value and type(found) is type(expected.value)
    return [] if same else [f"expected {expected.value!r}, found {found!r}"]

"""Try policies: run cases that say what definitions, initiatives and assignments must come to for a resource."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from shared.domain.error import InvalidInput
from shared.domain.resource import Resource, Unread
from shared.domain.trial import Expectation, Outcome, Trial, TrialTable
from shared.engine import (
    AliasCatalog,
    Context,
    EvaluationError,
    Explanation,
    InvalidDefinition,
    Policy,
    compile_definition,
    effects,
    explain,
)
from shared.engine.assignment import roll_up
from shared.engine.context import Frame
from shared.engine.evaluate import compile_operand
from shared.engine.operand import parse_operand
from shared.engine.scope import Scope
from shared.engine.unknown import Unknown
from shared.services import expectation
from shared.services.library import Entry, Library, Shape, library, shape_of
from shared.services.placement import Placement, place

Json = Any
Find = Callable[[str], Mapping[str, Json]]
"""The definition that a name means; InvalidInput when there is none."""


def read(table: Json) -> TrialTable:
    """A table of cases as YAML or JSON gave it; InvalidInput names the part that cannot be used."""
    try:
        return TrialTable.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise InvalidInput(f"{path}: {first['msg']}", path=path) from None


def run(trial: Trial, *, aliases: AliasCatalog, find: Find, beside: Library | None = None) -> Outcome:
    """Run one case; whatever it holds, there is an outcome. `beside` has what initiatives and assignments refer to."""
    try:
        if trial.initiative is not None or trial.assignment is not None:
            return _run_placed(trial, aliases, find, beside)
        if trial.expression is not None:
            return _outcome(trial, _check_expression(trial, aliases))
        return _run_policy(trial, aliases, find)
    except InvalidDefinition as error:
        return _outcome(trial, _check_refusal(trial.expected, error))
    except (InvalidInput, EvaluationError) as error:
        return _outcome(trial, [str(error)])


def _run_policy(trial: Trial, aliases: AliasCatalog, find: Find) -> Outcome:
    expected = trial.expected
    policy, resource, context = policy_of(trial, aliases, find), resource_of(trial), context_of(trial)
    explained = explain(policy, resource, context)
    problems = [*expectation.check_verdict(expected, policy, explained)]
    if expectation.wants_details(expected):
        problems += expectation.check_details(expected, resource, effects(policy, resource, context))
    return _outcome(trial, problems, explained)


def _run_placed(trial: Trial, aliases: AliasCatalog, find: Find, beside: Library | None) -> Outcome:
    """Run a case of an initiative or assignment: one verdict for each policy in it."""
    placed = placements_of(trial, aliases, find, beside)
    resource, context = resource_of(trial), context_of(trial)
    found = {each.reference: each.explain(resource, context) for each in placed}
    places = {each.reference: each for each in placed}
    problems = [*expectation.check_places(trial.expected, places, found, resource, context)]
    state = roll_up(each.verdict.state for each in found.values())
    single = found.get("")
    return Outcome(
        name=trial.name,
        passed=not problems,
        problems=tuple(problems),
        state=state,
        sentence=single.sentence() if single else "",
        members={} if single else {name: each.verdict.state for name, each in found.items()},
    )


def placements_of(
    trial: Trial, aliases: AliasCatalog, find: Find, beside: Library | None = None
) -> tuple[Placement, ...]:
    """The policies of a case's initiative or assignment, compiled.

    Errors: InvalidDefinition; InvalidInput when nothing has the name, or something else has it.
    """
    shape = Shape.ASSIGNMENT if trial.assignment is not None else Shape.INITIATIVE
    given = trial.assignment if trial.assignment is not None else trial.initiative
    source = find(given) if isinstance(given, str) else given or {}
    found = shape_of(source)
    if found is not None and found is not shape:
        raise InvalidInput(f"this is a policy {found}, not an {shape}", path=f"$.{shape}")
    entry = Entry(str(source.get("name") or shape), source, shape)
    known = library((("", each) for each in trial.definitions), beside)
    return place(entry, known, aliases=aliases, parameters=trial.parameters)


def _outcome(trial: Trial, problems: list[str], explained: Explanation | None = None) -> Outcome:
    return Outcome(
        name=trial.name,
        passed=not problems,
        problems=tuple(problems),
        state=explained.verdict.state if explained else None,
        sentence=explained.sentence() if explained else "",
    )


def evaluate(trial: Trial, aliases: AliasCatalog) -> Json:
    """The value of a case's expression; EvaluationError when it fails."""
    frame = Frame(resource_of(trial), context_of(trial))
    scope = Scope(aliases, trial.parameters, frame.type, trial.api_version)
    return compile_operand(parse_operand(trial.expression, "$"), scope).read(frame.body, frame)


def policy_of(trial: Trial, aliases: AliasCatalog, find: Find) -> Policy:
    """The policy of a case, compiled; InvalidDefinition, or InvalidInput when nothing has the name."""
    return compile_definition(_definition(trial, find), aliases=aliases, parameters=trial.parameters)


def _definition(trial: Trial, find: Find) -> Mapping[str, Json]:
    if isinstance(trial.definition, str):
        return find(trial.definition)
    if trial.definition is not None:
        return trial.definition
    then = {"effect": "audit"} if trial.then is None else trial.then
    rule = {"if": trial.condition, "then": then}
    return {"name": "case", "properties": {"mode": trial.mode, "parameters": trial.declared, "policyRule": rule}}


def resource_of(trial: Trial) -> Resource:
    """The resource of a case with its marks and relatives; InvalidInput for marks that lead nowhere."""
    related: dict[str, tuple[Resource, ...] | Unread] = {}
    for kind, found in trial.related.items():
        related[kind.lower()] = _unread(found) if isinstance(found, Mapping) else tuple(map(_relative, found))
    body = _marked(deepcopy(dict(trial.resource)), trial.partial)
    return Resource(body, trial.api_version, None, _marks(trial.unread), related)


def _relative(row: Mapping[str, Json]) -> Resource:
    body = {key: value for key, value in row.items() if key != "$unread"}
    return Resource(body, unread=_marks(row.get("$unread") or {}))


def _marks(unread: Json) -> dict[str, Unread]:
    if not isinstance(unread, Mapping):
        raise InvalidInput("what was not read is given by path: {properties: {reason: forbidden}}", path="$.unread")
    return {path: _unread(why) for path, why in unread.items()}


def _unread(why: Json) -> Unread:
    if not isinstance(why, Mapping) or "reason" not in why:
        raise InvalidInput("what was not read needs a reason: {reason: forbidden}", path="$.unread")
    return Unread.from_record(why)


def _marked(body: dict[str, Json], paths: tuple[str, ...]) -> dict[str, Json]:
    """The body with members of arrays marked as not read; a path ends in an index."""
    for path in paths:
        *keys, last = path.replace("[", ".").replace("]", "").split(".")
        node: Json = body
        try:
            for key in keys:
                node = node[int(key)] if isinstance(node, list) else node[key]
            node[int(last)] = Unknown(path, "forbidden")
        except (KeyError, IndexError, TypeError, ValueError):
            raise InvalidInput(f"the resource has no member {path}", path="$.partial") from None
    return body


def context_of(trial: Trial) -> Context:
    """What is around the resource of a case."""
    given = trial.context
    return Context(
        resource_group=given.resource_group,
        subscription=given.subscription,
        request_context=given.request_context,
        policy=given.policy,
        now=given.now,
        tenant=given.tenant,
    )


def _check_expression(trial: Trial, aliases: AliasCatalog) -> list[str]:
    expected = trial.expected
    try:
        found = evaluate(trial, aliases)
    except EvaluationError as error:
        return [] if expected.error else [f"expected {expected.value!r}, it failed: {error}"]
    if expected.error:
        return [f"expected it to fail, found {found!r}"]
    same = found == expected.value and type(found) is type(expected.value)
    return [] if same else [f"expected {expected.value!r}, found {found!r}"]


def _check_refusal(expected: Expectation, error: InvalidDefinition) -> list[str]:
    if expected.refused == error.path:
        return []
    wanted = f"expected a refusal at {expected.refused}, " if expected.refused else ""
    return [f"{wanted}the definition is refused: {error}"]

"""Compare what came of a trial with what was expected."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.resource import Resource
from shared.domain.trial import Expectation
from shared.domain.verdict import Verdict
from shared.engine import Context, EffectConflict, Effects, Explanation, Operation, Policy, apply, effects
from shared.engine.assignment import roll_up
from shared.engine.error import nearest
from shared.services.placement import Placement

Json = Any


def check_verdict(expected: Expectation, policy: Policy, explained: Explanation) -> Iterator[str]:
    """What of the verdict is not as expected."""
    verdict = explained.verdict
    if expected.refused is not None:
        yield f"expected the definition to be refused at {expected.refused}, it was taken"
    if expected.state is not None and verdict.state is not expected.state:
        yield f"expected {expected.state}, found {verdict.state}: {explained.sentence()}"
    if expected.effect is not None and policy.effect.lower() != expected.effect.lower():
        yield f"expected the effect {expected.effect}, found {policy.effect}"
    if expected.sentence is not None and expected.sentence not in explained.sentence():
        yield f"expected the sentence to say {expected.sentence!r}, it says {explained.sentence()!r}"
    for what, wanted, found in (
        ("clauses", expected.clauses, tuple(each.clause for each in verdict.evidence)),
        ("needs", expected.needs, tuple(each.part for each in verdict.needs)),
    ):
        if wanted is not None and wanted != found:
            yield f"expected the {what} {', '.join(wanted) or 'none'}, found {', '.join(found) or 'none'}"


def check_places(
    expected: Expectation,
    placed: Mapping[str, Placement],
    found: Mapping[str, Explanation],
    resource: Resource,
    context: Context,
) -> Iterator[str]:
    """What is not as expected, of the whole and of each member."""
    if "" in placed:
        yield from _check_member(expected, placed[""], found[""], resource, context)
        if expected.members is not None:
            yield "a single definition has no members"
        return
    if expected.refused is not None:
        yield f"expected a refusal at {expected.refused}, it was taken"
    if others := expected.model_fields_set - {"state", "members", "refused"}:
        yield f"say what is expected of each member, under members: {', '.join(sorted(others))}"
    state = roll_up(each.verdict.state for each in found.values())
    if expected.state is not None and expected.state is not state:
        told = ", ".join(f"{name} {each.verdict.state}" for name, each in list(found.items())[:20])
        yield f"expected {expected.state}, found {state}: {told or 'no members'}"
    for name, wanted in (expected.members or {}).items():
        label = next((each for each in placed if each.lower() == name.lower()), None)
        if label is None:
            near = nearest(name, tuple(placed))
            yield f"there is no member {name!r}" + (f"; did you mean {near!r}?" if near else "")
            continue
        whole = wanted if isinstance(wanted, Expectation) else Expectation(state=wanted)
        problems = _check_member(whole, placed[label], found[label], resource, context)
        yield from (f"{label}: {each}" for each in problems)


def _check_member(
    expected: Expectation, placed: Placement, explained: Explanation, resource: Resource, context: Context
) -> Iterator[str]:
    policy = placed.on(resource) or placed.policy
    yield from check_verdict(expected, policy, explained)
    yield from _check_place(expected, placed, explained.verdict)
    if wants_details(expected):
        resolved = effects(policy, resource, placed.around(context))
        yield from check_details(expected, resource, resolved)


def _check_place(expected: Expectation, placed: Placement, verdict: Verdict) -> Iterator[str]:
    """What of the assignment around a policy is not as expected."""
    message, enforced = placed.message(verdict), placed.assignment is None or placed.assignment.enforced
    if expected.message is not None and expected.message != message:
        yield f"expected the message {expected.message!r}, found {message!r}"
    if expected.enforced is not None and expected.enforced is not enforced:
        yield f"expected it {'' if expected.enforced else 'not '}to be enforced"


def wants_details(expected: Expectation) -> bool:
    """Whether anything is said of the effect's details."""
    given = (
        expected.body,
        expected.operations,
        expected.roles,
        expected.deployment,
        expected.related,
        expected.details,
    )
    return expected.conflict or any(each is not None for each in given)


def check_details(expected: Expectation, resource: Resource, resolved: Effects) -> list[str]:
    """What of the effect's details is not as expected."""
    problems = list(_check_changes(expected, resource, resolved))
    for what, wanted, found in (
        ("operations", expected.operations, [_operation(each) for each in resolved.operations if each.applies]),
        ("roles", expected.roles, list(resolved.roles)),
        ("deployment", expected.deployment, resolved.deployment),
        ("related", expected.related, resolved.related),
        ("details", expected.details, resolved.details),
    ):
        plain = list(wanted) if isinstance(wanted, tuple) else wanted
        if plain is not None and not _holds(plain, found):
            problems.append(f"expected the {what} {plain!r}, found {found!r}")
    return problems


def _operation(operation: Operation) -> dict[str, Json]:
    return {
        "operation": operation.operation,
        "field": operation.field,
        "path": ".".join(operation.steps),
        "value": operation.value,
    }


def _check_changes(expected: Expectation, resource: Resource, resolved: Effects) -> Iterator[str]:
    try:
        changed = apply(resource.body, resolved)
    except EffectConflict as error:
        if not expected.conflict:
            yield f"there is a conflict: {error}"
        return
    if expected.conflict:
        yield f"expected a conflict, the body became {changed!r}"
    if expected.body is not None and changed != expected.body:
        yield f"expected the body {expected.body!r}, found {changed!r}"
    if apply(changed, resolved) != changed:
        yield "doing it twice changes more than doing it once"


def _holds(wanted: Json, found: Json) -> bool:
    """Whether what was found has everything that is wanted; objects may have more."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and _holds(each, found[key]) for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(_holds, wanted, found))
    return bool(wanted == found)

"""Compare the result of a test case with what it expects."""

from collections.abc import Iterator, Mapping

from shared.domain.resource import Json, Resource
from shared.domain.spelling import spelled
from shared.domain.test_case import ExpectedResult
from shared.engine import (
    Context,
    EffectConflict,
    EffectDetails,
    EffectivePolicy,
    Explanation,
    Policy,
    apply_effects,
    effect_details,
)
from shared.engine.error import nearest
from shared.engine.language.assignment import roll_up


def check_verdict(expected: ExpectedResult, policy: Policy, explained: Explanation) -> Iterator[str]:
    """Yield each way in which a verdict is not as expected."""
    verdict = explained.verdict
    if expected.refused is not None:
        yield f"expected the definition to be refused at {expected.refused}, it was accepted"
    if expected.state is not None and verdict.state is not expected.state:
        yield f"expected {expected.state}, found {verdict.state}: {explained.summary()}"
    if expected.effect is not None and policy.effect.lower() != expected.effect.lower():
        yield f"expected the effect {expected.effect}, found {policy.effect}"
    if expected.summary is not None and expected.summary not in explained.summary():
        yield f"expected the summary to say {expected.summary!r}, it says {explained.summary()!r}"
    for what, wanted, found in (
        ("clauses", expected.clauses, tuple(each.clause for each in verdict.evidence)),
        ("missing", expected.missing, tuple(each.part for each in verdict.missing)),
    ):
        if wanted is not None and wanted != found:
            yield f"expected the {what} {', '.join(wanted) or 'none'}, found {', '.join(found) or 'none'}"


def check_policies(
    expected: ExpectedResult,
    policies: Mapping[str, EffectivePolicy],
    found: Mapping[str, Explanation],
    resource: Resource,
    context: Context,
) -> Iterator[str]:
    """Yield each way in which the members, or all of them together, are not as expected."""
    if "" in policies:
        yield from _check_member(expected, policies[""], found[""], resource, context)
        if expected.members is not None:
            yield "a single definition has no members"
        return
    if expected.refused is not None:
        yield f"expected it to be refused at {expected.refused}, it was accepted"
    if others := expected.model_fields_set - {"state", "members", "refused"}:
        yield f"say these under `members`, for each member: {', '.join(sorted(others))}"
    state = roll_up(each.verdict.state for each in found.values())
    if expected.state is not None and expected.state is not state:
        states = ", ".join(f"{name} {each.verdict.state}" for name, each in list(found.items())[:20])
        yield f"expected {expected.state}, found {state}: {states or 'no members'}"
    for name, wanted in (expected.members or {}).items():
        label = spelled(policies, name)
        if label is None:
            near = nearest(name, tuple(policies))
            yield f"there is no member {name!r}" + (f"; did you mean {near!r}?" if near else "")
            continue
        whole = wanted if isinstance(wanted, ExpectedResult) else ExpectedResult(state=wanted)
        problems = _check_member(whole, policies[label], found[label], resource, context)
        yield from (f"{label}: {each}" for each in problems)


def _check_member(
    expected: ExpectedResult, effective: EffectivePolicy, explained: Explanation, resource: Resource, context: Context
) -> Iterator[str]:
    """Yield each way in which a policy is not as expected: its verdict, the assignment around it, its effect."""
    policy = effective.on(resource) or effective.policy
    yield from check_verdict(expected, policy, explained)
    message, enforced = effective.message(explained.verdict), effective.enforced
    if expected.message is not None and expected.message != message:
        yield f"expected the message {expected.message!r}, found {message!r}"
    if expected.enforced is not None and expected.enforced is not enforced:
        yield f"expected it {'' if expected.enforced else 'not '}to be enforced"
    if expects_details(expected):
        resolved = effect_details(policy, resource, effective.around(context))
        yield from check_details(expected, resource, resolved)


def expects_details(expected: ExpectedResult) -> bool:
    """Return whether anything is said of the effect's details."""
    given = (
        expected.body,
        expected.operations,
        expected.roles,
        expected.deployment,
        expected.related,
        expected.details,
    )
    return expected.conflict or any(each is not None for each in given)


def check_details(expected: ExpectedResult, resource: Resource, resolved: EffectDetails) -> list[str]:
    """Return each way in which the effect's details are not as expected."""
    problems = list(_check_changes(expected, resource, resolved))
    operations = [
        {"operation": each.operation, "field": each.field, "path": ".".join(each.steps), "value": each.value}
        for each in resolved.operations
        if each.applies
    ]
    for what, wanted, found in (
        ("operations", expected.operations, operations),
        ("roles", expected.roles, list(resolved.roles)),
        ("deployment", expected.deployment, resolved.deployment),
        ("related", expected.related, resolved.related),
        ("details", expected.details, resolved.details),
    ):
        plain = list(wanted) if isinstance(wanted, tuple) else wanted
        if plain is not None and not _holds(plain, found):
            problems.append(f"expected the {what} {plain!r}, found {found!r}")
    return problems


def _check_changes(expected: ExpectedResult, resource: Resource, resolved: EffectDetails) -> Iterator[str]:
    try:
        changed = apply_effects(resource.body, resolved)
    except EffectConflict as error:
        if not expected.conflict:
            yield f"there is a conflict: {error}"
        return
    if expected.conflict:
        yield f"expected a conflict, the body became {changed!r}"
    if expected.body is not None and changed != expected.body:
        yield f"expected the body {expected.body!r}, found {changed!r}"
    # A remediation may apply an effect again, so that a second time must change nothing.
    if apply_effects(changed, resolved) != changed:
        yield "applying the effect twice changes more than applying it once"


def _holds(wanted: Json, found: Json) -> bool:
    """Return whether what was found has everything that is wanted; objects may have more."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and _holds(each, found[key]) for key, each in wanted.items()
        )
    # Arrays are compared whole: an array that holds more is another array.
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(_holds, wanted, found))
    return bool(wanted == found)

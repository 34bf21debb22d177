"""Find what makes a resource compliant: what its policy itself would change, else the cheapest changes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from shared.domain.merge_patch import merged
from shared.domain.resource import Body, Json, Resource
from shared.domain.verdict import State
from shared.engine.compile.clause import CompiledClause
from shared.engine.compile.effect import IF_NOT_EXISTS
from shared.engine.compile.policy import Policy
from shared.engine.context import Frame
from shared.engine.effects.application import apply_effects
from shared.engine.effects.detail import effect_details
from shared.engine.error import EffectConflict, EvaluationError
from shared.engine.explain.body_change import changes_between
from shared.engine.explain.condition_fix import condition_fix
from shared.engine.explain.deployed_remedy import Remedy, deployed_remedy, state_after
from shared.engine.explain.fix import Fixes, is_read_only
from shared.engine.explain.fix_application import apply_fixes
from shared.engine.explain.fix_proof import FixTarget, prove, prove_exact
from shared.engine.explain.fix_search import FixSearch
from shared.engine.explain.fix_set import FixOptions
from shared.engine.explain.fix_text import created
from shared.engine.explain.place import member_name, open_path
from shared.engine.explain.rule_source import RuleSource
from shared.engine.explain.unfixable import is_reported
from shared.engine.judge.related import lookup_text, related_resources
from shared.engine.unknown import Unknown, first_unknown

RELATED = 20
"""Related resources that are tried."""


def find_remedy(policy: Policy, frame: Frame, rule: CompiledClause) -> Remedy:
    """Return the cheapest changes that are shown to do; none where none of those tried does."""
    source = RuleSource(policy)
    if is_reported(policy):
        return Remedy()
    if policy.effect in IF_NOT_EXISTS:
        return deployed_remedy(policy, frame) or _related_remedy(policy, frame, source)

    def search(body: Body) -> FixSearch:
        return FixSearch(Frame(replace(frame.resource, body=body), frame.context), source)

    target = FixTarget(
        frame.resource.body,
        state=lambda body: state_after(policy, replace(frame.resource, body=body), frame),
        options=lambda body: search(body).options(rule, wanted=False),
        named=_named_values(rule, frame, source),
    )
    for after in _own_changes(policy, frame):
        if found := prove_exact(target, changes_between(dict(frame.resource.body), after)):
            return Remedy(found)
    return Remedy(prove(target) or ())


def _own_changes(policy: Policy, frame: Frame) -> Iterator[Body]:
    """Yield the bodies that the policy leads to: by its effect, and by the patch that its metadata has for it."""
    body = dict(frame.resource.body)
    if policy.effect in {"modify", "append"}:
        with suppress(EvaluationError, EffectConflict):
            yield apply_effects(body, effect_details(policy, frame.resource, frame.context))
    patch = policy.definition.metadata.get("remediation")
    if isinstance(patch, Mapping) and patch.get("kind") == "patch":
        yield merged(body, {name: patch[name] for name in ("properties", "identity") if patch.get(name)})


def _named_values(rule: CompiledClause, frame: Frame, source: RuleSource) -> Mapping[str, Sequence[Json]]:
    """Return the values that conditions name for a property, by its path with stars in lower case.

    Behind them are those that a parameter may have which a condition compares it with.
    """
    found: dict[str, list[Json]] = {}
    allowed: dict[str, list[Json]] = {}
    waiting = [rule]
    while waiting:
        clause = waiting.pop()
        waiting += clause.parts
        if clause.kind == "field" and clause.resolved:
            found.setdefault(open_path(clause.resolved), []).extend(_named_by(clause, frame))
            known = allowed.setdefault(open_path(clause.resolved), [])
            known += source.allowed_values(clause.path)
    return {path: [*named, *allowed[path]] for path, named in found.items()}


def _named_by(clause: CompiledClause, frame: Frame) -> Iterator[Json]:
    assert clause.expect is not None
    try:
        expected = clause.expect(frame.body, frame)
        if first_unknown(expected) is None:
            for wanted in (True, False):
                fix = condition_fix(clause.resolved or "", clause.operator, expected, wanted=wanted)
                yield from fix.choices if fix else ()
    except EvaluationError:  # a condition that cannot be evaluated names nothing
        return


def _related_remedy(policy: Policy, frame: Frame, source: RuleSource) -> Remedy:
    """Return the changes to the related resource that needs the fewest, or the creation of one."""
    related = related_resources(policy, frame)
    if isinstance(related, Unknown):
        return Remedy()
    kind, remedies = policy.details.type, list[Remedy]()
    for each in related[:RELATED]:
        fixes = prove(_related_target(policy, frame, source, each)) or ()
        other = "" if each is frame.resource else each.id or kind
        placed = tuple(replace(fix, resource=other) for fix in fixes)
        remedies += [Remedy(placed, each)] if fixes else []
    if remedies:
        return min(remedies, key=lambda each: (len(each.fixes), sum(fix.action == "change" for fix in each.fixes)))
    return Remedy() if related else Remedy(_creation(policy, frame, source))


def _related_target(
    policy: Policy, frame: Frame, source: RuleSource, related: Resource, *, is_new: bool = False
) -> FixTarget:
    """Return the target of changes to a related resource."""
    low, clause = policy.details.type.lower(), policy.existence(related.api_version, frame)

    def state(body: Body) -> State:
        changed = replace(related, body=body)
        if related is frame.resource:
            return state_after(policy, changed, frame)
        known = frame.resource.related.get(low)
        others = known if isinstance(known, tuple) else ()
        kept = tuple(each for each in others if each is not related)
        return state_after(
            policy, replace(frame.resource, related={**frame.resource.related, low: (*kept, changed)}), frame
        )

    def options(body: Body) -> FixOptions:
        inner = Frame(replace(related, body=body), frame.context, frame)
        return FixSearch(inner, source, is_new=is_new).options(clause, wanted=True) if clause else [()]

    named = _named_values(clause, frame, source) if clause else {}
    is_other = not is_new and related is not frame.resource
    name = f"{policy.details.type} {member_name(dict(related.body))}".rstrip() if is_other else ""
    return FixTarget(related.body, state, options, named, name)


def _creation(policy: Policy, frame: Frame, source: RuleSource) -> Fixes:
    """Return the related resource to create, with what the existence condition demands, where one is shown to do."""
    name = lookup_text(policy, frame, policy.details.name)
    body = {"type": policy.details.type, **({"name": name} if isinstance(name, str) else {})}
    clause = policy.existence(None, frame)
    new = Resource(body)
    found = prove(_related_target(policy, frame, source, new, is_new=True)) if clause else ()
    if found is None:
        return ()
    # What Azure sets comes by itself.
    fixes = [each for each in found if not is_read_only(each.path)]
    exact = [each for each in fixes if each.action != "change"]
    value = apply_fixes(body, exact) or body
    return (created(value, [each.text for each in fixes]),)

"""Judge the stored estate of a subscription against the policies in force, page by page, and record what follows."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from shared.domain.arm_id import subscription_of
from shared.domain.error import Forbidden
from shared.domain.estate import Estate, JudgementProgress, add_numbers
from shared.domain.estate_event import FindingsChanged, JudgementEnded, JudgementStarted, PageJudged, ResourceJudged
from shared.domain.exemption import Exemption
from shared.domain.finding import resource_key
from shared.domain.inventory import Gap
from shared.domain.resource import Resource
from shared.domain.scan_difference import SCAN_DIFFERENCE_ITEMS
from shared.domain.timestamp import format_time
from shared.domain.verdict import FINDING_STATES, State
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.inventory import Inventory
from shared.services import finding
from shared.services.estate import absence, estate, verdict_cache
from shared.services.estate.assessment import (
    Assessment,
    assess,
    assess_recorded,
    count_causes,
    count_delta,
    count_states,
)
from shared.services.estate.resource_change import CHANGE_KIND, RESOURCE_KIND, changes_of
from shared.services.estate.surroundings import Contexts, ResourceRows, Surroundings, parents_in
from shared.services.estate.verdict_cache import PreviousJudgement
from shared.services.policy.effective_policy import EffectivePolicies

PAGE_RESOURCES = 250
CONFIRM_DURATION = timedelta(seconds=60)
"""For confirming what is missing from the lists of one resource."""


def judge(
    scan: str,
    subscription: str,
    *,
    fence: int,
    store: Store,
    policies: EffectivePolicies,
    until: datetime,
    compare: bool = False,
) -> Estate:
    """Judge pages until there are no more, or until the time is up; call again to go on.

    A resource of which nothing has changed keeps what came of it in the last judgement; with `compare` it is judged all
    the same, and what differs is recorded. Afterwards the estate's `last_scan` is this scan. Overtaken when a scan with
    a higher `fence` has begun, or this one was stopped.
    """
    known = _begin(scan, subscription, fence, store)
    before = PreviousJudgement(known, store)
    contexts, parents = Contexts(subscription, store), parents_in(subscription, store)
    while known.judgement and known.judgement.scan == scan:
        # By key after the cursor, not by offset: resources that come and go meanwhile move no page.
        live = Query(equals={"subscription": subscription, "gone": False}, after=known.judgement.cursor)
        page = store.documents.query(tenant=store.tenant, kind=RESOURCE_KIND, query=live, limit=PAGE_RESOURCES)
        rows = {each.id: each.body for each in page.items}
        known = (
            _judge_page(known, rows, before, lambda: Surroundings(contexts, store, policies, parents), compare=compare)
            if rows
            else _end(known.judgement, subscription, store, policies)
        )
        if store.now() >= until:
            break
    known.admit(scan, fence)
    return known


def judge_resource(
    resource_id: str, *, store: Store, inventory: Inventory, policies: EffectivePolicies
) -> dict[str, State]:
    """Read one resource with authority, judge it alone and record the outcome.

    Return the state for each policy that applies.
    A resource that is gone resolves its findings, and {} is returned. What is known already is not recorded again.
    """
    key = resource_key(resource_id)
    before = store.documents.get(tenant=store.tenant, kind=RESOURCE_KIND, id=key)
    since = before.body["sequence"] if before else 0
    fresh = inventory.read(tenant=store.tenant, resource_id=resource_id, wanted=policies.wanted)
    if fresh is not None:
        until = store.now() + CONFIRM_DURATION
        known = absence.confirm_related([fresh], _stored(key, store), store=store, inventory=inventory, until=until)
        (fresh,) = known.resources
    return _keep_reading(resource_id, fresh, since, store=store, policies=policies)


def hide_resource(resource_id: str, error: Forbidden, *, store: Store, policies: EffectivePolicies) -> None:
    """Record that a resource may not be read: its properties are unknown, and why; one that is not known stays so."""
    rows = _stored(resource_key(resource_id), store)
    for row in rows.values():
        told = absence.gap(row["subscription"], row["typeName"], f"{row['typeName']}/read", error, store)
        gap = told.model_copy(update={"scope": row["resourceId"]})
        fresh = absence.without_properties(row, error, store)
        _keep_reading(resource_id, fresh, row["sequence"], store=store, policies=policies, gaps=(gap,))


def _keep_reading(
    resource_id: str,
    fresh: Resource | None,
    since: int,
    *,
    store: Store,
    policies: EffectivePolicies,
    gaps: tuple[Gap, ...] = (),
) -> dict[str, State]:
    """Judge what was read of a resource and record what is new, `gaps` with it; return the state for each policy."""
    key = resource_key(resource_id)
    states: dict[str, State] = {}

    def decision(known: Estate) -> estate.EstateChange | None:
        old = _stored(key, store)
        if fresh is None:
            return _departed(key, old, known, store, policies)
        found = changes_of([fresh], store, known.subscription, since=since)
        new = found.kept or old
        around = Surroundings(Contexts(known.subscription, store), store, policies)
        outcome = assess(new, around)
        # A decision that is retried decides afresh: the states are those of the last attempt.
        states.update(outcome.states(key))
        shifts = _count_deltas(known, old, outcome, around)
        if not found.kept and not any(map(_moves, shifts.values())) and not outcome.findings:
            return None
        event = ResourceJudged(resource=resource_id, new=len(new) - len(old), left_out=gaps, **shifts)
        kept = _marked(found.kept or old, store)
        documents = {RESOURCE_KIND: kept, CHANGE_KIND: found.changes, finding.KIND: outcome.findings}
        return estate.EstateChange(event, documents)

    estate.decide(store, subscription_of(resource_id), decision)
    return states


def judge_stored(keys: tuple[str, ...], subscription: str, *, store: Store, policies: EffectivePolicies) -> Estate:
    """Judge stored resources again, because what else counts (an exemption, say) has changed."""

    def decision(known: Estate) -> estate.EstateChange | None:
        found = store.documents.get_many(tenant=store.tenant, kind=RESOURCE_KIND, ids=keys)
        rows = {key: each.body for key, each in found.items() if not each.body["gone"]}
        around = Surroundings(Contexts(subscription, store), store, policies)
        outcome = assess(rows, around)
        if not outcome.findings:
            return None
        event = FindingsChanged(**_count_deltas(known, rows, outcome, around))
        return estate.EstateChange(event, {RESOURCE_KIND: _marked(rows, store), finding.KIND: outcome.findings})

    return estate.decide(store, subscription, decision)


def judge_covered(covering: Exemption, *, store: Store, policies: EffectivePolicies) -> int:
    """Judge again what an exemption covers or did cover; how many resources that were."""
    keys: dict[str, set[str]] = {}
    scope = covering.request.scope.lower().rstrip("/")
    under = {} if subscription_of(scope) == "tenant" else {"subscription": subscription_of(scope)}
    # Told to the estate first: a judgement that is under way has to decide again with the exemption in mind.
    if under and not covering.applied:
        estate.exemption_changed(f"{covering.id}@{covering.sequence}", under["subscription"], store=store)
    named = tuple(each.lower() for each in covering.request.references)
    of = {"assignment": covering.request.assignment.lower(), **({"reference": named} if named else {})}
    query = Query(equals={**under, **of})
    for body in finding.stored(query, store):
        identity = body["resourceId"].lower()
        if identity == scope or identity.startswith(f"{scope}/"):
            keys.setdefault(body["subscription"], set()).add(body["resource"])
    for subscription, found in keys.items():
        for some in batched(sorted(found), PAGE_RESOURCES, strict=False):
            judge_stored(some, subscription, store=store, policies=policies)
    return sum(map(len, keys.values()))


def _departed(
    key: str, old: ResourceRows, known: Estate, store: Store, policies: EffectivePolicies
) -> estate.EstateChange | None:
    if not old:
        return None
    farewell = finding.resolved((key,), store, reason="the resource is gone")
    leaving = {key: {**old[key], "gone": True, "changedAt": format_time(store.now())}}
    shifts = _count_deltas(known, old, Assessment(), Surroundings(Contexts(known.subscription, store), store, policies))
    event = ResourceJudged(resource=old[key]["resourceId"], new=-1, **shifts)
    return estate.EstateChange(event, {RESOURCE_KIND: leaving, finding.KIND: farewell})


def _stored(key: str, store: Store) -> ResourceRows:
    document = store.documents.get(tenant=store.tenant, kind=RESOURCE_KIND, id=key)
    return {key: document.body} if document and not document.body["gone"] else {}


def _marked(rows: ResourceRows, store: Store) -> dict[str, dict[str, Any]]:
    """Return rows that say when they were judged by themselves: what the last scan made of them counts no more."""
    return {key: {**row, "judgedAt": format_time(store.now())} for key, row in rows.items()}


def _count_deltas(known: Estate, old: ResourceRows, outcome: Assessment, around: Surroundings) -> dict[str, Any]:
    """Return how the counts move; `passed` is the part that a scan now running has already gone past."""
    before = assess_recorded(old, around)
    moved = count_delta(before, outcome, around.policies)
    running = known.judgement
    if running is None:
        return moved
    # A running judgement has counted up to its cursor and still comes to what is behind it: only the former needs a
    # correction.
    behind = count_delta(before.only(running.cursor), outcome.only(running.cursor), around.policies)
    return {**moved, "passed": behind}


def _moves(shift: Any) -> bool:  # noqa: ANN401 - numbers in tables within tables
    """Return whether any number in it is not zero."""
    return any(map(_moves, shift.values())) if isinstance(shift, Mapping) else bool(shift)


def _begin(scan: str, subscription: str, fence: int, store: Store) -> Estate:
    def decision(known: Estate) -> estate.EstateChange | None:
        known.admit(scan, fence)
        if known.last_scan == scan or (known.judgement and known.judgement.scan == scan):
            return None
        return estate.EstateChange(JudgementStarted(scan=scan, fence=fence))

    return estate.decide(store, subscription, decision)


def _judge_page(
    begun: Estate,
    rows: ResourceRows,
    before: PreviousJudgement,
    surroundings: Callable[[], Surroundings],
    *,
    compare: bool,
) -> Estate:
    """Judge one page and record it; `surroundings` are read for each attempt, as exemptions may begin meanwhile."""
    last = max(rows)

    def decision(known: Estate) -> estate.EstateChange | None:
        at = known.judgement
        if (
            at is None
            or begun.judgement is None
            or (at.scan, at.cursor) != (begun.judgement.scan, begun.judgement.cursor)
        ):
            return None
        around = surroundings()
        digests = verdict_cache.digests(rows, around)
        unchanged = verdict_cache.unchanged(digests, before.between(min(rows), last))
        reused = {} if compare else unchanged
        outcome = assess({key: row for key, row in rows.items() if key not in reused}, around)
        judged = verdict_cache.outcomes(outcome, digests) | reused
        differences = verdict_cache.compare(unchanged, judged, rows)
        verdict_cache.add(outcome, reused, rows)
        event = PageJudged(
            scan=at.scan,
            cursor=last,
            judged=len(rows),
            reused=len(reused),
            evaluation_count=sum(pair.resources for pair in outcome.pairs),
            finding_count=sum(pair.resources for pair in outcome.pairs if pair.state in FINDING_STATES),
            unknown=count_causes(outcome),
            gaps=tuple(outcome.gaps),
            differences=tuple(differences[:SCAN_DIFFERENCE_ITEMS]),
            difference_count=len(differences),
            **count_states(outcome, around.policies),
        )
        return estate.EstateChange(event, {finding.KIND: outcome.findings}, verdicts=verdict_cache.to_json(judged))

    return estate.decide(before.store, begun.subscription, decision)


def _end(begun: JudgementProgress, subscription: str, store: Store, policies: EffectivePolicies) -> Estate:
    def decision(known: Estate) -> estate.EstateChange | None:
        at = known.judgement
        if at is None or at.scan != begun.scan:
            return None
        # A policy is incomplete that was not evaluated on every resource of the types it applies to.
        incomplete = {
            name: {"evaluated": at.evaluated.get(name, 0), "expected": number}
            for name, number in _expected(subscription, store, policies).items()
            if at.evaluated.get(name, 0) != number
        }
        return estate.EstateChange(JudgementEnded(scan=at.scan, incomplete_policies=incomplete))

    return estate.decide(store, subscription, decision)


def unjudged(subscription: str, *, store: Store, policies: EffectivePolicies) -> dict[str, Mapping[str, int]]:
    """Return the incomplete policies of a subscription that could not be judged: nothing of all that is known of it."""
    return {
        name: {"evaluated": 0, "expected": number} for name, number in _expected(subscription, store, policies).items()
    }


def _expected(subscription: str, store: Store, policies: EffectivePolicies) -> dict[str, int]:
    """Return the number of stored resources of the types that each policy applies to."""
    live = Query(equals={"subscription": subscription, "gone": False})
    by_type = store.documents.count(tenant=store.tenant, kind=RESOURCE_KIND, query=live, by="type")
    expected: dict[str, int] = {}
    for kind, number in by_type.items():
        expected = add_numbers(expected, dict.fromkeys(policies.keys_for(kind), number))
    return expected

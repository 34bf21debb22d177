"""Judge the stored estate of a subscription against the policies in force, page by page, and record what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from shared.domain.arm_id import subscription_of
from shared.domain.error import Forbidden
from shared.domain.estate import Estate, add_numbers
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
from shared.services.estate.previous_judgement import PreviousJudgement
from shared.services.estate.resource_change import CHANGE_KIND, RESOURCE_KIND, changes_of
from shared.services.estate.surroundings import Contexts, ResourceRows, Surroundings
from shared.services.estate.verdict_cache import JudgedResource
from shared.services.policy.effective_policy import EffectivePolicies

PAGE_RESOURCES = 250
"""Resources that are read and judged at a time."""
KEPT_RESOURCES = 2000
"""Resources in a page of which most are as they were, and not read."""
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
    contexts = Contexts(subscription, store)
    before = PreviousJudgement(estate.current(store, subscription), store, running=scan)

    def decision(known: Estate) -> Sequence[estate.EstateChange]:
        known.admit(scan, fence)
        if known.last_scan == scan:
            return ()
        around = Surroundings(contexts, store, policies)  # for each attempt, as exemptions may begin meanwhile
        at = known.judgement if known.judgement and known.judgement.scan == scan else None
        changes = [] if at else [estate.EstateChange(JudgementStarted(scan=scan, fence=fence))]
        after, evaluated = (at.cursor, at.evaluated) if at else ("", {})
        page = (_stored_page if compare else _next_page)(after, subscription, before, around)
        if page.rows or page.kept or not page.is_end:
            judged, counted = _judge_page(scan, page, around, before if compare else None)
            changes.append(judged)
            evaluated = add_numbers(evaluated, counted)
        # In one fact with its last page: what comes to the estate in between would be judged by nobody.
        return [*changes, _ended(scan, evaluated, subscription, around)] if page.is_end else changes

    while (known := estate.decide(store, subscription, decision)).last_scan != scan and store.now() < until:
        pass
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


@dataclass(frozen=True, slots=True)
class JudgementPage:
    """The resources that come next in a judgement: the rows of those to look at, and what came of those that are kept.

    `before` is what came of the rows in the last judgement, `last` the key of the last resource, `is_end` whether there
    are no others.
    """

    rows: ResourceRows
    kept: Mapping[str, JudgedResource]
    before: Mapping[str, JudgedResource]
    last: str
    is_end: bool


def _next_page(after: str, subscription: str, before: PreviousJudgement, around: Surroundings) -> JudgementPage:
    """Return the page after a key: what has not changed is not read, where that is known."""
    found = before.upcoming(after, around, limit=KEPT_RESOURCES, reads=PAGE_RESOURCES)
    if found is None:
        return _stored_page(after, subscription, before, around)
    documents = around.store.documents
    some = documents.get_many(tenant=around.store.tenant, kind=RESOURCE_KIND, ids=found.changed)
    rows = {key: some[key].body for key in found.changed if key in some and not some[key].body["gone"]}
    return JudgementPage(rows, found.kept, found.before, found.last, found.is_end)


def _stored_page(after: str, subscription: str, before: PreviousJudgement, around: Surroundings) -> JudgementPage:
    """Return the page after a key, with the rows of all resources that are stored."""
    store = around.store
    # By key after the cursor, not by offset: resources that come and go meanwhile move no page.
    live = Query(equals={"subscription": subscription, "gone": False}, after=after)
    page = store.documents.query(tenant=store.tenant, kind=RESOURCE_KIND, query=live, limit=PAGE_RESOURCES)
    rows = {each.id: each.body for each in page.items}
    last = max(rows, default=after)
    known = before.between(min(rows), last) if rows else {}
    return JudgementPage(rows, {}, known, last, not rows or page.cursor is None)


def _judge_page(
    scan: str, page: JudgementPage, around: Surroundings, compared: PreviousJudgement | None
) -> tuple[estate.EstateChange, Mapping[str, int]]:
    """Judge one page; return the change, and the pairs considered by policy. All of it, where it is compared."""
    digests = verdict_cache.digests(page.rows, around)
    unchanged = verdict_cache.unchanged(digests, page.before)
    if compared:  # what would have been kept unread must come to the same, too
        unread = {key: each for key, each in page.before.items() if key in page.rows and compared.has_kept(key)}
        unchanged |= {key: each for key, each in unread.items() if each.has_same_surroundings(around)}
    reused = {} if compared else unchanged
    outcome = assess({key: row for key, row in page.rows.items() if key not in reused}, around)
    judged = verdict_cache.outcomes(outcome, reused, page.rows, digests, around) | {**page.kept}
    differences = verdict_cache.compare(unchanged, judged, page.rows)
    verdict_cache.add(outcome, {**reused, **page.kept})
    event = PageJudged(
        scan=scan,
        cursor=page.last,
        judged=len(page.rows) + len(page.kept),
        reused=len(reused) + len(page.kept),
        evaluation_count=sum(pair.resources for pair in outcome.pairs),
        finding_count=sum(pair.resources for pair in outcome.pairs if pair.state in FINDING_STATES),
        unknown=count_causes(outcome),
        gaps=tuple(outcome.gaps),
        differences=tuple(differences[:SCAN_DIFFERENCE_ITEMS]),
        difference_count=len(differences),
        **count_states(outcome, around.policies),
    )
    documents = {finding.KIND: outcome.findings}
    return estate.EstateChange(event, documents, verdicts=verdict_cache.to_json(judged)), event.evaluated


def _ended(scan: str, evaluated: Mapping[str, int], subscription: str, around: Surroundings) -> estate.EstateChange:
    # A policy is incomplete that was not evaluated on every resource of the types it applies to.
    incomplete = {
        name: {"evaluated": evaluated.get(name, 0), "expected": number}
        for name, number in _expected(subscription, around.store, around.policies).items()
        if evaluated.get(name, 0) != number
    }
    return estate.EstateChange(JudgementEnded(scan=scan, incomplete_policies=incomplete))


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

"""Plan a remediation in bounded batches, and freeze the plan under the one hash that an approval names.

A batch that was killed is resumed: items that exist behind those recorded are taken as they are, so that nothing is
planned twice. The plan and its items lie in blobs that are named by their hashes: the approved hash proves them all.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from itertools import chain

from shared.domain.error import Conflict, Throttled, Unavailable
from shared.domain.finding import Finding, resource_key
from shared.domain.item import ItemOutcome, RemediationItem, item_id
from shared.domain.item_event import ItemEnded, ItemPlanned
from shared.domain.plan import OperationSummary, PlanItem, RemediationPlan, item_hash
from shared.domain.remediation import Remediation, RemediationStatus
from shared.domain.remediation_event import (
    ItemsPlanned,
    PlanningDelayed,
    PlanningStarted,
    RemediationEvent,
    RemediationFailed,
    RemediationPlanned,
    ResourceDeferred,
)
from shared.eventstore import aggregate, stream
from shared.eventstore.store import Store
from shared.ports.control import Control
from shared.ports.inventory import Inventory
from shared.services import content
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.remediation import ending, overlap, record, selection
from shared.services.remediation.item_plan import Planning, refused

BATCH_ITEMS = 100
"""Items that one step plans at most."""
STEP_DURATION = timedelta(seconds=60)
"""How long one step goes on planning; far below the five minutes that an activity may take."""
EXPIRY = timedelta(days=7)
"""How long a plan waits for approval."""
GIVE_UP_AFTER = timedelta(days=1)
"""How long a plan is tried for while the cloud asks to wait, or does not answer."""
PLANNING_ATTEMPTS = 6
"""Attempts to read one resource before it is left out."""
RETRY_SECONDS, LONGEST_RETRY_SECONDS = 15.0, 240.0
"""The wait after the first attempt, which doubles with each, and the longest."""
DEFERRED_RESOURCES = 100
"""Resources that may wait for another attempt at once; with more, all of the plan waits."""


def make(
    remediation_id: str, *, store: Store, control: Control, inventory: Inventory, policies: EffectivePolicies
) -> Remediation:
    """Plan the next batch of a requested remediation; once nothing is left to plan, freeze the plan.

    One that is planned already is left as it is. Where the cloud asks to wait, that is recorded.
    """
    known = record.decide(
        remediation_id,
        lambda now: (PlanningStarted(),) if now and now.status == RemediationStatus.REQUESTED else (),
        store,
    )
    if known.status != RemediationStatus.PLANNING:
        return known
    planning = Planning(remediation_id, store, control, inventory, policies)
    until = store.now() + STEP_DURATION
    made: list[RemediationItem] = []
    try:
        for item in _items(known, planning):
            made.append(item)
            if len(made) == BATCH_ITEMS or store.now() >= until:
                return _record_batch(known, made, store)
    except (Throttled, Unavailable) as error:
        # What was planned before the cloud asked to wait is kept.
        return _record_delay(_record_batch(known, made, store), error, store)
    known = _record_batch(known, made, store)
    if not known.deferred:
        return _freeze(known, store)
    first = min(known.deferred, key=lambda each: each.until)
    return _record_wait(known, PlanningDelayed(until=first.until, reason=first.reason), store)


def approved(known: Remediation, *, store: Store) -> RemediationPlan:
    """Load the plan that was approved; Conflict where none was, Damaged when it is not what was approved."""
    if known.approval is None:
        raise Conflict(f"the plan of remediation {known.id} is not approved")
    return load(known.id, known.approval.hash, store=store)


def load(remediation_id: str, plan_hash: str, *, store: Store) -> RemediationPlan:
    """Load the plan with this hash; Damaged when it is not."""
    name = plan_blob(remediation_id, plan_hash)
    return RemediationPlan.model_validate(content.load_json(name, blobs=store.blobs, tenant=store.tenant))


def load_item(item: RemediationItem, *, store: Store) -> PlanItem:
    """Load an item's part of the plan; Damaged when it is not what was planned."""
    name = item_blob(item.remediation, item.number, item.hash)
    return PlanItem.model_validate(content.load_json(name, blobs=store.blobs, tenant=store.tenant))


def plan_blob(remediation_id: str, plan_hash: str) -> str:
    """Name the blob of a plan."""
    return f"remediation/{remediation_id}/plan-{plan_hash}.json.gz"


def item_blob(remediation_id: str, number: int, item_hash: str) -> str:
    """Name the blob of an item's part of the plan."""
    return f"{_item_stem(remediation_id, number)}{item_hash}.json.gz"


def _items(known: Remediation, planning: Planning) -> Iterator[RemediationItem]:
    """Plan one item after another behind those recorded; those that a killed step left come first, as they are.

    Resources that were deferred come last, once their time has come.
    """
    number, store = known.item_count, planning.store
    due = [each for each in known.deferred if each.until <= store.now()]
    left: set[str] = set()
    while item := record.find_item(known.id, number + 1, store=store):
        number = item.number
        left.add(item.resource)
        yield _yielded(item, store)
    behind = known.model_copy(update={"position": _position(known, left)})
    groups = ((each[0].resource_id, each) for each in selection.groups(behind, store=store))
    again = (
        (each.resource_id, selection.group_of(known, each.resource, store=store))
        for each in due
        if each.resource not in left
    )
    for resource_id, found in chain(groups, again):
        planned = _planned(number + 1, resource_id, found, planning)
        left.add(resource_key(resource_id))
        if planned is None:
            continue
        number += 1
        item = _record_item(number, planned, len(found), planning)
        yield item
        if item.resource != resource_key(resource_id):  # another worker was first, and saw other findings
            left = left - {resource_key(resource_id)} | {item.resource}
            later = tuple(each for each in known.deferred if each.resource not in left)
            after = {"item_count": number, "position": _position(known, left), "deferred": later}
            yield from _items(known.model_copy(update=after), planning)
            return


def _position(known: Remediation, planned: Collection[str]) -> str:
    """Return the last resource, in the order of their keys, that was planned or deferred."""
    return max(known.position, *planned, *(each.resource for each in known.deferred), "")


def _planned(number: int, resource_id: str, found: list[Finding], planning: Planning) -> PlanItem | None:
    """Plan an item; None where its resource cannot be read at present, and is deferred.

    What an open remediation is to write is left to that.
    """
    if not found:
        return PlanItem(resource_id=resource_id, skipped="no finding on it is open any more")
    try:
        planned = planning.item(number, found)
    except Unavailable as error:
        if _defer(resource_id, error, planning):
            return None
        return refused(resource_id, found, f"given up after {PLANNING_ATTEMPTS} attempts: {error.message}")
    written = {resource_id, *(each.resource_id for each in planned.operations)}
    held = overlap.holder(written, planning.remediation, store=planning.store) if planned.operations else None
    return refused(resource_id, found, overlap.reason(held)) if held else planned


def _defer(resource_id: str, error: Unavailable, planning: Planning) -> bool:
    """Record that a resource is tried again later; whether it is, which it is not after some attempts.

    Where too many have to wait it is the cloud that does not answer, and all of the plan waits: the error goes on.
    """
    key, store = resource_key(resource_id), planning.store
    known = record.find(planning.remediation, store=store)
    attempts = next((each.attempts for each in known.deferred if each.resource == key), 0)
    if attempts + 1 >= PLANNING_ATTEMPTS:
        return False
    if not attempts and len(known.deferred) >= DEFERRED_RESOURCES:
        raise error
    seconds = max(error.retry_after, min(RETRY_SECONDS * 2**attempts, LONGEST_RETRY_SECONDS))
    until = store.now() + timedelta(seconds=seconds)
    deferred = ResourceDeferred(resource=key, resource_id=resource_id, until=until, reason=error.message)
    is_planning = RemediationStatus.PLANNING
    record.decide(known.id, lambda now: (deferred,) if now and now.status == is_planning else (), store)
    return True


def _record_item(number: int, planned: PlanItem, matched: int, planning: Planning) -> RemediationItem:
    """Record what is planned for an item, unless somebody has."""
    store = planning.store
    stem = _item_stem(planning.remediation, number)
    content.keep_json(stem, planned.model_dump(mode="json"), blobs=store.blobs, tenant=store.tenant)
    event = ItemPlanned(
        remediation=planning.remediation,
        number=number,
        hash=item_hash(planned),
        resource_id=planned.resource_id,
        matched=matched,
        findings=planned.findings,
        policies=tuple(dict.fromkeys(each.name for each in planned.policies)),
        operations=tuple(OperationSummary.of(each) for each in planned.operations),
        refusals=planned.refusals,
        notes=planned.notes,
        skipped=planned.skipped,
    )
    identity = item_id(planning.remediation, number)
    recorded = aggregate.decide(record.ITEM_STREAM, identity, lambda now: () if now else (event,), store=store)
    return _yielded(recorded, store)


def _yielded(item: RemediationItem, store: Store) -> RemediationItem:
    """Refuse an item whose resource another remediation has come to hold while it was planned.

    Each records its item before it looks, so that of two at the same time neither misses the other.
    """
    if item.outcome != ItemOutcome.PENDING:
        return item
    written = {item.resource_id, *(each.resource_id for each in item.operations)}
    held = overlap.holder(written, item.remediation, store=store)
    if held is None:
        return item
    return record.decide_item(item, (ItemEnded(outcome=ItemOutcome.REFUSED, reason=overlap.reason(held)),), store)


def _record_batch(known: Remediation, made: Sequence[RemediationItem], store: Store) -> Remediation:
    """Record a batch of items at the remediation, unless another worker has; return the remediation as it is."""
    keys = {each.resource for each in made}

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        at = record.require(known.id, now)
        if not made or at.status != RemediationStatus.PLANNING or at.item_count != made[0].number - 1:
            return ()
        planned = ItemsPlanned(
            first=made[0].number,
            hashes=tuple(each.hash for each in made),
            counts=Counter(str(each.outcome) for each in made),
            finding_count=sum(each.matched for each in made),
            refused_count=sum(_refused_count(each) for each in made),
            position=_position(at, keys),
            retried=tuple(each.resource for each in at.deferred if each.resource in keys),
        )
        return (planned,)

    return record.decide(known.id, decision, store)


def _refused_count(item: RemediationItem) -> int:
    """Return how many findings of an item are not fixed."""
    if item.outcome == ItemOutcome.REFUSED:
        return item.matched
    return len({refusal.finding for refusal in item.refusals})


def _record_delay(known: Remediation, error: Throttled | Unavailable, store: Store) -> Remediation:
    """Record that planning waits, until when and why; after a day without a batch the remediation fails."""
    at = store.now()
    if at - (known.progressed_at or known.requested_at) > GIVE_UP_AFTER:
        return _record_wait(known, RemediationFailed(reason=f"given up after a day: {error.message}"), store)
    until = at + timedelta(seconds=error.retry_after)
    return _record_wait(known, PlanningDelayed(until=until, reason=error.message), store)


def _record_wait(known: Remediation, event: PlanningDelayed | RemediationFailed, store: Store) -> Remediation:
    """Record that planning waits or fails, if it still goes on."""
    is_planning = RemediationStatus.PLANNING
    return record.decide(known.id, lambda now: (event,) if now and now.status == is_planning else (), store)


def _freeze(known: Remediation, store: Store) -> Remediation:
    """Record the plan, and the end when there is nothing in it to approve."""
    # From the events, not from the items' documents: those may lag behind.
    events = (each.event for each in stream.read(record.STREAM, known.id, store=store))
    batches = [each for each in events if isinstance(each, ItemsPlanned)]
    plan = RemediationPlan(remediation=known.id, items=tuple(chain.from_iterable(each.hashes for each in batches)))
    stem = f"remediation/{known.id}/plan-"
    content.keep_json(stem, plan.model_dump(mode="json"), blobs=store.blobs, tenant=store.tenant)
    planned = RemediationPlanned(
        hash=plan.hash,
        item_count=len(plan.items),
        finding_count=sum(each.finding_count for each in batches),
        expires_at=store.now() + EXPIRY,
    )

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        if now is None or now.status != RemediationStatus.PLANNING or now.item_count != planned.item_count:
            return ()
        return (planned,) if now.counts.get(ItemOutcome.PENDING) else (planned, ending.ended(now, store=store))

    return record.decide(known.id, decision, store)


def _item_stem(remediation_id: str, number: int) -> str:
    return f"remediation/{remediation_id}/item-{number:06d}-"

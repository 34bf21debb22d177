"""How a remediation ends: by itself once no item is left to do, or because nothing helps any more."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from shared.domain.error import Stale
from shared.domain.item import BEGUN, SHORT, ItemOutcome, RemediationItem
from shared.domain.item_event import ItemEnded, ItemEvent, ItemRollingBack
from shared.domain.item_step import given_up
from shared.domain.remediation import WORKING, Remediation, RemediationStatus
from shared.domain.remediation_event import RemediationEnd, RemediationEvent, RemediationFailed
from shared.domain.remediation_transition import ending
from shared.eventstore.store import Store
from shared.services import compliance
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.remediation import progress, record

REASON_CHARACTERS = 1000
ABANDONED_ITEMS = 250
"""Items that are read at once where all that were begun are given up."""
_UNPLANNED = (RemediationStatus.REQUESTED, RemediationStatus.PLANNING)


def finish(remediation_id: str, *, store: Store, policies: EffectivePolicies) -> Remediation:
    """Record how it ended, once no item is left to do, and refresh the summary."""

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        known = record.require(remediation_id, now)
        return (ended(known, store=store),) if progress.step_of(known, store=store).do == "finish" else ()

    known = record.decide(remediation_id, decision, store)
    compliance.refresh(store=store, policies=policies)
    return known


def ended(known: Remediation, *, store: Store, reason: str = "") -> RemediationEnd:
    """Return the event that ends a remediation, with the number of items of each outcome, and why some are not done."""
    counts = progress.counts(known, store=store)
    undoable = progress.rollbackable_count(known.id, store=store)
    if not reason and known.status == RemediationStatus.ROLLING_BACK:
        reason = _kept_reason(known, undoable, store)
    elif not reason:
        reason = _incomplete_reason(known, counts, store)
    return ending(known, counts, undoable)(counts=counts, rollbackable_count=undoable, reason=reason)


def _incomplete_reason(known: Remediation, counts: Mapping[str, int], store: Store) -> str:
    """Return how many items were not done as asked, with the first one's reason."""
    partly = {"outcome": tuple(str(each) for each in ItemOutcome if each not in SHORT), "partial": True}
    number = sum(counts.get(each, 0) for each in SHORT) + progress.count(known.id, partly, store=store)
    if not number:
        return ""
    # One query for each condition: a store cannot ask for either.
    wanted = ({"outcome": tuple(map(str, SHORT))}, partly)
    found = [each for some in wanted for each in progress.items(known.id, some, limit=1, store=store)]
    first = min(found, key=lambda each: each.id)
    reason = first.reason or first.refusals[0].reason
    return f"{number} of {known.item_count} items: {reason}"[:REASON_CHARACTERS]


def _kept_reason(known: Remediation, number: int, store: Store) -> str:
    """Return how many changed items were not rolled back, with the first one's reason."""
    if not number:
        return ""
    first = progress.items(known.id, progress.ROLLBACKABLE, limit=1, store=store)[0]
    return f"{number} of {known.item_count} items not rolled back: {first.reason}"[:REASON_CHARACTERS]


def give_up(remediation_id: str, reason: str, *, store: Store) -> Remediation:
    """Record that a step failed for good: the plan, or the item that was next, so that the others go on without it."""
    known = record.find(remediation_id, store=store)
    if known.status in _UNPLANNED:
        return _fail(remediation_id, _UNPLANNED, reason, store)
    for item in progress.left(record.begin(known, store), limit=1, store=store):
        _abandon(item, reason[:REASON_CHARACTERS], known, store)
    return progress.record_progress(remediation_id, store=store)


def refuse(remediation_id: str, reason: str, *, store: Store) -> Remediation:
    """Record that a requested remediation could not be begun, and why; one that is under way goes on."""
    return _fail(remediation_id, (RemediationStatus.REQUESTED,), reason, store)


def abandon(remediation_id: str, reason: str, *, store: Store) -> Remediation:
    """Record that nothing goes on any more, and why: what was begun is left as it is, and the remediation ends."""
    reason = reason[:REASON_CHARACTERS]
    known = record.begin(_fail(remediation_id, _UNPLANNED, reason, store), store)
    if known.status not in WORKING:
        return known
    begun = {"outcome": tuple(map(str, BEGUN))}
    while found := progress.items(known.id, begun, limit=ABANDONED_ITEMS, store=store):
        for item in found:
            _abandon(item, reason, known, store)

    def decision(now: Remediation | None) -> Sequence[RemediationEvent]:
        there = record.require(remediation_id, now)
        return (ended(there, store=store, reason=reason),) if there.status in WORKING else ()

    return record.decide(remediation_id, decision, store)


def _fail(remediation_id: str, statuses: Collection[RemediationStatus], reason: str, store: Store) -> Remediation:
    """Record that a remediation has failed if it still is in one of these statuses."""
    failed = RemediationFailed(reason=reason[:REASON_CHARACTERS])
    return record.decide(
        remediation_id,
        lambda now: (failed,) if record.require(remediation_id, now).status in statuses else (),
        store,
    )


def _abandon(item: RemediationItem, reason: str, known: Remediation, store: Store) -> None:
    """End an item as it is, unless another worker has gone on with it."""
    item = record.find_item(item.remediation, item.number, store=store) or item
    events: tuple[ItemEvent, ...] = (ItemEnded(outcome=given_up(item), reason=reason),)
    if item.undoable:
        events = (ItemRollingBack(rollback=known.rollbacks), ItemEnded(outcome=item.outcome, reason=reason))
    if item.begun or item.undoable or item.outcome == ItemOutcome.PENDING:
        with suppress(Stale):
            record.decide_item(item, events, store)

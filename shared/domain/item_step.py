"""What follows for an item of a remediation from what is observed of its resource: events, and nothing else.

The executor (services/remediation/execution.py) asks which action is next, observes, and records what `step` returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.body import fingerprint, holds, is_outcome
from shared.domain.error import Conflict, CortexError, Locked, Malformed, Throttled, Unavailable
from shared.domain.item import ItemOutcome, RemediationItem
from shared.domain.item_event import ItemApplied, ItemApplying, ItemDelayed, ItemEnded, ItemRollingBack
from shared.domain.plan import PlannedOperation, PlannedPolicy
from shared.domain.remediation import Remediation, RemediationStatus
from shared.domain.resource import Body, Snapshot
from shared.domain.verdict import State

GIVE_UP_AFTER = timedelta(days=1)
"""How long an item is tried while the cloud does not answer, or answers that it is busy."""
WAIT_SECONDS = 300.0
"""The longest wait before the next try that the cloud has not asked for."""
BUSY_SECONDS = 15.0
BUSY_TRIES = 8

CHANGED = "the resource is not as it was when the plan was made; plan again"
OUTDATED = "not in force as when the plan was made; plan again"
NEITHER = "the resource is neither as it was nor as planned: somebody else has changed it; look at it"
LOST = "the cloud accepted the write but the resource is as it was before"
NOT_OURS = "not rolled back: the resource has been changed since"
DELETED = "not rolled back: the resource has been deleted since"
NOT_RESTORED = "the rollback was accepted but the resource is not as it was before; look at it"
WITHDRAWN = "the remediation was cancelled before this item was written"
UNDER_WAY = "a write was begun, and the resource is still as it was before; look at it, or roll back"
SATISFIED = (State.COMPLIANT, State.NOT_APPLICABLE, State.EXEMPT)


class ItemAction(StrEnum):
    """Says what is to be done next for an item.

    An item is withdrawn when the remediation was cancelled before its first write, or while the result of that is
    unknown: nothing is written for it any more.
    """

    APPLY = "apply"
    VERIFY = "verify"
    RESTORE = "restore"
    ROLL_BACK = "rollBack"
    LEAVE = "leave"
    WITHDRAW = "withdraw"


_ACTIONS: Mapping[ItemOutcome, ItemAction] = {
    ItemOutcome.APPLYING: ItemAction.APPLY,
    ItemOutcome.APPLIED: ItemAction.VERIFY,
    ItemOutcome.ROLLING_BACK: ItemAction.RESTORE,
}
_WORKING = (RemediationStatus.APPLYING, RemediationStatus.CANCELLING, RemediationStatus.ROLLING_BACK)


def item_action(remediation: Remediation, item: RemediationItem, at: datetime) -> ItemAction | None:
    """Return what an item needs next at a time; None when there is nothing, or the cloud makes it wait."""
    if remediation.status not in _WORKING:
        return None
    if remediation.status != RemediationStatus.APPLYING and item.outcome == ItemOutcome.APPLYING and not item.applied:
        return ItemAction.WITHDRAW
    if item.waiting_until is not None and item.waiting_until > at:
        return ItemAction.LEAVE if item.begun and remediation.status == RemediationStatus.CANCELLING else None
    if item.outcome == ItemOutcome.PENDING:
        return ItemAction.APPLY if remediation.status == RemediationStatus.APPLYING else None
    if item.undoable and remediation.status == RemediationStatus.ROLLING_BACK:
        return ItemAction.ROLL_BACK if item.rollback < remediation.rollbacks else None
    return _ACTIONS.get(item.outcome)


@dataclass(frozen=True, slots=True)
class ObservedResource:
    """An operation, its resource as it is now, and the body that was there when the plan was made."""

    operation: PlannedOperation
    now: Snapshot | None
    before: Body | None

    @property
    def is_untouched(self) -> bool:
        """Return whether the resource is as it was when the plan was made, by its etag and by what it says."""
        if self.now is None:
            return self.operation.before is None
        return self.is_as_before and self.now.etag == self.operation.if_match

    @property
    def is_as_before(self) -> bool:
        """Return whether the resource says what it did when the plan was made."""
        return fingerprint(self.now.body if self.now else None) == self.operation.before

    @property
    def is_deleted(self) -> bool:
        """Return whether the resource was there when the plan was made, and is no more."""
        return self.now is None and self.operation.before is not None

    @property
    def is_as_planned(self) -> bool:
        """Return whether all that the plan changes is so, whatever else is."""
        return self.now is not None and holds(self.now.body, self.before, self.operation.target)


@dataclass(frozen=True, slots=True)
class BeforeWrite:
    """The resource was looked at before an operation.

    `outdated` names the planned policies that are not in force as they were planned, `exempt` those of which the
    resource has been exempted since.
    """

    seen: ObservedResource
    outdated: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The resource of an item that is written no more was looked at, as its first write may have been made."""

    seen: ObservedResource


@dataclass(frozen=True, slots=True)
class AfterWrite:
    """The write was made; the resource is as the cloud answered."""

    seen: ObservedResource


@dataclass(frozen=True, slots=True)
class WriteRefused:
    """The write was refused because the resource had changed, and the resource was looked at again."""

    seen: ObservedResource


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that was written was read again; `states` by policy key once the resource was judged again."""

    seen: tuple[ObservedResource, ...]
    policies: tuple[PlannedPolicy, ...]
    states: Mapping[str, State] | None = None


@dataclass(frozen=True, slots=True)
class Restoration:
    """What may have been written was read again; `restored`, once that was tried: whether all of it was put back."""

    seen: tuple[ObservedResource, ...]
    restored: bool | None = None


@dataclass(frozen=True, slots=True)
class ActionFailure:
    """An action failed."""

    action: ItemAction
    error: CortexError
    at: datetime


type Observation = (
    BeforeWrite | Withdrawal | AfterWrite | WriteRefused | Verification | Restoration | ActionFailure | ItemAction
)
"""What an action saw; the action itself where it needs no look at the resource."""
type ItemStepEvent = ItemApplying | ItemApplied | ItemDelayed | ItemRollingBack | ItemEnded


def step(remediation: Remediation, item: RemediationItem, observed: Observation) -> ItemStepEvent | None:
    """Return the event that follows from an observation.

    None where the action has to go on first: judge what is as planned, put back what is as this item left it.
    """
    match observed:
        case BeforeWrite():
            return _before_write(item, observed)
        case Withdrawal(seen):
            return _withdrawn(remediation, item, seen)
        case AfterWrite(seen):
            return _after_write(seen)
        case WriteRefused(seen):
            return _settled(item, seen, ItemOutcome.REFUSED, CHANGED)
        case Verification():
            return _verified(item, observed)
        case Restoration():
            return _restored(item, observed)
        case ActionFailure():
            return _failed(remediation, item, observed)
        case _:
            return _without_a_look(remediation, item, observed)


def _without_a_look(remediation: Remediation, item: RemediationItem, action: ItemAction) -> ItemStepEvent:
    if action == ItemAction.ROLL_BACK:
        return ItemRollingBack(rollback=remediation.rollbacks)
    if action == ItemAction.WITHDRAW:
        return ItemEnded(outcome=ItemOutcome.SKIPPED, reason=WITHDRAWN)
    return _left(item, item.reason)


def _before_write(item: RemediationItem, observed: BeforeWrite) -> ItemStepEvent:
    index, seen = len(item.applied), observed.seen
    if seen.is_untouched:
        if observed.outdated:
            return _unwanted(item, ItemOutcome.REFUSED, f"{', '.join(observed.outdated)}: {OUTDATED}")
        if observed.exempt:
            return _unwanted(item, ItemOutcome.SKIPPED, f"exempt since the plan was made: {', '.join(observed.exempt)}")
        return ItemApplying(operation=index)
    if item.current_operation == index:
        return _settled(item, seen, ItemOutcome.UNKNOWN, NEITHER)
    return _stopped(item, ItemOutcome.REFUSED, CHANGED)


def _withdrawn(remediation: Remediation, item: RemediationItem, seen: ObservedResource) -> ItemStepEvent:
    """End an item of which nothing was written; finish, or put back, what was."""
    is_rollback = remediation.status == RemediationStatus.ROLLING_BACK
    if not seen.is_as_before:
        return ItemRollingBack() if is_rollback else _settled(item, seen, ItemOutcome.UNKNOWN, NEITHER)
    # Before a rollback all have ended: a worker that began this late looks at the status before it writes.
    if is_rollback:
        return ItemEnded(outcome=ItemOutcome.SKIPPED, reason=WITHDRAWN)
    return _unwanted(item, ItemOutcome.SKIPPED, WITHDRAWN)


def _unwanted(item: RemediationItem, outcome: ItemOutcome, reason: str) -> ItemEnded:
    """End an item whose resource is as before; unknown where another worker may be writing it at this moment."""
    may_be_written = item.outcome == ItemOutcome.APPLYING and item.waiting_until is None
    if may_be_written:
        return ItemEnded(outcome=ItemOutcome.UNKNOWN, reason=f"{reason}; {UNDER_WAY}")
    return ItemEnded(outcome=outcome, reason=reason)


def _after_write(seen: ObservedResource) -> ItemApplied:
    ours = seen.now is not None and is_outcome(seen.now.body, seen.operation.target)
    return ItemApplied(fingerprint=fingerprint(seen.now.body) if seen.now and ours else None)


def _settled(item: RemediationItem, seen: ObservedResource, otherwise: ItemOutcome, reason: str) -> ItemStepEvent:
    """Decide from the resource whether a write with an unknown result was made."""
    if seen.now is None or not seen.is_as_planned:
        return _stopped(item, otherwise, reason)
    found = fingerprint(seen.now.body)
    return ItemApplied(fingerprint=found if found == seen.operation.after else None)


def _verified(item: RemediationItem, observed: Verification) -> ItemStepEvent | None:
    for seen in observed.seen:
        # Nothing but this was written, so that there is nothing to put back.
        if seen.is_as_before and len(item.applied) == 1:
            return ItemEnded(outcome=ItemOutcome.FAILED, reason=LOST)
        if seen.is_as_before:
            return ItemRollingBack(reason=LOST)
        if not seen.is_as_planned:
            return ItemEnded(outcome=ItemOutcome.UNKNOWN, reason=NEITHER)
    if observed.states is None:
        return None
    states = {each.name: observed.states.get(each.key, State.NOT_APPLICABLE) for each in observed.policies}
    unproven = {name: state for name, state in states.items() if state not in SATISFIED}
    if not unproven:
        return ItemEnded(outcome=ItemOutcome.DONE)
    told = ", ".join(f"{name} is {state}" for name, state in sorted(unproven.items()))
    if State.NON_COMPLIANT in unproven.values():
        return ItemRollingBack(reason=f"judged again after the change: {told}")
    return ItemEnded(outcome=ItemOutcome.UNKNOWN, reason=f"changed as planned, but not proven: {told}")


def _restored(item: RemediationItem, observed: Restoration) -> ItemStepEvent | None:
    if observed.restored is not None:
        ended = (ItemOutcome.ROLLED_BACK, "") if observed.restored else (ItemOutcome.UNKNOWN, NOT_RESTORED)
        return ItemEnded(outcome=ended[0], reason=ended[1])
    if all(seen.is_deleted or seen.is_as_before for seen in observed.seen):
        # Else it would stay to be rolled back for ever.
        is_deleted = any(seen.is_deleted for seen in observed.seen)
        return ItemEnded(outcome=ItemOutcome.SKIPPED, reason=DELETED) if is_deleted else None
    as_before = [seen.is_as_before or seen.is_deleted for seen in observed.seen]
    if all(as_before[index] or _is_ours(item, index, seen) for index, seen in enumerate(observed.seen)):
        return None
    # Where a part is as before, somebody has put it back in the meantime: the item is half of each.
    outcome = ItemOutcome.UNKNOWN if any(as_before) else item.outcome_before_rollback or ItemOutcome.UNKNOWN
    return ItemEnded(outcome=outcome, reason=NOT_OURS)


def _is_ours(item: RemediationItem, index: int, seen: ObservedResource) -> bool:
    """Return whether the resource is exactly as this item left it."""
    left = item.applied[index] if index < len(item.applied) else None
    return seen.now is not None and fingerprint(seen.now.body) in {seen.operation.after, left}


def _stopped(item: RemediationItem, outcome: ItemOutcome, reason: str) -> ItemStepEvent:
    """Go no further with the item: what it has written already is put back, else it ends."""
    if item.applied and item.outcome != ItemOutcome.ROLLING_BACK:
        return ItemRollingBack(reason=reason)
    return ItemEnded(outcome=outcome, reason=reason)


def _failed(remediation: Remediation, item: RemediationItem, failure: ActionFailure) -> ItemStepEvent:
    """Wait where the cloud is busy; where it refuses, the item ends, and the others go on."""
    error = failure.error
    # Before Unavailable, of which it is a kind: an answer that makes no sense makes no more after a wait.
    if isinstance(error, Malformed):
        return _stopped(item, given_up(item), error.message)
    if isinstance(error, Throttled | Unavailable):
        return _delayed(remediation, item, failure)
    # A lock is somebody's decision, and no reason to try again.
    if isinstance(error, Locked) and failure.action == ItemAction.APPLY:
        return _stopped(item, ItemOutcome.REFUSED, error.message)
    if isinstance(error, Conflict) and not isinstance(error, Locked) and item.attempts < BUSY_TRIES:
        return _delayed(remediation, item, failure)
    return _stopped(item, _refused(item, failure.action), error.message)


def _delayed(remediation: Remediation, item: RemediationItem, failure: ActionFailure) -> ItemStepEvent:
    """Try again later, unless somebody cancels; the seconds are the cloud's, or grow with the number of tries."""
    error, at = failure.error, failure.at
    if item.delayed_at is not None and at - item.delayed_at > GIVE_UP_AFTER:
        return ItemEnded(outcome=given_up(item), reason=f"given up after a day: {error.message}")
    if item.begun and remediation.status == RemediationStatus.CANCELLING:
        return _left(item, error.message)
    # A throttling cloud knows how long; any other wait doubles with each try.
    told = float(getattr(error, "retry_after", BUSY_SECONDS))
    wait = told if isinstance(error, Throttled) else max(told, min(WAIT_SECONDS, 2.0**item.attempts))
    return ItemDelayed(until=at + timedelta(seconds=wait), reason=error.message)


def _left(item: RemediationItem, waited_for: str) -> ItemEnded:
    """Leave an item as it is, because the remediation was cancelled while the item waited."""
    done = f"{len(item.applied)} of {len(item.operations)} operations were done and verified by nobody"
    reason = f"cancelled while it waited ({waited_for}): {done}; look at the resource, or roll back"
    return ItemEnded(outcome=ItemOutcome.UNKNOWN, reason=reason)


def given_up(item: RemediationItem) -> ItemOutcome:
    """Return how an item stands that is not tried any more: of one that was never begun, nothing was written."""
    return ItemOutcome.FAILED if item.outcome == ItemOutcome.PENDING else ItemOutcome.UNKNOWN


def _refused(item: RemediationItem, action: ItemAction) -> ItemOutcome:
    """Return how an item stands when the cloud refuses: what was not put back is as it was settled before."""
    if action == ItemAction.APPLY:
        return ItemOutcome.FAILED
    whole = action == ItemAction.RESTORE and len(item.operations) == 1
    return (item.outcome_before_rollback if whole else None) or ItemOutcome.UNKNOWN

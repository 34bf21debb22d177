"""Carry out an approved plan, one item at a time: apply, verify, restore; every step is safe to do twice.

What is about to be written is recorded before it is. A step that was killed is done again, and the resource itself
tells how far the last try came: as before, as planned, or as neither, which is never written over.
"""

from collections.abc import Callable, Mapping
from functools import partial

from shared.domain.body import fingerprint, holds, is_outcome, writable
from shared.domain.error import Conflict, Stale
from shared.domain.plan import Operation, Outcome
from shared.domain.verdict import State
from shared.ports.control import Control, Snapshot
from shared.services.estate import Store
from shared.services.work import Work, do

Judge = Callable[[str], Mapping[str, State]]
"""Reads a resource afresh, judges it, records what follows; the state for each policy that applies."""

CHANGED = "the resource is not as it was when the plan was made; plan again"
NEITHER = "the resource is neither as it was nor as planned: somebody else has changed it; look at it"
LOST = "the cloud accepted the write but the resource is as it was before"
NOT_OURS = "not rolled back: the resource has been changed since"
NOT_RESTORED = "the rollback was accepted but the resource is not as it was before; look at it"
SATISFIED = (State.COMPLIANT, State.NOT_APPLICABLE, State.EXEMPT)


def apply(remediation_id: str, number: int, *, store: Store, control: Control) -> float:
    """Do the next operation of an item, guarded by the state and the etag that the plan was made for."""
    return do("apply", remediation_id, number, store=store, control=control, how=_apply)


def verify(remediation_id: str, number: int, *, store: Store, control: Control, judge: Judge) -> float:
    """Read again what was written and judge it: the item is done, or is put back."""
    return do("verify", remediation_id, number, store=store, control=control, how=partial(_verify, judge=judge))


def restore(remediation_id: str, number: int, *, store: Store, control: Control, judge: Judge) -> float:
    """Put back what an item has changed, where it is still as the item left it."""
    return do("restore", remediation_id, number, store=store, control=control, how=partial(_restore, judge=judge))


def _apply(work: Work) -> float:
    index = len(work.item.applied)
    operation = work.planned().operations[index]
    begun = work.item.trying == index
    now = work.read(operation)
    if not _is_untouched(now, operation):
        return _settle(work, operation, now, Outcome.UNKNOWN, NEITHER) if begun else work.stop(Outcome.REFUSED, CHANGED)
    work = work.tell("itemApplying", operation=index)
    try:
        answer = _write(work, operation)
    except Stale:
        return _settle(work, operation, work.read(operation), Outcome.REFUSED, CHANGED)
    ours = answer is not None and is_outcome(answer.body, operation.target)
    work.tell("itemApplied", fingerprint=fingerprint(answer.body) if answer and ours else None)
    return 0.0


def _write(work: Work, operation: Operation) -> Snapshot | None:
    existed = operation.before is not None
    return work.control.write(
        tenant=work.store.tenant,
        method=operation.method,
        resource_id=operation.resource_id,
        api_version=operation.api_version,
        body=operation.body,
        if_match=operation.if_match or ("*" if existed else None),
    )


def _is_untouched(now: Snapshot | None, operation: Operation) -> bool:
    """Whether the resource is as it was when the plan was made, by its etag and by what it says."""
    if now is None:
        return operation.before is None
    return fingerprint(now.body) == operation.before and now.etag == operation.if_match


def _settle(work: Work, operation: Operation, now: Snapshot | None, otherwise: Outcome, reason: str) -> float:
    """A try came to an unknown end: find out from the resource whether the write was made."""
    if now is None or not holds(now.body, work.backup(operation), operation.target):
        return work.stop(otherwise, reason)
    ours = fingerprint(now.body)
    work.tell("itemApplied", fingerprint=ours if ours == operation.after else None)
    return 0.0


def _verify(work: Work, judge: Judge) -> float:
    planned = work.planned()
    for operation in planned.operations:
        now = work.read(operation)
        if _is_as_before(now, operation):
            return _lost(work)
        if now is None or not holds(now.body, work.backup(operation), operation.target):
            return work.end(Outcome.UNKNOWN, NEITHER)
    states = judge(planned.resource_id)
    unproven = {name: state for name in planned.policies if (state := _state(states, name)) not in SATISFIED}
    if not unproven:
        return work.end(Outcome.DONE)
    told = ", ".join(f"{name} is {state}" for name, state in sorted(unproven.items()))
    if State.NON_COMPLIANT in unproven.values():
        work.tell("itemRollingBack", reason=f"judged again after the change: {told}")
        return 0.0
    return work.end(Outcome.UNKNOWN, f"changed as planned, but not proven: {told}")


def _lost(work: Work) -> float:
    if len(work.item.applied) == 1:
        return work.end(Outcome.FAILED, LOST)
    work.tell("itemRollingBack", reason=LOST)
    return 0.0


def _state(states: Mapping[str, State], policy: str) -> State:
    return states.get(policy, State.NOT_APPLICABLE)


def _restore(work: Work, judge: Judge) -> float:
    planned = work.planned()
    found = [(operation, work.read(operation)) for operation in planned.operations[: (work.item.trying or 0) + 1]]
    restored = [_is_as_before(now, operation) for operation, now in found]
    if not all(restored[index] or _is_ours(work, index, *each) for index, each in enumerate(found)):
        return work.end(Outcome.UNKNOWN if any(restored) else work.item.settled or Outcome.UNKNOWN, NOT_OURS)
    for (operation, now), done in zip(reversed(found), reversed(restored), strict=True):
        if not done and not _put_back(work, operation, now):
            return work.end(Outcome.UNKNOWN, NOT_RESTORED)
    judge(planned.resource_id)
    return work.end(Outcome.ROLLED_BACK)


def _is_as_before(now: Snapshot | None, operation: Operation) -> bool:
    return fingerprint(now.body if now else None) == operation.before


def _is_ours(work: Work, index: int, operation: Operation, now: Snapshot | None) -> bool:
    """Whether the resource is exactly as this item left it."""
    if now is None:
        return False
    left = work.item.applied[index] if index < len(work.item.applied) else None
    return fingerprint(now.body) in {operation.after, left}


def _put_back(work: Work, operation: Operation, now: Snapshot | None) -> bool:
    """Write what was there before; whether it is there then. Conflict when somebody was faster: look again."""
    before = work.backup(operation)
    try:
        work.control.write(
            tenant=work.store.tenant,
            method="DELETE" if before is None else "PUT",
            resource_id=operation.resource_id,
            api_version=operation.api_version,
            body=None if before is None else writable(before),
            if_match=(now.etag or "*") if now else None,
        )
    except Stale as error:
        raise Conflict(error.message) from error
    return _is_as_before(work.read(operation), operation)

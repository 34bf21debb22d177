"""Look after the workflows of records that have not ended: send on, finish, start again, give up.

A workflow can be lost with its task hub, miss the message that somebody decided, or hang. Its record knows how far it
is, so that a reconciler can repair any of these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.domain import scan as scans
from shared.domain.error import CortexError, InvalidInput, NotFound
from shared.domain.progress import RESTART_ATTEMPTS, WorkflowAction, WorkflowRestarted, stuck_reason
from shared.domain.progress import next_action as decide
from shared.domain.remediation import Remediation
from shared.domain.remediation import RemediationStatus as Fixing
from shared.domain.scan import Scan
from shared.eventstore import aggregate, projection
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.queue import Queue
from shared.services import message
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.remediation import ending, progress
from shared.services.remediation import record as remediation
from shared.services.scan import scan

RESTART_QUEUE = "workflow-restarts"

type ReconciledRecord = Scan | Remediation


@dataclass(frozen=True, slots=True)
class Reconciler:
    """How the records of one kind are looked after. `decided`: statuses that somebody's decision leads to.

    `current` reads a record afresh, with what its parts came to that have records of their own.
    """

    kind: Stream[Any, Any]
    current: Callable[[str, Store], ReconciledRecord]
    queue: str
    decision_queue: str
    decided: tuple[str, ...]
    is_finished: Callable[[Any, Store], bool]
    finish: Callable[[str, Store, EffectivePolicies], object]
    give_up: Callable[[str, str, Store], object]


RECONCILERS: dict[type, Reconciler] = {
    Scan: Reconciler(
        kind=scan.STREAM,
        current=lambda scan_id, store: scan.current(scan_id, store=store),
        queue=scan.QUEUE,
        decision_queue=scan.DECISION_QUEUE,
        decided=(scans.ScanStatus.CANCELLING,),
        is_finished=lambda known, _store: (
            known.status == scans.ScanStatus.CANCELLING
            or (known.status == scans.ScanStatus.RUNNING and not known.unfinished)
        ),
        finish=lambda scan_id, store, policies: scan.finish(scan_id, store=store, policies=policies),
        give_up=lambda scan_id, reason, store: scan.fail(scan_id, reason, store=store),
    ),
    Remediation: Reconciler(
        kind=remediation.STREAM,
        current=lambda fix_id, store: remediation.find(fix_id, store=store),
        queue=remediation.QUEUE,
        decision_queue=remediation.DECISION_QUEUE,
        decided=(Fixing.APPROVED, Fixing.CANCELLING),
        is_finished=lambda known, store: progress.step_of(known, store=store).do == "finish",
        finish=lambda fix_id, store, policies: ending.finish(fix_id, store=store, policies=policies),
        give_up=lambda fix_id, reason, store: ending.abandon(fix_id, reason, store=store),
    ),
}


def reconcile(
    known: ReconciledRecord, *, store: Store, queue: Queue, policies: Callable[[Store], EffectivePolicies]
) -> WorkflowAction:
    """Do what is to be done about the workflow of a record that has not ended; what that was.

    Messages are sent again in any case: to start a workflow that is not there, and to wake one after a decision.
    """
    reconciler = RECONCILERS[type(known)]
    # Lists lag behind the stream: what is decided here is decided on the record itself.
    known = reconciler.current(known.id, store)
    action = decide(known, finished=reconciler.is_finished(known, store), now=store.now())
    if action == WorkflowAction.RESTART:
        if _restarted(known, reconciler, store):
            queue.send(RESTART_QUEUE, message.write(store, instance(known)))
        return action
    if action == WorkflowAction.FINISH:
        _finish(known, reconciler, store, policies)
    elif action == WorkflowAction.GIVE_UP:
        reconciler.give_up(known.id, stuck_reason(known), store)
    wake = action != WorkflowAction.LEAVE or known.status in reconciler.decided
    queue.send(reconciler.decision_queue if wake else reconciler.queue, message.write(store, known.id))
    return action


def instance(known: ReconciledRecord) -> str:
    """Return the id of a record's workflow: its kind, a hyphen, its id."""
    return f"{RECONCILERS[type(known)].kind.name}-{known.id}"


def find(instance_id: str, *, store: Store) -> ReconciledRecord:
    """Return the record of a workflow.

    Raises:
        InvalidInput: no workflow has such an id.
        NotFound: there is no such record, or it is not seen here yet.
    """
    name, _, thing = instance_id.partition("-")
    kinds = {reconciler.kind.name: reconciler.kind for reconciler in RECONCILERS.values()}
    if name not in kinds:
        raise InvalidInput(f"no workflow has an id like {instance_id[:80]}")
    found: ReconciledRecord | None = projection.current(kinds[name], thing, store=store)
    if found is None:
        raise NotFound(f"there is no record of workflow {instance_id[:80]}, or it is not seen here yet")
    return found


def _finish(
    known: ReconciledRecord, reconciler: Reconciler, store: Store, policies: Callable[[Store], EffectivePolicies]
) -> None:
    """Count the try, then end the record; the last try that fails gives it up with the reason of that."""
    if not _restarted(known, reconciler, store):
        return
    try:
        reconciler.finish(known.id, store, policies(store))
    except CortexError as error:
        if known.restarts + 1 < RESTART_ATTEMPTS:
            raise
        reconciler.give_up(known.id, f"its end could not be recorded: {error.message}", store)


def _restarted(known: ReconciledRecord, reconciler: Reconciler, store: Store) -> bool:
    """Record that the workflow is started again; False when the record has gone on in the meantime."""
    restarted = WorkflowRestarted(reason=stuck_reason(known), attempt=known.restarts + 1)
    after = aggregate.decide(
        reconciler.kind,
        known.id,
        lambda now: (restarted,) if now and now.sequence == known.sequence else (),
        store=store,
    )
    return bool(after.restarts > known.restarts)

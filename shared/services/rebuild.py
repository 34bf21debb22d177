"""Rebuild all documents of a tenant from its streams, or compare them with what the streams make.

The next generation of documents is made while the one in use is read and written; one conditional write puts it in use.
What was projected into the old one meanwhile is caught up before and after that. Every step is bounded, recorded and
safe to do twice, so that a rebuild that is killed goes on where it was.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared.domain.error import Conflict, NotFound, UnknownEvent
from shared.domain.rebuild import Rebuild, RebuildPhase, RebuildRequest, StoppedStream
from shared.eventstore import projection, stream
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream, sequence_of
from shared.ports.documents import Document, Query, write_unchanged
from shared.ports.generations import SETTLED_SECONDS, Generations
from shared.ports.queue import Queue
from shared.services import compliance, exemption, finding, message, poison, read_model
from shared.services.estate import estate, resource
from shared.services.import_job import import_job
from shared.services.policy import alias_listing
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.rebuild_record import KIND, LATEST_ID, MODEL
from shared.services.remediation import record as remediation
from shared.services.retention import retention
from shared.services.scan import scan, subscription_progress

STREAMS: dict[str, Stream[Any, Any]] = {
    each.name: each
    for each in (
        estate.STREAM,
        scan.STREAM,
        exemption.STREAM,
        import_job.STREAM,
        remediation.STREAM,
        remediation.ITEM_STREAM,
        alias_listing.STREAM,
        poison.STREAM,
        retention.STREAM,
    )
}
COMPARED_KINDS = tuple(
    sorted(
        {
            finding.KIND,
            resource.KIND,
            resource.CHANGE_KIND,
            subscription_progress.KIND,
            *(each.document_kind for each in STREAMS.values()),
        }
    )
)
"""The kinds that a check compares: all but the summary, which says when it was added up."""
REBUILT_KINDS = (*COMPARED_KINDS, compliance.KIND, projection.GAP_KIND)
QUEUE = "rebuild-requests"
STEP_DURATION = timedelta(seconds=60)
"""How long one step goes on; far below the five minutes a consumption plan allows."""
RETRY_INTERVAL = timedelta(minutes=1)
"""After so long, streams that hold an event which is not known are tried again."""
LISTED_ITEMS = 100
COMPARED_DOCUMENTS = 500


@dataclass(frozen=True, slots=True)
class RebuildStep:
    """What a step of a rebuild works with: the store as it is in use, and the same with the documents being made."""

    store: Store
    target: Store
    generations: Generations
    policies: Callable[[], EffectivePolicies]
    is_enough: Callable[[], bool]


def request(new_id: str, asked: RebuildRequest, *, store: Store, generations: Generations, queue: Queue) -> Rebuild:
    """Record that a rebuild is asked for, and send it on its way; Conflict while another has not ended."""
    found = _stored(store)
    known = MODEL.read(found.body) if found else None
    if known is not None and known.id == new_id:
        return known
    if known is not None and known.ended_at is None:
        queue.send(QUEUE, message.write(store, known.id))  # in case its message was lost
        raise Conflict(f"rebuild {known.id} is {known.phase}; wait for it")
    before = generations.current(tenant=store.tenant)
    made = Rebuild(
        id=new_id,
        check=asked.check,
        phase=RebuildPhase.PROJECTING,
        previous_generation=before,
        generation=max(before, known.generation if known else 0) + 1,
        requested_by=store.actor.name,
        requested_at=store.now(),
    )
    if not _write(made, found, store):
        raise Conflict("another rebuild was asked for at the same time; wait for it")
    queue.send(QUEUE, message.write(store, new_id))
    return made


def latest(*, store: Store) -> read_model.Stored[Rebuild]:
    """Find the rebuild that was asked for last; NotFound."""
    return read_model.get(MODEL, LATEST_ID, store=store)


def run(
    rebuild_id: str,
    *,
    store: Store,
    generations: Generations,
    queue: Queue,
    policies: Callable[[], EffectivePolicies],
) -> Rebuild:
    """Go on with a rebuild for a while; sends itself on its way until it has ended.

    Of two deliveries at once the one that records its step first goes on; the other's step was done twice.
    """
    found = _stored(store)
    if found is None or (known := MODEL.read(found.body)).id != rebuild_id:
        raise NotFound(f"there is no rebuild {rebuild_id}, or another one has followed it")
    if known.ended_at is not None:
        return known
    until = store.now() + STEP_DURATION
    target = replace(store, documents=generations.at(tenant=store.tenant, generation=known.generation))
    after, delay = _STEPS[known.phase](
        known, RebuildStep(store, target, generations, policies, lambda: store.now() >= until)
    )
    if not _write(after, found, store):
        return known
    if after.ended_at is None:
        queue.send(QUEUE, message.write(store, rebuild_id), delay=delay)
    return after


type StepResult = tuple[Rebuild, timedelta]
"""A rebuild after a step, and how long to wait before the next."""
NO_DELAY = timedelta(0)


def _pass(known: Rebuild, step: RebuildStep) -> tuple[Rebuild, bool]:
    """Project one stream after another; whether all were, so that the position is at the start again."""
    for name in stream.names(store=step.store):
        if name <= known.position:
            continue
        try:
            events, whole = _project(name, step.store, step.target, step.is_enough)
        except UnknownEvent as error:
            told = StoppedStream(stream=error.stream, sequence=error.sequence, type=error.type, version=error.version)
            events, whole = 0, True
            others = (each for each in known.stopped if each.stream != told.stream)
            known = known.model_copy(update={"stopped": (*others, told)[:LISTED_ITEMS]})
        known = known.model_copy(update={"events": known.events + events})
        if whole:
            known = known.model_copy(update={"position": name, "streams": known.streams + 1})
        if step.is_enough():
            return known, False
    return known.model_copy(update={"position": ""}), True


def _project(name: str, source: Store, target: Store, is_enough: Callable[[], bool]) -> tuple[int, bool]:
    """Project what of a stream is not projected yet; return how many events, and whether those were all."""
    kind, _, thing_id = name.partition(":")
    known = STREAMS.get(kind)
    if known is None:
        return 0, True
    before = projection.find(known, thing_id, store=target)
    if before is None and known.initial:
        before = known.initial(thing_id)
    after = projection.catch_up(known, thing_id, before, source=source, target=target, is_enough=is_enough)
    # `is_enough` may have ended it early: one look at the next event says whether anything is left.
    rest = next(stream.bodies(name, store=source, after=sequence_of(after)), None) if after is not None else None
    return sequence_of(after) - sequence_of(before), rest is None


def _projecting(known: Rebuild, step: RebuildStep) -> StepResult:
    after, whole = _pass(known, step)
    if not whole:
        return after, NO_DELAY
    return after.model_copy(update={"phase": RebuildPhase.CATCHING_UP, "stopped": (), "streams": 0}), NO_DELAY


def _catching_up(known: Rebuild, step: RebuildStep) -> StepResult:
    """Catch up with what came meanwhile, then switch. What is stopped is tried again, and nothing switched."""
    after, whole = _pass(known, step)
    if not whole:
        return after, NO_DELAY
    tenant, documents = step.store.tenant, step.target.documents
    total = documents.count(tenant=tenant, kind=projection.GAP_KIND, query=Query()).get("", 0)
    page = documents.query(tenant=tenant, kind=projection.GAP_KIND, query=Query(), limit=LISTED_ITEMS)
    after = after.model_copy(update={"gap_count": total, "gaps": tuple(each.id for each in page.items)})
    if after.check:
        return after.model_copy(update={"phase": RebuildPhase.COMPARING}), NO_DELAY
    if after.stopped:
        return after.model_copy(update={"phase": RebuildPhase.PROJECTING, "streams": 0}), RETRY_INTERVAL
    compliance.refresh(store=step.target, policies=step.policies())
    # Done already where this step was killed after the switch and before it was recorded.
    if step.generations.current(tenant=tenant) != after.generation:
        step.generations.switch(tenant=tenant, before=after.previous_generation, to=after.generation)
    return after.model_copy(update={"phase": RebuildPhase.SETTLING}), timedelta(seconds=SETTLED_SECONDS)


def _settling(known: Rebuild, step: RebuildStep) -> StepResult:
    """Catch up with what was projected into the old documents by processes that did not know of the switch yet."""
    # Counted afresh at the start of the pass only: a pass that goes on keeps what it has counted.
    after, whole = _pass(known.model_copy(update={"streams": 0} if not known.position else {}), step)
    if not whole:
        return after, NO_DELAY
    compliance.refresh(store=step.target, policies=step.policies())
    return after.model_copy(update={"phase": RebuildPhase.REMOVING}), NO_DELAY


def _comparing(known: Rebuild, step: RebuildStep) -> StepResult:
    """Compare the documents of one kind after another, some hundred at a time."""
    for kind in COMPARED_KINDS:
        # "~" sorts behind every id, so that a position of "kind~" stands for a kind that is done.
        while known.position < f"{kind}~":
            after = known.position.removeprefix(f"{kind}/") if known.position.startswith(f"{kind}/") else ""
            known = _compared(kind, after, known, step)
            if step.is_enough():
                return known, NO_DELAY
    return known.model_copy(update={"phase": RebuildPhase.REMOVING, "position": ""}), NO_DELAY


def _compared(kind: str, after: str, known: Rebuild, step: RebuildStep) -> Rebuild:
    """Compare the next documents of a kind, from both sides: what only one has differs too."""
    ours, last = _after(kind, after, step.target)
    theirs, other = _after(kind, after, step.store)
    # Both sides are compared up to where the shorter page ends: behind it one side has not been read.
    end = min((each for each in (last, other) if each), default="")
    ids = [each for each in sorted({*ours, *theirs}) if not end or each <= end]
    pairs = ((each, ours.get(each), theirs.get(each)) for each in ids)
    # What has gone on since it was made says nothing: of two documents, only those of one sequence are compared.
    different = [
        each
        for each, one, two in pairs
        if one is None or two is None or (one.get("sequence") == two.get("sequence") and one != two)
    ]
    counts = {**known.different, kind: known.different.get(kind, 0) + len(different)}
    return known.model_copy(
        update={
            "position": f"{kind}/{end}" if end else f"{kind}~",
            "compared": known.compared + len(ids),
            "different": {name: number for name, number in counts.items() if number},
            "first_different": (*known.first_different, *(f"{kind} {each}" for each in different))[:LISTED_ITEMS],
        }
    )


def _after(kind: str, after: str, store: Store) -> tuple[dict[str, Mapping[str, Any]], str]:
    """Return the next documents by id, and the last of the ids where there are more."""
    page = store.documents.query(tenant=store.tenant, kind=kind, query=Query(after=after), limit=COMPARED_DOCUMENTS)
    found = {each.id: each.body for each in page.items}
    return found, page.items[-1].id if page.cursor and page.items else ""


def _removing(known: Rebuild, step: RebuildStep) -> StepResult:
    """Remove the generation that nobody goes by."""
    # A check leaves the old generation in use, and so removes the one that it has made.
    generation = known.generation if known.check else known.previous_generation
    tenant = step.store.tenant
    documents = step.generations.at(tenant=tenant, generation=generation)
    for kind in REBUILT_KINDS:
        # Always the first page: what it held is removed by the time the next one is read.
        while page := documents.query(tenant=tenant, kind=kind, query=Query(), limit=COMPARED_DOCUMENTS).items:
            for each in page:
                documents.delete(tenant=tenant, kind=kind, id=each.id)
                if step.is_enough():
                    return known, NO_DELAY
    return known.model_copy(update={"phase": RebuildPhase.COMPLETED, "ended_at": step.store.now()}), NO_DELAY


_STEPS: Mapping[RebuildPhase, Callable[[Rebuild, RebuildStep], StepResult]] = {
    RebuildPhase.PROJECTING: _projecting,
    RebuildPhase.CATCHING_UP: _catching_up,
    RebuildPhase.COMPARING: _comparing,
    RebuildPhase.SETTLING: _settling,
    RebuildPhase.REMOVING: _removing,
}


def _stored(store: Store) -> Document | None:
    return store.documents.get(tenant=store.tenant, kind=KIND, id=LATEST_ID)


def _write(wanted: Rebuild, before: Document | None, store: Store) -> bool:
    """Record how far it is; False when somebody else has since it was read."""
    return write_unchanged(
        wanted.model_dump(mode="json"), before, documents=store.documents, tenant=store.tenant, kind=KIND, id=LATEST_ID
    )

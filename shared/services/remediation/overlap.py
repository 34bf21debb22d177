"""What an open remediation is about already, so that no second one writes its resources or fixes its findings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched

from shared.domain.arm_id import parent_of
from shared.domain.error import Underway
from shared.domain.finding import Finding, resource_key
from shared.domain.item import BEGUN, UNDOABLE, ItemOutcome, RemediationItem
from shared.domain.remediation import FindingSelection, Remediation, RemediationStatus, is_held
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.services.remediation import record, selection

TOLD_FINDINGS = 5
_HELD: Mapping[str, tuple[str, ...]] = {"outcome": tuple(map(str, (ItemOutcome.PENDING, *BEGUN, *UNDOABLE)))}
_UNPLANNED = (RemediationStatus.REQUESTED, RemediationStatus.PLANNING)


def holder(resource_ids: Iterable[str], but: str, *, store: Store) -> Remediation | None:
    """Return the open remediation, other than `but`, that is to write one of these resources."""
    written = {resource_key(each): each for each in resource_ids}
    # A fix of a resource may write what belongs to it: whoever writes a child looks for items of its parents too.
    about = {*written, *(resource_key(above) for each in written.values() for above in _parents(each))}
    held = _held(Query(equals={**_HELD, "resource": tuple(about)}), store)
    others = ((item, known) for item, known in held if known.id != but)
    return next((known for item, known in others if not written.keys().isdisjoint(item.resources)), None)


def check(asked: FindingSelection, *, store: Store) -> None:
    """Raise Underway for named findings of which one is in an open remediation, or a filter whose findings all are.

    Where some of a filter are free, planning leaves out the others, with the reason.
    """
    if asked.filter is None:
        if taken := _taken(list(selection.named(asked.findings, store)), store):
            raise _error(taken, "$.findings")
        return
    taken = {}
    for some in batched(selection.chosen(asked.filter, store=store), selection.FINDING_BATCH, strict=False):
        taken |= _taken(some, store)
        if not all(each.id in taken for each in some):
            return
    if taken:
        raise _error(taken, "$.filter")


def reason(known: Remediation) -> str:
    """Return why a resource that a remediation holds is left to it."""
    return f"remediation {known.id}, which is {known.status}, is about this resource: wait for its end, or cancel it"


def _taken(findings: Sequence[Finding], store: Store) -> dict[str, Remediation]:
    """Return the open remediation of each finding that is in one."""
    taken: dict[str, Remediation] = {}
    for some in batched(dict.fromkeys(each.resource for each in findings), selection.FINDING_BATCH, strict=False):
        for item, known in _held(Query(equals={**_HELD, "resource": some}), store):
            taken |= dict.fromkeys(item.findings, known)
    query = Query(equals={"status": tuple(map(str, _UNPLANNED))})
    for document in each_document(record.STREAM.name, query, documents=store.documents, tenant=store.tenant):
        known = record.MODEL.read(document.body)
        chosen = selection.chooses(known, store=store)
        # What lies before the position has an item, or was left out.
        later = (each for each in findings if each.resource > known.position)
        taken |= {each.id: known for each in later if chosen(each)}
    return {each.id: taken[each.id] for each in findings if each.id in taken}


def _held(query: Query, store: Store) -> Iterator[tuple[RemediationItem, Remediation]]:
    """Yield the items of a query that open remediations hold, with those."""
    for document in each_document(record.ITEM_STREAM.name, query, documents=store.documents, tenant=store.tenant):
        item = record.ITEM_MODEL.read(document.body)
        known = record.find(item.remediation, store=store)
        if is_held(item, known):
            yield item, known


def _parents(resource_id: str) -> Iterator[str]:
    while above := parent_of(resource_id):
        yield above
        resource_id = above


def _error(taken: Mapping[str, Remediation], path: str) -> Underway:
    known = next(iter(taken.values()))
    names = ", ".join(sorted(taken)[:TOLD_FINDINGS])
    more = f" and {len(taken) - TOLD_FINDINGS:,} more" if len(taken) > TOLD_FINDINGS else ""
    message = f"remediation {known.id}, which is {known.status}, has not ended and is about {names}{more}"
    return Underway(f"{message}: wait for its end, or cancel it", remediation=known.id, path=path)

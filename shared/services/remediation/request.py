"""Ask for findings to be fixed."""

from shared.domain.error import Conflict
from shared.domain.remediation import ACTIVE, Remediation, RemediationRequest
from shared.domain.remediation_event import RemediationRequested
from shared.eventstore import projection
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.remediation import overlap, record, selection


def request(remediation_id: str, asked: RemediationRequest, *, store: Store, queue: Queue) -> Remediation:
    """Record a request and send it on its way; the same id a second time returns the existing one.

    Errors: as for a preview; Conflict when the id belongs to another request; Underway when an open remediation is
    about one of the findings that are named, or about all that a filter chooses.
    """
    known = projection.current(record.STREAM, remediation_id, store=store)
    if known is None:
        matched = selection.preview(asked, store=store)
        selection.check(matched)
        overlap.check(asked, store=store)
        # Ids are kept in a blob: the record of a remediation has one size, however many findings it is about.
        ids = None if asked.filter else selection.keep(asked.findings, remediation_id, store=store)
        told = RemediationRequested(finding_count=matched.findings, filter=asked.filter, selection=ids, note=asked.note)
        known = record.decide(remediation_id, lambda now: () if now else (told,), store)
    elif _is_other(asked, known, remediation_id, store):
        raise Conflict(f"remediation {remediation_id} is for other findings; take a new id")
    if known.status in ACTIVE:
        record.send(remediation_id, store=store, queue=queue)
    return known


def _is_other(asked: RemediationRequest, known: Remediation, remediation_id: str, store: Store) -> bool:
    if asked.filter is not None or not asked.findings:
        return asked.filter != known.filter
    return selection.keep(asked.findings, remediation_id, store=store) != known.selection

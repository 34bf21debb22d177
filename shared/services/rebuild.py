"""Rebuild all documents of a tenant from its streams: after a loss, or to prove that nothing else feeds them."""

from typing import Any

from shared.domain.estate import Posture
from shared.services import compliance, estate, exemption, listing, record, remediation, scan, stream, transfer
from shared.services.estate import Store
from shared.services.policy import Book

KINDS: dict[str, record.Kind[Any]] = {
    each.name: each for each in (scan.KIND, exemption.KIND, transfer.KIND, remediation.KIND, listing.KIND)
}


def rebuild(*, source: Store, target: Store, book: Book) -> int:
    """Read the streams of `source` and project them into `target`; how many streams there were.

    The target's documents should be empty; its blobs must hold what the events refer to.
    """
    names = stream.streams(documents=source.documents, tenant=source.tenant)
    for name in names:
        _replay(name, source, target)
    compliance.refresh(store=target, book=book)
    return len(names)


def _replay(name: str, source: Store, target: Store) -> None:
    kind, _, thing = name.partition(":")
    events = stream.read(documents=source.documents, tenant=source.tenant, stream=name)
    if kind == "estate":
        known = Posture(subscription=thing)
        for event in events:
            known = estate.project(target, known, event)
    elif kind in KINDS:
        record.project(KINDS[kind], None, list(events), documents=target.documents, tenant=target.tenant)

"""Keep and read the compliance summary: stored when a scan ends or something is judged anew, read as one document."""

from collections.abc import Mapping
from typing import Any

from shared.domain.compliance import Summary, TrendPoint, summarize
from shared.domain.estate import Posture
from shared.domain.scan import Status
from shared.ports.documents import Query
from shared.services import estate, finding
from shared.services.estate import Store
from shared.services.policy import Book

KIND = "summary"
TENANT = "tenant"


def refresh(*, store: Store, book: Book) -> Summary:
    """Add up all postures and store the summary."""
    open_ones = Query(equals={"open": True})
    severities = store.documents.count(tenant=store.tenant, kind=finding.KIND, query=open_ones, by="severity")
    summary = summarize(postures(store), book.entries, severities, store.now())
    store.documents.put(tenant=store.tenant, kind=KIND, id=TENANT, body=summary.model_dump(mode="json"))
    return summary


def summary(*, store: Store) -> Summary | None:
    """The stored summary; None before the first scan has ended."""
    document = store.documents.get(tenant=store.tenant, kind=KIND, id=TENANT)
    return Summary.model_validate(document.body) if document else None


def trend(*, store: Store, limit: int = 90) -> list[TrendPoint]:
    """The totals of the latest scans that ended, oldest first."""
    ended = {"status": (Status.COMPLETED.value, Status.PARTIAL.value)}
    latest = Query(equals=ended, order="endedAt", descending=True)
    page = store.documents.query(tenant=store.tenant, kind="scan", query=latest, limit=limit)
    return [_point(each.body) for each in reversed(page.items)]


def _point(scan: Mapping[str, Any]) -> TrendPoint:
    return TrendPoint.model_validate({**(scan["totals"] or {}), "at": scan["endedAt"], "scan": scan["id"]})


def postures(store: Store) -> list[Posture]:
    """The postures of all subscriptions."""
    found: list[Posture] = []
    cursor: str | None = None
    while True:
        page = store.documents.query(tenant=store.tenant, kind=estate.POSTURE, query=Query(), limit=1000, cursor=cursor)
        found.extend(Posture.model_validate(each.body) for each in page.items)
        cursor = page.cursor
        if cursor is None:
            return found

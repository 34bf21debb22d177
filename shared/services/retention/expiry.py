"""Find the documents that have been kept long enough: one rule for each kind that would grow for ever."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from shared.domain import exemption as exemptions
from shared.domain import import_job as import_jobs
from shared.domain import remediation as remediations
from shared.domain import scan as scans
from shared.domain.remediation import Remediation
from shared.domain.retention import Retention
from shared.domain.timestamp import BEGINNING, parse_time
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.services import exemption, finding, poison
from shared.services.estate import resource
from shared.services.import_job import import_job
from shared.services.remediation import record as remediation
from shared.services.scan import scan, subscription_progress

PAGE_DOCUMENTS = 500


@dataclass(frozen=True, slots=True)
class ExpiredDocument:
    """A document that has been kept long enough, and its version when that was found."""

    kind: str
    id: str
    etag: str


def _scan_is_over(body: Mapping[str, Any], store: Store) -> bool:
    """Return whether the scan that a record of its progress belongs to has ended, or was removed itself."""
    found = store.documents.get(tenant=store.tenant, kind=scan.STREAM.name, id=body["scan"])
    return found is None or found.body["endedAt"] is not None


def cannot_roll_back(body: Mapping[str, Any], _store: Store) -> bool:
    """Return whether nothing of a remediation can be rolled back; False for one that cannot be read."""
    try:
        return not Remediation.model_validate(body).undoable
    except ValidationError:
        return False


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Documents of `kind` that match `equals` expire some days after their time `by`; `setting` says how many.

    Without a setting, `by` is the time at which they expire. `fits` may keep each of them. Documents of the kind that
    `part` names first, whose member that it names second is the id of one, expire before it.
    """

    setting: str | None
    kind: str
    by: str
    equals: Mapping[str, Any] = field(default_factory=dict)
    fits: Callable[[Mapping[str, Any], Store], bool] = lambda _body, _store: True
    part: tuple[str, str] | None = None

    def aged(self, retention: Retention, store: Store) -> Iterator[ExpiredDocument]:
        """Yield the expired documents, the oldest first."""
        days = 0 if self.setting is None else getattr(retention, self.setting)
        if self.setting is not None and days == 0:
            return
        before = store.now() - timedelta(days=days)
        query = Query(equals=self.equals, order=self.by)
        walked = each_document(self.kind, query, documents=store.documents, tenant=store.tenant, batch=PAGE_DOCUMENTS)
        for each in walked:
            at = parse_time(each.body[self.by])
            if at == BEGINNING:  # not a time: nobody knows when it expires
                continue
            if at >= before:
                return
            if self.fits(each.body, store):
                if self.part:  # parts first: a run that is cut short leaves a thing without parts, never the reverse
                    kind, member = self.part
                    whole = Query(equals={member: each.id})
                    parts = each_document(kind, whole, documents=store.documents, tenant=store.tenant)
                    yield from (ExpiredDocument(kind, part.id, part.etag) for part in parts)
                yield ExpiredDocument(self.kind, each.id, each.etag)


def _others(statuses: type, active: Sequence[Any]) -> Mapping[str, Any]:
    """Return the condition that a thing has ended."""
    return {"status": tuple(str(each) for each in statuses if each not in active)}  # type: ignore[attr-defined]


RETENTION_RULES = (
    RetentionRule("changes", resource.CHANGE_KIND, "at"),
    RetentionRule("resources", resource.KIND, "changedAt", {"gone": True}),
    RetentionRule("findings", finding.KIND, "changedAt", {"open": False}),
    RetentionRule("scans", scan.STREAM.name, "endedAt", _others(scans.ScanStatus, scans.ACTIVE_STATUSES)),
    RetentionRule("scans", subscription_progress.KIND, "at", fits=_scan_is_over),
    RetentionRule(
        "imports", import_job.STREAM.name, "endedAt", _others(import_jobs.ImportStatus, import_jobs.ACTIVE_STATUSES)
    ),
    RetentionRule(
        "exemptions",
        exemption.STREAM.name,
        "endedAt",
        _others(exemptions.ExemptionStatus, (exemptions.ExemptionStatus.ACTIVE,)),
    ),
    RetentionRule(
        "remediations",
        remediation.STREAM.name,
        "endedAt",
        _others(remediations.RemediationStatus, remediations.ACTIVE),
        cannot_roll_back,
        part=(remediation.ITEM_STREAM.name, remediation.STREAM.name),
    ),
    RetentionRule("poison", poison.STREAM.name, "at"),
    RetentionRule(None, "idempotency", "expiresAt"),
)

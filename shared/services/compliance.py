"""Keep and read the compliance summary: stored when a scan ends or a resource is judged again, read as one document."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.domain.compliance import ComplianceSummary, PolicyDescription, TrendPoint, summarize
from shared.domain.error import NotFound
from shared.domain.identity import Role
from shared.domain.inventory import Gap
from shared.domain.scan import ScanStatus
from shared.domain.verdict import State
from shared.eventstore.store import Store
from shared.ports.documents import Document, Query, write_unchanged
from shared.services import finding, read_model
from shared.services.estate import estate
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.read_model import Stored
from shared.services.shared_run import SharedRun

KIND = "summary"
TENANT_ID = "tenant"
MODEL = read_model.ReadModel(KIND, ComplianceSummary)
LISTED_SCANS = 10
"""Scans that are searched for the last one that listed the subscriptions."""
_REFRESHES = SharedRun(pause_seconds=1.0)


def refresh(*, store: Store, policies: EffectivePolicies) -> ComplianceSummary:
    """Add up all estates and store the summary.

    A summary never overwrites one that was added up later. Whoever finds that two others were stored meanwhile leaves
    the second as it is: it was begun after this one, and so has all that this one would.
    """
    # Two attempts, not one: a first writer that got in between may have begun before the change that this one is for.
    for _ in range(2):
        before = store.documents.get(tenant=store.tenant, kind=KIND, id=TENANT_ID)
        opened = _open_by_severity(store, {})
        latest = Query(order="requestedAt", descending=True)
        scans = store.documents.query(tenant=store.tenant, kind="scan", query=latest, limit=LISTED_SCANS)
        # The gaps of the list of subscriptions are those of the scan that last read it, by their scope, the root.
        listed = next((each.body for each in scans.items if each.body["startedAt"]), None)
        gaps = [Gap.model_validate(gap) for gap in (listed["gaps"] if listed else ()) if gap["scope"] == "/"]
        summary = summarize(estate.every(store), _described(policies), **opened, gaps=gaps, at=store.now())
        body = summary.model_dump(mode="json")
        if write_unchanged(body, before, documents=store.documents, tenant=store.tenant, kind=KIND, id=TENANT_ID):
            return summary
    stored = store.documents.get(tenant=store.tenant, kind=KIND, id=TENANT_ID)
    return ComplianceSummary.model_validate(stored.body) if stored else summary


def refresh_soon(*, store: Store, policies: EffectivePolicies) -> None:
    """Do as `refresh`, at most once a second, or leave it to another thread that is about to: for bursts of changes.

    Whoever asks must ask again if it dies, as a queue's message does.
    """
    _REFRESHES.ensure(store.documents, store.tenant, lambda: refresh(store=store, policies=policies))


def _open_by_severity(store: Store, conditions: Mapping[str, Any]) -> dict[str, Mapping[str, int]]:
    """Count the open findings by severity: the violations, and apart from them what is unknown or an error."""
    states = {"severities": (State.NON_COMPLIANT,), "unknown": (State.UNKNOWN, State.ERROR)}
    asked = {name: Query(equals={"open": True, "state": wanted, **conditions}) for name, wanted in states.items()}
    return {
        name: store.documents.count(tenant=store.tenant, kind=finding.KIND, query=query, by="severity")
        for name, query in asked.items()
    }


def _described(policies: EffectivePolicies) -> dict[str, PolicyDescription]:
    """Return what the summary says of each policy in force, by its key."""
    return {
        each.key: PolicyDescription(
            policy=entry.name,
            assignment=each.assignment_id,
            reference=each.reference,
            initiative=each.initiative,
            title=entry.display_name,
            severity=str(entry.severity),
            category=entry.category,
        )
        for each in policies.compiled.policies
        for entry in (policies.entry(each),)
    }


def summary(*, store: Store, policies: Callable[[], EffectivePolicies]) -> Stored[ComplianceSummary]:
    """Find the summary of what the caller may see; NotFound before the first scan has ended.

    That of the whole tenant is stored; for some of its subscriptions it is added up.
    """
    allowed = store.caller.subscriptions(Role.READER)
    if allowed is None:
        found = of_tenant(store=store)
    elif known := [each for each in estate.every(store) if each.subscription in allowed]:
        opened = _open_by_severity(store, {"subscription": tuple(sorted(allowed))})
        made = summarize(known, _described(policies()), **opened, gaps=(), at=store.now())
        found = Stored(Document(TENANT_ID, {}, ""), lambda _: made)
    else:
        found = None
    if found is None:
        raise NotFound("no scan has ended yet; start one with `cortex scan start`, or POST /api/v1/scans")
    return found


def of_tenant(*, store: Store) -> Stored[ComplianceSummary] | None:
    """Find the summary of the whole tenant; None before the first scan has ended."""
    return read_model.find(MODEL, TENANT_ID, store=store)


def trend(*, store: Store, limit: int = 90) -> list[TrendPoint]:
    """Read the totals of the latest scans that ended, the oldest first."""
    store.caller.require_tenant(Role.READER)
    ended = {"status": (ScanStatus.COMPLETED.value, ScanStatus.PARTIAL.value)}
    latest = Query(equals=ended, order="endedAt", descending=True)
    page = store.documents.query(tenant=store.tenant, kind="scan", query=latest, limit=limit)
    # The latest were asked for, and a trend is read from the left.
    scans = (each.body for each in reversed(page.items))
    return [
        TrendPoint.model_validate({**(scan["totals"] or {}), "at": scan["endedAt"], "scan": scan["id"]})
        for scan in scans
    ]

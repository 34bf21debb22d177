"""The home page: compliance, running jobs, latest findings; it needs a session of the browser."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request, Response

from functions.api.http.access import RequestContext
from functions.api.http.route import make_router
from functions.pages import page, session
from functions.pages.sparkline import Sparkline, draw_sparkline
from shared import bootstrap
from shared.bootstrap import Ports
from shared.domain import import_job as imports
from shared.domain import remediation as remediations
from shared.domain import scan as scans
from shared.domain.compliance import ComplianceSummary
from shared.domain.error import Forbidden, Unauthenticated
from shared.domain.finding import FindingListing
from shared.domain.identity import Caller
from shared.domain.import_job import ImportListing
from shared.domain.page import Page
from shared.domain.policy import Severity
from shared.domain.remediation import RemediationListing
from shared.domain.scan import ScanListing
from shared.eventstore.store import Store
from shared.services import compliance, finding, framework
from shared.services.import_job import import_job
from shared.services.remediation import query as remediation
from shared.services.scan import scan

router = make_router("Pages", prefix="")

FINDING_ITEMS = 12
ACTIVE_ITEMS = 5
GAP_ITEMS = 5
SCOPE_ITEMS = 20
TREND_POINTS = 60


@router.get("/", include_in_schema=False)
def home(request: Request) -> Response:
    """Return the home page, or the form that asks for a token."""
    try:
        caller = session.caller_of(request)
    except (Unauthenticated, Forbidden):
        return session.sign_in_form(request)
    shown = page_context(request.app.state.ports, caller, request.state.correlation)
    return page.ok(request, "home.html", {**shown, "form_token": session.form_token(request)})


@router.get("/tour", include_in_schema=False)
def tour(request: Request) -> Response:
    """Return the tour with curl, with the address of the settings; the request cannot choose it."""
    script = (page.TEMPLATE_FOLDER / "tour.sh").read_text(encoding="utf-8")
    return page.ok(
        request,
        "tour.html",
        {"script": script.replace(bootstrap.LOCAL_ADDRESS, bootstrap.address() or bootstrap.LOCAL_ADDRESS)},
    )


def page_context(ports: Ports, caller: Caller, correlation: str) -> dict[str, Any]:
    """Return the variables of the page for the caller's tenant, from point reads and short pages only."""
    access = RequestContext(caller, ports, correlation)
    store = access.store
    found = compliance.of_tenant(store=store)
    # A scan that found nothing leaves a summary of zeros: what to do next says more.
    known = found.model if found and (found.model.resources or found.model.gap_count) else None
    summary = known.model_dump(mode="json") if known else None
    return {
        "problem": "" if known else _scan_problem(store),
        "caller": caller,
        "gaps": summary["gaps"][:GAP_ITEMS] if summary else [],
        "summary": summary,
        "scopes": _scopes(summary),
        "severities": _severities(summary),
        "frameworks": _frameworks(known, access) if known else [],
        "sparkline": _trend(store),
        "scans": _as_json(scan.list_(ScanListing(status=scans.ACTIVE_STATUSES, limit=ACTIVE_ITEMS), store=store)),
        "remediations": _as_json(
            remediation.list_(RemediationListing(status=remediations.ACTIVE, limit=ACTIVE_ITEMS), store=store)
        ),
        "imports": _as_json(
            import_job.list_(ImportListing(status=imports.ACTIVE_STATUSES, limit=ACTIVE_ITEMS), store=store)
        ),
        "findings": _findings(access),
    }


def _scan_problem(store: Store) -> str:
    """Return why the latest scan has ended without anything to show; "" when there is none or it is under way."""
    latest = scan.list_(ScanListing(limit=1), store=store).items
    return latest[0].reason if latest and latest[0].ended_at else ""


def _findings(access: RequestContext) -> list[Mapping[str, Any]]:
    """Return the latest findings, with what brings a policy of which several are shown."""
    latest = FindingListing(open=True, limit=FINDING_ITEMS, order="changedAt")
    found = _as_json(finding.list_(latest, store=access.store, policies=lambda: access.policies))
    brought = Counter(
        policy for policy, *_ in {(each["policy"], each["assignment"], each["reference"]) for each in found}
    )
    return [
        {**each, "by": f"{each['assignment'].rpartition('/')[2]}/{each['reference'] or each['policy']}"}
        if brought[each["policy"]] > 1
        else {**each, "by": ""}
        for each in found
    ]


def _scopes(summary: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    """Return the subscriptions when something could not be read, those with the oldest data first."""
    if not summary or not summary["gapCount"]:
        return []
    found = [{**each, "displayName": each["displayName"] or key} for key, each in summary["scopes"].items()]
    return sorted(found, key=lambda each: each["asOf"] or "")[:SCOPE_ITEMS]


def _severities(summary: Mapping[str, Any] | None) -> list[tuple[str, int, float]]:
    """Return (severity, open findings, percentage of the most frequent) for each severity, worst first."""
    counts = summary["openBySeverity"] if summary else {}
    most = max([*counts.values(), 1])
    return [(str(each), counts.get(each, 0), 100 * counts.get(each, 0) / most) for each in Severity]


def _frameworks(known: ComplianceSummary, access: RequestContext) -> list[Mapping[str, Any]]:
    """Return the frameworks by their short titles."""
    found = framework.summaries(known, catalog=access.ports.catalog, policies=access.policies)
    return [{**each.model_dump(mode="json"), "title": each.title.partition(",")[0]} for each in found]


def _trend(store: Store) -> Sparkline | None:
    scores = [each.score for each in compliance.trend(store=store, limit=TREND_POINTS)]
    return draw_sparkline([score for score in scores if score is not None])


def _as_json(found: Page[Any]) -> list[Mapping[str, Any]]:
    return [each.model_dump(mode="json") for each in found.items]

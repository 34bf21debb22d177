"""The first page: how things stand, what is at work, what was found last; behind a session of the browser."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from functions.api import page
from functions.api.access import Caller
from functions.api.body import bounded
from functions.api.envelope import is_secure
from functions.api.route import router as make_router
from functions.api.spark import Spark, draw
from shared.bootstrap import Ports
from shared.domain import remediation, scan, transfer
from shared.domain.error import Forbidden, Unauthenticated
from shared.domain.identity import Principal, Role
from shared.domain.policy import Severity
from shared.ports.documents import Document, Query
from shared.services import compliance, finding

router = make_router("Pages", prefix="")

ADDRESS = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?")
COOKIE = "cortex_session"
LOCAL = "127.0.0.1:7071"
FORM = 16_384
LATEST = 12
WORK = 5
POINTS = 60


@router.get("/", include_in_schema=False)
def home(request: Request) -> Response:
    """The first page, or the form that asks for a token."""
    ports: Ports = request.app.state.ports
    try:
        principal = _principal(ports, request.cookies.get(COOKIE, ""))
    except (Unauthenticated, Forbidden):
        return page.ok(request, "session.html", {"refused": False}, headers={"cache-control": "no-store"})
    return page.ok(request, "home.html", parts(ports, principal, request.state.correlation))


@router.post("/session", include_in_schema=False)
async def session_start(request: Request) -> Response:
    """Keep the token of the form in a cookie that scripts cannot read and that other sites cannot send."""
    ports: Ports = request.app.state.ports
    token = await _token(request)
    try:
        principal = _principal(ports, token)
    except (Unauthenticated, Forbidden):
        return page.ok(request, "session.html", {"refused": True}, status=401, headers={"cache-control": "no-store"})
    seconds = int((principal.expires_at - ports.now()).total_seconds())
    return _home(request, token, seconds)


@router.post("/session/end", include_in_schema=False)
async def session_end(request: Request) -> Response:
    """Forget the token."""
    _check_site(request)
    return _home(request, "", 0)


@router.get("/tour", include_in_schema=False)
def tour(request: Request) -> Response:
    """The tour with curl, against the address it was asked at."""
    script = (page.FOLDER / "tour.sh").read_text(encoding="utf-8")
    asked = request.headers.get("host", "")
    here = asked if ADDRESS.fullmatch(asked) else LOCAL
    return page.ok(request, "tour.html", {"script": script.replace(LOCAL, here)})


@router.get("/style.css", include_in_schema=False)
async def style(request: Request) -> Response:
    """The style sheet of the pages."""
    return page.asset(request, "style.css", "text/css; charset=utf-8")


@router.get("/icon.svg", include_in_schema=False)
async def icon(request: Request) -> Response:
    """The icon of the pages."""
    return page.asset(request, "icon.svg", "image/svg+xml")


def parts(ports: Ports, principal: Principal, correlation: str) -> dict[str, Any]:
    """What the page shows of the principal's tenant: point reads and short pages, nothing that grows."""
    tenant = principal.tenant
    stored = ports.documents.get(tenant=tenant, kind=compliance.KIND, id=compliance.TENANT)
    summary = stored.body if stored else None
    return {
        "principal": principal,
        "summary": summary,
        "severities": _severities(summary),
        "frameworks": _frameworks(summary, ports),
        "spark": _trend(ports, principal, correlation),
        "scans": _active(ports, tenant, "scan", scan.ACTIVE),
        "remediations": _active(ports, tenant, "remediation", remediation.ACTIVE),
        "imports": _active(ports, tenant, "import", transfer.ACTIVE),
        "findings": _latest(ports, tenant),
    }


def _principal(ports: Ports, token: str) -> Principal:
    principal = ports.identity.authenticate(token)
    if not principal.may(Role.READER):
        raise Forbidden("this needs the role 'reader'", permission=str(Role.READER))
    return principal


def _severities(summary: Mapping[str, Any] | None) -> list[tuple[str, int, float]]:
    """(severity, open findings, share of the most frequent), worst first."""
    counts = summary["openBySeverity"] if summary else {}
    most = max([*counts.values(), 1])
    return [(str(each), counts.get(each, 0), 100 * counts.get(each, 0) / most) for each in Severity]


def _frameworks(summary: Mapping[str, Any] | None, ports: Ports) -> list[Mapping[str, Any]]:
    titles = {each.id: each.title for each in ports.catalog.frameworks()}
    found = summary["frameworks"] if summary else {}
    return [{**each, "title": titles.get(name, name).partition(",")[0]} for name, each in found.items()]


def _trend(ports: Ports, principal: Principal, correlation: str) -> Spark | None:
    store = Caller(principal, ports, correlation).store
    scores = [each.score for each in compliance.trend(store=store, limit=POINTS)]
    return draw([score for score in scores if score is not None])


def _active(ports: Ports, tenant: str, kind: str, statuses: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    query = Query(equals={"status": tuple(str(each) for each in statuses)}, order="requestedAt", descending=True)
    return _bodies(ports.documents.query(tenant=tenant, kind=kind, query=query, limit=WORK).items)


def _latest(ports: Ports, tenant: str) -> Sequence[Mapping[str, Any]]:
    query = Query(equals={"open": True}, order="changedAt", descending=True)
    return _bodies(ports.documents.query(tenant=tenant, kind=finding.KIND, query=query, limit=LATEST).items)


def _bodies(found: Sequence[Document]) -> list[Mapping[str, Any]]:
    return [each.body for each in found]


async def _token(request: Request) -> str:
    """The token of the form."""
    _check_site(request)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "send the form as the page sends it: application/x-www-form-urlencoded")
    content = await bounded(request, FORM)
    given = parse_qs(content.decode(errors="replace"), max_num_fields=8).get("token", [""])
    return given[0].strip()


def _check_site(request: Request) -> None:
    """Refuse forms that other sites send. Source: W3C, Fetch Metadata Request Headers."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("a session begins and ends on this site's own page")


def _home(request: Request, token: str, seconds: int) -> Response:
    sent = Response(status_code=303, headers={"location": "/"})
    sent.set_cookie(COOKIE, token, max_age=seconds, httponly=True, samesite="strict", secure=is_secure(request.scope))
    return sent

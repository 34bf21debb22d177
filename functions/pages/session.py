"""The session of a browser: it starts with a link or with a token in a form, is kept in a cookie, and ends with a form.

Only forms of our own pages are accepted. A form carries a digest of a cookie that no other site can read or set: of
the session's cookie, or before there is a session, of a cookie made for the form. The headers in which browsers say
where a form comes from (`Sec-Fetch-Site`, `Origin`, `Referer`) can refuse it, but are optional: old browsers send none.
Source: OWASP, Cross-Site Request Forgery Prevention Cheat Sheet.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from functions.api.http.body import read_bounded
from functions.api.http.envelope import is_secure
from functions.api.http.route import make_router
from functions.pages import page
from shared import bootstrap
from shared.bootstrap import Ports
from shared.domain.error import Forbidden, Unauthenticated
from shared.domain.identity import Caller, Role

router = make_router("Session", prefix="")

SESSION_COOKIE = "cortex_session"
FORM_COOKIE = "cortex_form"
LINK_DURATION = timedelta(minutes=10)
"""How long a sign-in link waits to be opened."""
FORM_BYTES = 16_384
"""Maximum bytes of a form."""
_SEED_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")
_STALE_FORM = "That form is out of date, or your browser keeps no cookies. Try again."
REFUSED = "That token is not accepted. It may have expired: `cortex token` prints a new one."


def caller_of(request: Request) -> Caller:
    """Return the caller of the session; Unauthenticated, Forbidden."""
    return authenticate(request, _cookie(request, SESSION_COOKIE))


def form_token(request: Request) -> str:
    """Return the token that a form of the session must carry."""
    return _digest(_cookie(request, SESSION_COOKIE))


def sign_in_form(request: Request, problem: str = "", status: int = 200) -> Response:
    """Return the form that asks for a token."""
    # two open pages of one browser share the cookie, so that both forms stay valid
    known = _cookie(request, FORM_COOKIE)
    seed = known if _SEED_PATTERN.fullmatch(known) else secrets.token_urlsafe(32)
    minutes = int(LINK_DURATION.total_seconds() // 60)
    parts = {"problem": problem, "form_token": _digest(seed), "link_minutes": minutes}
    sent = page.uncached("session.html", parts, status)
    _set_cookie(request, sent, FORM_COOKIE, seed)
    return sent


@router.post("/session", include_in_schema=False)
async def session_start(request: Request) -> Response:
    """Keep the token of the form in a cookie that scripts cannot read and that other sites cannot send."""
    form = await _form(request)
    if not _is_form_valid(form, _cookie(request, FORM_COOKIE)):
        return sign_in_form(request, _STALE_FORM, 403)
    token = form.get("token", "").strip()
    try:
        caller = authenticate(request, token)
    except (Unauthenticated, Forbidden):
        return sign_in_form(request, REFUSED, 401)
    return start(request, Response(status_code=303, headers={"location": "/"}), token, caller)


@router.post("/session/end", include_in_schema=False)
async def session_end(request: Request) -> Response:
    """End the session: delete its cookie."""
    form, session = await _form(request), _cookie(request, SESSION_COOKIE)
    if session and not _is_form_valid(form, session):
        raise Forbidden("a session ends only with the form of its own page")
    sent = Response(status_code=303, headers={"location": "/"})
    _set_cookie(request, sent, SESSION_COOKIE, "", 0)
    return sent


def authenticate(request: Request, token: str) -> Caller:
    """Return the caller that a token gives a session to; Unauthenticated, Forbidden."""
    ports: Ports = request.app.state.ports
    caller = ports.identity.authenticate(token)
    if not caller.may(Role.READER):
        raise Forbidden("this needs the role 'reader'", permission=str(Role.READER))
    caller.require_tenant(Role.READER)
    return caller


def start(request: Request, sent: Response, token: str, caller: Caller) -> Response:
    """Start a session with an answer: the token goes into the cookie, for as long as it is valid."""
    ports: Ports = request.app.state.ports
    left = (caller.expires_at - ports.now()).total_seconds() if caller.expires_at else None
    _set_cookie(request, sent, SESSION_COOKIE, token, None if left is None else int(left))
    _set_cookie(request, sent, FORM_COOKIE, "", 0)
    return sent


def _digest(seed: str) -> str:
    return hmac.new(seed.encode(), b"form", hashlib.sha256).hexdigest()


def _is_form_valid(form: Mapping[str, str], seed: str) -> bool:
    return bool(seed) and hmac.compare_digest(form.get("form", "").encode(), _digest(seed).encode())


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form; Forbidden when another site sent it."""
    _check_site(request)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "send the form as application/x-www-form-urlencoded")
    content = await read_bounded(request, FORM_BYTES)
    given = parse_qs(content.decode(errors="replace"), max_num_fields=8)
    return {name: values[0] for name, values in given.items()}


def _check_site(request: Request) -> None:
    """Refuse a form that, as the browser says, another site sent.

    Sources: W3C, Fetch Metadata Request Headers; RFC 6454, section 7 (`null` is an origin that is not revealed).
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin") or request.headers.get("referer")
    if site is None and origin:
        ours = {request.headers.get("host", ""), urlsplit(bootstrap.address() or "").netloc} - {""}
        site = "same-origin" if urlsplit(origin).netloc in ours else "cross-site"
    if site not in (None, "none", "same-origin"):
        raise Forbidden("a session starts and ends only on the pages of this site")


def _cookie(request: Request, name: str) -> str:
    return request.cookies.get(_cookie_name(request, name), "")


def _set_cookie(request: Request, sent: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Set a cookie for this host only; without `seconds` it lasts until the browser is closed."""
    secure = is_secure(request.scope)
    sent.set_cookie(_cookie_name(request, name), value, seconds, httponly=True, samesite="strict", secure=secure)


def _cookie_name(request: Request, name: str) -> str:
    """Return the name of a cookie, under HTTPS with the prefix that keeps other hosts from setting it.

    Source: RFC 6265bis, section 4.1.3.2.
    """
    return f"__Host-{name}" if is_secure(request.scope) else name

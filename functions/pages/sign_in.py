"""Sign-in links: each signs in one browser, once, within minutes of being made.

They are kept in the memory of this process: they end with it, and only it can redeem them.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request, Response

from functions.api.http.route import make_router
from functions.pages import page, session
from shared.domain.error import CortexError, Throttled

router = make_router("Session", prefix="")

WAITING_LINKS = 100
"""Maximum number of links that wait to be opened."""
_REFUSED = (
    "This link has been used, has expired, or is from before a restart. Run `cortex sign-in` for a new one. "
    "If this browser is signed in already, the overview opens without one."
)
_PREFETCH_HEADERS = ("sec-purpose", "purpose")


@dataclass(frozen=True, slots=True)
class WaitingLink:
    """What a link that was not opened yet stands for."""

    token: str
    expires_at: datetime


class SignInLinks:
    """The links that wait to be opened, by their code."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._waiting: dict[str, WaitingLink] = {}

    def create(self, token: str) -> tuple[str, datetime]:
        """Return the code of a new link for a token, and when it expires; Throttled while too many wait."""
        now = self._now()
        code, link = secrets.token_urlsafe(16), WaitingLink(token, now + session.LINK_DURATION)
        with self._lock:
            self._waiting = {known: each for known, each in self._waiting.items() if each.expires_at > now}
            if len(self._waiting) >= WAITING_LINKS:
                left = min(each.expires_at for each in self._waiting.values()) - now
                raise Throttled(f"{WAITING_LINKS} sign-in links wait to be opened", retry_after=left.total_seconds())
            self._waiting[code] = link
        return code, link.expires_at

    def redeem(self, code: str, *, keep: bool = False) -> str | None:
        """Return the token of a link, which then is used, unless it is to be kept; None when it is not valid."""
        with self._lock:
            link = self._waiting.get(code) if keep else self._waiting.pop(code, None)
        return link.token if link and link.expires_at > self._now() else None


@router.get("/sign-in", include_in_schema=False)
def sign_in(request: Request) -> Response:
    """Start the session of a link and go to the first page; what only looks at a link does not use it."""
    if any("prefetch" in request.headers.get(name, "").lower() for name in _PREFETCH_HEADERS):
        return Response(status_code=503, headers={"retry-after": "1"})  # the browser asks again when it is opened
    links: SignInLinks = request.app.state.sign_in_links
    looks = getattr(request.state, "head", False)
    token = links.redeem(request.query_params.get("code", ""), keep=looks)
    if token is None:
        return session.sign_in_form(request, _REFUSED, 410)
    try:
        caller = session.authenticate(request, token)
    except CortexError:
        return session.sign_in_form(request, session.REFUSED, 401)
    if request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        answer = Response(status_code=303, headers={"location": "/", "cache-control": "no-store"})
    else:
        # A browser that follows a link of another site sends no strict cookie with a redirect; with our page it does.
        answer = page.uncached("signed-in.html", {"caller": caller})
    return answer if looks else session.start(request, answer, token, caller)

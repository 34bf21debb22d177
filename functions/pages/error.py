"""The page of an error: what is wrong, and what a person can do about it."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response

from functions.pages import page

_WAIT = "Wait a moment, then load the page again."
_CORRECT = "Go back and correct what was sent. The API reference shows what each address takes."
_REPORT = "Load the page again. If that does not help, report it with the id below."
ADVICE_BY_STATUS: Mapping[int, str] = {
    401: "Sign in with the link that `cortex sign-in` prints. Programs send a token: `cortex token` prints one.",
    403: "Ask for the role that is missing, or sign in as somebody who has it: `cortex sign-in --role approver`.",
    404: "Check the address, or begin at the overview. The API reference lists all addresses of the API.",
    405: "This address is for programs. The API reference shows how to call it.",
    409: "Look at the current state again, then decide.",
    429: _WAIT,
    503: _WAIT,
    504: _WAIT,
}


def error_page(problem: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    """Return the page of a problem document, with its status."""
    status = int(problem["status"])
    advice = ADVICE_BY_STATUS.get(status, _REPORT if status >= 500 else _CORRECT)  # noqa: PLR2004 - errors of ours
    return page.uncached("error.html", {**problem, "advice": advice}, status, headers)

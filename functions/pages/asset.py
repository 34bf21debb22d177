"""What pages load: the style sheet and the icon."""

from fastapi import Request, Response

from functions.api.http.route import make_router
from functions.pages import page

router = make_router("Assets", prefix="")


@router.get("/style.css", include_in_schema=False)
async def style(request: Request) -> Response:
    """Return the style sheet of the pages."""
    return page.asset(request, "style.css", "text/css; charset=utf-8")


@router.get("/icon.svg", include_in_schema=False)
async def icon(request: Request) -> Response:
    """Return the icon of the pages."""
    return page.asset(request, "icon.svg", "image/svg+xml")

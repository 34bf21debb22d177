"""Sessions: links with which a browser signs in, instead of a token that is pasted."""

from fastapi import Request, Response
from pydantic import AwareDatetime, Field

from functions.api.http.access import Authorized, bearer_token
from functions.api.http.route import make_router
from functions.pages.sign_in import SignInLinks
from shared.domain.model import Model

router = make_router("Session")


class SignInLink(Model):
    """A link that signs in one browser, once."""

    path: str = Field(description="the address to open, without scheme and host")
    expires_at: AwareDatetime


@router.post("/sign-in-links", status_code=201, response_model=SignInLink)
def sign_in_link_create(request: Request, caller: Authorized) -> Response:  # noqa: ARG001 - declares who may
    """Create a link that signs in a browser with the token of this request: once, within ten minutes."""
    links: SignInLinks = request.app.state.sign_in_links
    code, expires_at = links.create(bearer_token(request))
    made = SignInLink(path=f"/sign-in?code={code}", expires_at=expires_at)
    return Response(made.model_dump_json(), 201, media_type="application/json")

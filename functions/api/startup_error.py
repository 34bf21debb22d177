"""The API when its ports cannot be built: liveness answers, and everything else answers why."""

import secrets

import orjson
from fastapi import FastAPI, Request, Response

from functions.api import health
from functions.api.http import problem
from functions.api.http.envelope import EnvelopeMiddleware
from functions.api.http.head import HeadMiddleware
from functions.pages import asset
from shared.domain.error import CortexError, Damaged, Misconfigured, Unavailable, Unusable

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build(error: CortexError) -> FastAPI:
    """Return an ASGI app that answers with this error; details for the log alone are left out."""
    shown = isinstance(error, Misconfigured | Unusable | Damaged)
    public = error if shown else Unavailable("the service cannot start; see the log")
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    problem.install_handlers(app)

    async def readiness() -> Response:
        check = health.ReadinessCheck(ready=False, milliseconds=0.0, reason=public.message)
        found = health.Readiness(ready=False, checks={"start": check})
        content = orjson.dumps(found.model_dump(mode="json"))
        return Response(content, 503, {"retry-after": "5"}, "application/json")

    async def refuse(_request: Request) -> Response:
        raise public

    app.add_api_route("/api/v1/health", health.health)
    app.add_api_route("/api/v1/health/ready", readiness)
    app.router.routes.extend(asset.router.routes)  # for the page that says why
    app.add_api_route("/{path:path}", refuse, methods=METHODS)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(EnvelopeMiddleware, new_id=lambda: secrets.token_hex(16))
    return app

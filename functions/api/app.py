"""The app of the API: routers, error handlers, middleware."""

from fastapi import FastAPI

from functions.api import (
    change,
    compliance,
    diagnosis,
    draft,
    evaluation,
    exemption,
    finding,
    framework,
    health,
    import_job,
    initiative,
    metrics,
    permission,
    poison,
    policy,
    rebuild,
    reference,
    remediation,
    resource,
    scan,
    session,
    usage,
)
from functions.api.http import problem
from functions.api.http.envelope import EnvelopeMiddleware
from functions.api.http.head import HeadMiddleware
from functions.api.http.stream import StreamPolling
from functions.api.metrics import Meter, MeterMiddleware
from functions.pages import asset, home, sign_in
from functions.pages import session as page_session
from shared import bootstrap
from shared.bootstrap import Ports

ROUTERS = (
    health,
    scan,
    finding,
    resource,
    policy,
    initiative,
    draft,
    compliance,
    framework,
    remediation,
    exemption,
    import_job,
    evaluation,
    change,
    permission,
    diagnosis,
    poison,
    usage,
    rebuild,
    metrics,
    reference,
    session,
    page_session,
    sign_in,
    asset,
    home,
)


def build(ports: Ports, pace: StreamPolling | None = None) -> FastAPI:
    """Return the ASGI app over these ports; `pace` sets how often event streams poll."""
    app = FastAPI(
        title="PolicyCortex",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.ports = ports
    app.state.pace = pace or StreamPolling()
    app.state.sign_in_links = sign_in.SignInLinks(ports.now)
    app.state.checks = health.readiness_checks(ports)
    app.state.meter = _build_meter(ports, app.state.checks)
    problem.install_handlers(app)
    for noun in ROUTERS:
        app.router.routes.extend(noun.router.routes)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(EnvelopeMiddleware, new_id=ports.new_id)
    app.add_middleware(MeterMiddleware, meter=app.state.meter)
    return app


def _build_meter(ports: Ports, checks: health.ReadinessChecks) -> Meter:
    settings = bootstrap.settings()
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
    return Meter(ports, checks, token=token, configured=settings.tenant)

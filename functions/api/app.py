"""The API put together: routers, errors, the envelope around them."""

from fastapi import FastAPI

from functions.api import (
    change,
    compliance,
    draft,
    evaluation,
    exemption,
    finding,
    health,
    home,
    permission,
    policy,
    problem,
    reference,
    remediation,
    resource,
    scan,
    transfer,
    usage,
)
from functions.api.envelope import Envelope
from functions.api.stream import Pace
from shared.bootstrap import Ports

ROUTERS = (
    health,
    scan,
    finding,
    resource,
    policy,
    draft,
    compliance,
    remediation,
    exemption,
    transfer,
    evaluation,
    change,
    permission,
    usage,
    reference,
    home,
)


def build(ports: Ports, pace: Pace | None = None) -> FastAPI:
    """The ASGI app over these ports; `pace` sets how often event streams look."""
    app = FastAPI(
        title="PolicyCortex",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.ports = ports
    app.state.pace = pace or Pace()
    problem.install(app)
    for noun in ROUTERS:
        app.router.routes.extend(noun.router.routes)
    app.add_middleware(Envelope, new_id=ports.new_id)
    return app

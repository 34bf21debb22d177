"""A route of the API: it checks the role, then reads the body, then runs the operation."""

import warnings
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic.warnings import UnsupportedFieldAttributeWarning

from functions.api.http.access import OPERATION_ROLES, authorize
from functions.api.http.body import JsonRequest
from shared.domain.identity import Role


class OperationRoute(APIRoute):
    """Refuses a caller without the role before it reads the body, and reads the body strictly."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - as APIRoute
        name = options.get("name") or endpoint.__name__
        self.role: Role | None = OPERATION_ROLES[name]
        super().__init__(path, endpoint, **{**options, "name": name, "operation_id": name})
        self._build()

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with these checks in front; see `APIRoute.get_route_handler`."""
        handle = super().get_route_handler()
        name, role, takes_body = self.name, self.role, self.body_field is not None

        async def operation(request: Request) -> Response:
            if role is not None:  # before the body: a stranger must not make us read a byte
                authorize(request, name, role)
            strict = JsonRequest(request.scope, request.receive)
            if takes_body:
                await strict.check()
            return await handle(strict)

        return operation

    def _build(self) -> None:
        """Build a deferred body model now, and ignore the warning of pydantic about how FastAPI wraps it."""
        if self.body_field:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
                self.body_field.validate(None)


def make_router(tag: str, prefix: str = "/api/v1") -> APIRouter:
    """Return the router of a noun."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=OperationRoute)

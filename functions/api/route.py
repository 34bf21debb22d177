"""A route of the API: the role first, then the body, then the operation."""

import warnings
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic.warnings import UnsupportedFieldAttributeWarning

from functions.api.access import ROLES, admit
from functions.api.body import JsonRequest
from shared.domain.identity import Role


class Operation(APIRoute):
    """Refuses a caller without the role before it reads a byte of the body; reads the body strictly."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - as APIRoute
        name = options.get("name") or endpoint.__name__
        self.role: Role | None = ROLES[name]
        super().__init__(path, endpoint, **{**options, "name": name, "operation_id": name})
        self._build()

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute.get_route_handler`."""
        handle = super().get_route_handler()
        role, takes_body = self.role, self.body_field is not None

        async def operation(request: Request) -> Response:
            if role is not None:
                admit(request, role)
            strict = JsonRequest(request.scope, request.receive)
            if takes_body:
                await strict.check()
            return await handle(strict)

        return operation

    def _build(self) -> None:
        """Build a deferred body model now: FastAPI wraps it in a way that pydantic warns of when it builds it."""
        if self.body_field:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
                self.body_field.validate(None)


def router(tag: str, prefix: str = "/api/v1") -> APIRouter:
    """A router for one noun."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Operation)

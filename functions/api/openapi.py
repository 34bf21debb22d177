"""The OpenAPI document: what the framework makes of the routes, and what only we know of them."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from functions.api.code_sample import curl
from functions.api.http import problem
from functions.api.http.access import SUBSCRIPTION_OPERATIONS
from functions.api.http.problem import Problem
from functions.api.http.route import OperationRoute
from shared import bootstrap
from shared.domain.resource import JsonObject

EXAMPLES_FILE = Path(__file__).with_name("examples.json")
"""Answers of the running product, by operation and status; `scripts/examples.py` records them."""
INTRODUCTION = """\
Everything is JSON with names in camelCase; times are RFC 3339 in UTC.
Send `Authorization: Bearer <token>`: on your own machine `cortex token --role reader` prints a token.
A browser signs in with the link that `cortex sign-in` prints; its session is for the pages alone.
Lists answer `{"items": [], "nextCursor": null}`, with the next page in the header `Link`.
With `total=true` a list also has the number of matches.
A role is granted in the whole tenant or in some subscriptions: `x-role` and `x-scope` say what an operation needs.
Answers have an `ETag`: send it in `If-None-Match`, and get 304 while nothing has changed.
A POST that starts work answers 202 with the address of that work in `Location`, and accepts an `Idempotency-Key`.
`Retry-After` is the number of seconds to wait before you look, or try again.
Errors are problem documents (RFC 9457); to a browser, which asks for `text/html` first, they are pages.
`x-correlation-id` is yours, or generated, and is in every answer, log, queue message and event.
`traceparent` (W3C Trace Context) is taken and answered: without a correlation id of yours, your trace id becomes it."""
CONTACT = {"name": "the people who run this installation"}
TAGS: Mapping[str, str] = {
    "Health": "Whether the service is alive and ready, what is wrong with it, and which messages could not be handled.",
    "Session": "Links with which a browser signs in.",
    "Scans": "Reading the estate and judging it, as a whole.",
    "Findings": "What does not comply or could not be judged, and why.",
    "Resources": "The resources as they were read, with their history.",
    "Policies": "The policies in force, and tools for people who write policies.",
    "Compliance": "The estate in numbers, now and over time.",
    "Frameworks": "How the controls of standards and laws stand, and which of them nothing here can show.",
    "Remediations": "Fixes: planned, approved by another person, applied, verified, rolled back.",
    "Exemptions": "Findings that are accepted until a date, with a reason.",
    "Imports": "Inventories that were exported elsewhere.",
    "Evaluation": "Judging a resource that is in the request.",
    "Changes": "The webhook for events of the cloud.",
    "Permissions": "What the service may do in a subscription.",
    "Usage": "What the document store has charged.",
    "Rebuilds": "Making every document again from the events.",
}
"""What each group of operations is about, in the order of the reference."""
_RETRY_AFTER = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
_LOCATION = {"Location": {"description": "where the work can be followed", "schema": {"type": "string"}}}


@lru_cache(maxsize=4)
def document(app: FastAPI) -> JsonObject:
    """Return the OpenAPI document of the app, built once."""
    address = bootstrap.address()
    made: JsonObject = get_openapi(
        title="PolicyCortex API",
        version=app.version,
        openapi_version="3.1.0",
        summary="Cloud governance: collect, evaluate, explain, remediate.",
        description=INTRODUCTION,
        routes=[route for route in app.routes if isinstance(route, OperationRoute)],
        contact=CONTACT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": address or "/", "description": "this installation"}],
    )
    # Page[Finding] is FindingPage for people, and not the Page_Finding_ of FastAPI
    made = orjson.loads(re.sub(rb"\bPage_(\w+?)_\b", rb"\1Page", orjson.dumps(made)))
    made["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    _add_components(made["components"])
    examples = orjson.loads(EXAMPLES_FILE.read_bytes())
    for route in app.routes:
        if isinstance(route, OperationRoute) and route.include_in_schema:
            method = method_of(route)
            operation = made["paths"][route.path][method]
            _add_examples(operation, examples.get(operation["operationId"], {}))
            _describe_responses(operation, route)
            sample = curl(method, route.path, operation, examples, address or bootstrap.LOCAL_ADDRESS)
            operation["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": sample}]
    _remove_unused(made)
    return made


def method_of(route: APIRoute) -> str:
    """Return the only method of an operation, in lower case."""
    return next(iter(sorted(route.methods or ()))).lower()


def _add_components(components: JsonObject) -> None:
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    failed = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    components["schemas"] |= {**failed.pop("$defs", {}), "Problem": failed}
    components["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "`cortex token --role reader` prints one on your own machine",
        }
    }


def _remove_unused(made: JsonObject) -> None:
    """Remove the schemas that nothing refers to, such as those of internal members, which are not described."""
    schemas = made["components"]["schemas"]
    while unused := schemas.keys() - set(re.findall(r'"#/components/schemas/([^"]+)"', orjson.dumps(made).decode())):
        for name in unused:
            del schemas[name]


def _add_examples(operation: JsonObject, recorded: Mapping[str, Any]) -> None:
    for status, value in recorded.items():
        for content in operation["responses"][status]["content"].values():
            content["example"] = value


def _describe_responses(operation: JsonObject, route: OperationRoute) -> None:
    """Add what FastAPI cannot know: the required role, headers, and the problems that an operation may answer with."""
    operation["summary"] = re.split(r"[.:;](?:\s|$)", operation.get("description", ""))[0]
    operation["responses"].pop("422", None)
    if started := operation["responses"].get("202"):
        started["headers"] = {**_RETRY_AFTER, **({} if route.name in UNFOLLOWED else _LOCATION)}
    operation["responses"] |= {str(status): _problem(status) for status in _statuses(route)}
    if route.role is None:
        operation["security"] = []
        return
    operation["security"] = [{"token": []}]
    operation["x-role"] = str(route.role)
    operation["x-scope"] = "subscription" if route.name in SUBSCRIPTION_OPERATIONS else "tenant"


UNFOLLOWED = frozenset({"change_accept"})
"""Operations that start work without a record of its own."""


def _statuses(route: OperationRoute) -> Iterator[int]:
    yield 400
    if route.role is not None:
        yield from (401, 403)
    elif 401 in route.responses:  # noqa: PLR2004 - Unauthorized: it takes another proof than a token with a role
        yield 401
    if "{" in route.path or method_of(route) == "post" or 404 in route.responses:  # noqa: PLR2004 - Not Found
        yield 404
    if method_of(route) in {"post", "put"}:
        yield from (409, 413, 415, 422)
    yield from (429, 500)
    if 503 not in route.responses:  # noqa: PLR2004 - Service Unavailable
        yield 503


def _problem(status: int) -> JsonObject:
    name, title = problem.TITLE_BY_STATUS[status]
    example = {
        "type": f"/api/docs#{name}",
        "title": title,
        "status": status,
        "detail": "what exactly is wrong, and what to do about it",
        "instance": "/api/v1/…",
        "correlationId": "01a20f98fa82ad4ed58a192861",
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    retry = {"headers": _RETRY_AFTER} if status in (429, 503) else {}
    return {"description": title, **retry, "content": {problem.MEDIA_TYPE: content}}

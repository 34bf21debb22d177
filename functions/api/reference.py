"""The reference: the OpenAPI document, and a page made from it that needs nothing but a browser."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from functions.api import answer, page, problem
from functions.api.problem import Problem
from functions.api.route import Operation
from functions.api.route import router as make_router

router = make_router("Reference", prefix="/api")

Json = dict[str, Any]
DEPTH = 6
EXAMPLES = Path(__file__).with_name("examples.json")
"""Answers of the running product, by operation and status; `scripts/examples.py` records them."""
SHARED = {"cache-control": "public, no-cache", "vary": "Accept-Encoding"}
INTRODUCTION = """\
Everything is JSON with names in camelCase; times are RFC 3339 in UTC. Send `Authorization: Bearer <token>`.
Lists answer `{"items": [], "nextCursor": null}` and name the next page in the header `Link`.
Answers have an `ETag`; ask again with `If-None-Match` and get 304 while nothing has changed.
POSTs that start work answer 202 with the thing's address in `Location`, and take an `Idempotency-Key`.
Errors are problem documents (RFC 9457).
`x-correlation-id` is taken from you or made, and is in every answer and log."""


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The OpenAPI 3.1 document."""
    return answer.ok(request, document(request.app), headers=SHARED)


@router.get("/docs", include_in_schema=False)
async def reference(request: Request) -> Response:
    """The reference as a page."""
    return page.ok(request, "reference.html", page_parts(request.app), headers=SHARED)


@lru_cache(maxsize=4)
def document(app: FastAPI) -> Json:
    """The OpenAPI document of the app, made once."""
    made = get_openapi(
        title="PolicyCortex API",
        version=app.version,
        openapi_version="3.1.0",
        summary="Cloud governance: collect, judge, explain, fix.",
        description=INTRODUCTION,
        routes=[route for route in app.routes if isinstance(route, Operation)],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    made = _named_shortly(made)
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= _problem_schemas()
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    examples = orjson.loads(EXAMPLES.read_bytes())
    for route in app.routes:
        if isinstance(route, Operation) and route.include_in_schema:
            operation = made["paths"][route.path][_method(route)]
            _illustrate(operation, examples.get(operation["operationId"], {}))
            _finish(operation, route)
    return made


def _illustrate(operation: Json, recorded: Mapping[str, Any]) -> None:
    """Add the answers that were recorded, by status."""
    for status, value in recorded.items():
        for content in operation["responses"][status]["content"].values():
            content["example"] = value


def _named_shortly(made: Json) -> Json:
    """Schemas by names for people: ScanStatus for shared__domain__scan__Status, FindingPage for Page_Finding_."""
    text = orjson.dumps(made).decode()
    text = re.sub(r"shared__domain__([a-z]+)__([A-Za-z]+)", _short_name, text)
    named: Json = orjson.loads(re.sub(r"\bPage_(\w+?)_\b", r"\1Page", text))
    return named


def _short_name(found: re.Match[str]) -> str:
    noun, name = found.group(1).capitalize(), found.group(2)
    return name if name == noun else f"{noun}{name}"


def _problem_schemas() -> Json:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return {**schema.pop("$defs", {}), "Problem": schema}


def _method(route: APIRoute) -> str:
    return next(iter(sorted(route.methods or ()))).lower()


def _finish(operation: Json, route: Operation) -> None:
    """Add what FastAPI cannot know: the role, and the problems that any operation may answer with."""
    operation["summary"] = operation.get("description", "").split(". ")[0].split(": ")[0].split("; ")[0].rstrip(".")
    operation["responses"].pop("422", None)
    operation["responses"] |= {str(status): _problem(status) for status in _statuses(route)}
    if route.role is None:
        operation["security"] = []
        return
    operation["security"] = [{"token": []}]
    operation["x-role"] = str(route.role)


def _statuses(route: Operation) -> Iterator[int]:
    yield 400
    if route.role is not None:
        yield from (401, 403)
    if "{" in route.path or _method(route) == "post":
        yield 404
    if _method(route) == "post":
        yield from (409, 413, 415, 422)
    yield from (429, 500)
    if 503 not in route.responses:  # noqa: PLR2004 - Service Unavailable
        yield 503


def _problem(status: int) -> Json:
    name, title = problem.TITLES[status]
    example = {
        "type": f"/api/docs#{name}",
        "title": title,
        "status": status,
        "detail": "what exactly, and what to do about it",
        "instance": "/api/v1/…",
        "correlationId": "01a20f98fa82ad4ed58a192861",
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": title, "content": {problem.MEDIA_TYPE: content}}


@dataclass(frozen=True, slots=True)
class Row:
    """A member of a body as the page shows it, indented below the member that holds it."""

    depth: int
    name: str
    kind: str
    required: bool
    text: str


@lru_cache(maxsize=4)
def page_parts(app: FastAPI) -> Json:
    """What the page's template needs."""
    made = document(app)
    groups: dict[str, list[Json]] = {}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_shown(made, path, method, operation))
    return {
        "introduction": INTRODUCTION.splitlines(),
        "groups": groups,
        "problems": [(status, name, title) for status, (name, title) in problem.TITLES.items()],
    }


def _shown(made: Json, path: str, method: str, operation: Json) -> Json:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    good: Json = next((each for status, each in operation["responses"].items() if status.startswith("2")), {})
    answered = good.get("content", {}).get("application/json", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "role": operation.get("x-role", "anyone"),
        "text": operation.get("description", ""),
        "parameters": [_parameter(made, each) for each in operation.get("parameters", ())],
        "body": list(rows(made, body.get("schema", {}))),
        "examples": [_example(name, each) for name, each in body.get("examples", {}).items()],
        "answer": list(rows(made, answered.get("schema", {}))),
        "statuses": sorted(operation["responses"]),
    }


def _parameter(made: Json, given: Json) -> Json:
    schema = given.get("schema", {})
    text = given.get("description") or schema.get("description", "")
    return {
        "name": given["name"],
        "where": given["in"],
        "kind": kind(made, schema),
        "text": text,
        "required": given.get("required", False),
    }


def _example(name: str, given: Json) -> tuple[str, str]:
    text = orjson.dumps(given["value"], option=orjson.OPT_INDENT_2).decode()
    return given.get("summary") or name.capitalize(), text


def rows(made: Json, schema: Json, depth: int = 0, seen: tuple[str, ...] = ()) -> Iterator[Row]:
    """The members of an object's schema, those of the objects within it indented below them."""
    name, plain = _resolved(made, schema)
    if depth >= DEPTH or (name and name in seen):
        return
    needed: Sequence[str] = plain.get("required", ())
    for member, inner in plain.get("properties", {}).items():
        text = inner.get("description", "")
        yield Row(depth, member, kind(made, inner), member in needed, text)
        yield from rows(made, _inside(inner), depth + 1, (*seen, name))


def kind(made: Json, schema: Json) -> str:
    """The type of a value in a few words."""
    name, plain = _resolved(made, schema)
    if "enum" in plain or "const" in plain:
        return " | ".join(str(each) for each in plain.get("enum") or [plain["const"]])
    options = plain.get("anyOf", ())
    if options:
        return " | ".join(dict.fromkeys(kind(made, each) for each in options))
    if plain.get("type") == "array":
        return f"{kind(made, plain.get('items', {}))}[]"
    if plain.get("type") == "object" and isinstance(plain.get("additionalProperties"), dict):
        return f"{{string: {kind(made, plain['additionalProperties'])}}}"
    return str(plain.get("format") or name or plain.get("type") or "any")


def _resolved(made: Json, schema: Json) -> tuple[str, Json]:
    """The name and the schema that a reference leads to."""
    reference = schema.get("$ref", "")
    name = reference.rpartition("/")[2]
    return (name, made["components"]["schemas"].get(name, {})) if name else ("", schema)


def _inside(schema: Mapping[str, Any]) -> Json:
    """The schema of the objects that a value holds: its own, that of its items, of its values, of its options."""
    for within in ("items", "additionalProperties"):
        if isinstance(schema.get(within), dict):
            return _inside(schema[within])
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return _inside(options[0]) if options else dict(schema)

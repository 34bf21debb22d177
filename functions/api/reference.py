"""The reference: the routes of the OpenAPI document and of the page that is made from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from functions.api.http import problem, response
from functions.api.http.route import make_router
from functions.api.openapi import INTRODUCTION, TAGS, document
from functions.pages import page
from shared.domain.resource import JsonObject

router = make_router("Reference", prefix="/api")

SCHEMA_LEVELS = 6
CACHE_HEADERS = {"cache-control": "public, no-cache", "vary": "Accept-Encoding"}


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """Return the OpenAPI 3.1 document."""
    return response.ok(request, document(request.app), headers=CACHE_HEADERS)


@router.get("/docs", include_in_schema=False)
async def reference(request: Request) -> Response:
    """Return the reference as a page."""
    return page.ok(request, "reference.html", page_context(request.app), headers=CACHE_HEADERS)


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """A property of a body as the page shows it, indented below the property that contains it."""

    depth: int
    name: str
    kind: str
    required: bool
    text: str


@lru_cache(maxsize=4)
def page_context(app: FastAPI) -> JsonObject:
    """Return the variables of the page's template."""
    made = document(app)
    groups: dict[str, list[JsonObject]] = {}
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation_view(made, path, method, operation))
    return {
        "introduction": INTRODUCTION.splitlines(),
        "groups": {tag: groups[tag] for tag in TAGS},
        "about": TAGS,
        "problems": [
            *((status, *named) for status, named in problem.TITLE_BY_STATUS.items()),
            (503, *problem.DAMAGED_TITLE),
        ],
    }


def _operation_view(made: JsonObject, path: str, method: str, operation: JsonObject) -> JsonObject:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    good: JsonObject = next((each for status, each in operation["responses"].items() if status.startswith("2")), {})
    answered = good.get("content", {}).get("application/json", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "role": operation.get("x-role", "anyone"),
        "text": operation.get("description", ""),
        "parameters": [_parameter(made, each) for each in operation.get("parameters", ())],
        "body": list(schema_rows(made, body.get("schema", {}))),
        "examples": [_example(name, each) for name, each in body.get("examples", {}).items()],
        "curl": operation["x-codeSamples"][0]["source"],
        "answer": list(schema_rows(made, answered.get("schema", {}))),
        "statuses": sorted(operation["responses"]),
    }


def _parameter(made: JsonObject, given: JsonObject) -> JsonObject:
    schema = given.get("schema", {})
    text = given.get("description") or schema.get("description", "")
    return {
        "name": given["name"],
        "where": given["in"],
        "kind": type_name(made, schema),
        "text": text,
        "required": given.get("required", False),
    }


def _example(name: str, given: JsonObject) -> tuple[str, str]:
    text = orjson.dumps(given["value"], option=orjson.OPT_INDENT_2).decode()
    return given.get("summary") or name.capitalize(), text


def schema_rows(
    made: JsonObject, schema: JsonObject, depth: int = 0, seen: tuple[str, ...] = ()
) -> Iterator[SchemaRow]:
    """Yield the properties of an object's schema, those of nested objects indented below them."""
    name, plain = _resolve_ref(made, schema)
    if depth >= SCHEMA_LEVELS or (name and name in seen):
        return
    needed: Sequence[str] = plain.get("required", ())
    for member, inner in plain.get("properties", {}).items():
        text = inner.get("description", "")
        yield SchemaRow(depth, member, type_name(made, inner), member in needed, text)
        yield from schema_rows(made, _nested_schema(inner), depth + 1, (*seen, name))


def type_name(made: JsonObject, schema: JsonObject) -> str:
    """Return the type of a value in a few words."""
    name, plain = _resolve_ref(made, schema)
    if "enum" in plain or "const" in plain:
        return " | ".join(str(each) for each in plain.get("enum") or [plain["const"]])
    options = plain.get("anyOf", ())
    if options:
        return " | ".join(dict.fromkeys(type_name(made, each) for each in options))
    if plain.get("type") == "array":
        return f"{type_name(made, plain.get('items', {}))}[]"
    if plain.get("type") == "object" and isinstance(plain.get("additionalProperties"), dict):
        return f"{{string: {type_name(made, plain['additionalProperties'])}}}"
    return str(plain.get("format") or name or plain.get("type") or "any")


def _resolve_ref(made: JsonObject, schema: JsonObject) -> tuple[str, JsonObject]:
    """Return the name and the schema that a reference names; the schema itself when it is none."""
    reference = schema.get("$ref", "")
    name = reference.rpartition("/")[2]
    return (name, made["components"]["schemas"].get(name, {})) if name else ("", schema)


def _nested_schema(schema: Mapping[str, Any]) -> JsonObject:
    """Return the schema of the objects within a value: of its items, values or first option, or its own."""
    for within in ("items", "additionalProperties"):
        if isinstance(schema.get(within), dict):
            return _nested_schema(schema[within])
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return _nested_schema(options[0]) if options else dict(schema)

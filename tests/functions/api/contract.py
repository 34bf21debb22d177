"""What the OpenAPI document says of requests and answers, for comparing with what the API does."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from httpx2 import Response
from jsonschema import Draft202012Validator, FormatChecker
from starlette.routing import Match

from functions.api.http.route import OperationRoute
from functions.api.openapi import document

FORMATS = FormatChecker()
NO_BODY = frozenset({204, 304})
Json = Any


def check(app: FastAPI, answer: Response, *, made_up: bool = False) -> None:
    """Raise AssertionError where an answer is not what the document says: its status, its type, its body.

    `made_up`: an error that the operation itself would not meet.
    """
    route = _route(app, answer)
    if answer.request.method in ("HEAD", "OPTIONS") or (route is not None and not route.include_in_schema):
        return
    schema = _schema(described(app), route, answer, made_up=made_up)
    if schema is not None:
        errors = [error.message[:300] for error in validator(app, schema).iter_errors(answer.json())]
        assert errors == [], (str(answer.request.url), answer.status_code, errors)


def _route(app: FastAPI, answer: Response) -> OperationRoute | None:
    """The operation that answered; None where no operation is at the address."""
    scope = {"type": "http", "path": answer.request.url.path, "method": answer.request.method}
    found = (
        route for route in app.routes if isinstance(route, OperationRoute) and route.matches(scope)[0] is Match.FULL
    )
    return next(found, None)


def _schema(made: Json, route: OperationRoute | None, answer: Response, *, made_up: bool) -> Json:
    """What the document says of the body; None where there is none."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "text/html":
        assert answer.status_code >= 400
        assert "text/" in answer.request.headers["accept"].lower(), "a page is for those who ask for it"
        return None
    if route is None:
        assert kind == "application/problem+json" or answer.status_code in NO_BODY
        return {"$ref": "#/components/schemas/Problem"} if answer.content else None
    result = made["paths"][route.path][answer.request.method.lower()]["responses"]
    if answer.status_code in NO_BODY:
        return None
    if made_up and kind == "application/problem+json":
        return {"$ref": "#/components/schemas/Problem"}
    assert str(answer.status_code) in result, f"{route.name} does not say that it may answer {answer.status_code}"
    content: Mapping[str, Json] = result[str(answer.status_code)].get("content", {})
    assert kind in content, f"{route.name} says {sorted(content)}, not {kind}"
    return content[kind].get("schema") if "json" in kind else None


_documents: list[Json] = []


@FORMATS.checks("date-time")
def is_moment(value: object) -> bool:
    """RFC 3339, section 5.6."""
    if not isinstance(value, str):
        return True
    shape = re.fullmatch(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})", value)
    try:
        return shape is not None and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def described(app: FastAPI) -> Json:
    """The document, which is the same of every app: made once, of the first."""
    if not _documents:
        _documents.append(document(app))
    return _documents[0]


def validator(app: FastAPI, schema: Json) -> Draft202012Validator:
    """Of one schema of the document."""
    key = json.dumps(schema)
    if key not in _validators:
        whole = {**schema, "components": described(app)["components"]}
        _validators[key] = Draft202012Validator(whole, format_checker=FORMATS)
    return _validators[key]


_validators: dict[str, Draft202012Validator] = {}

"""Checks of the cloud's responses: what is not as documented raises Malformed, which names the call.

Sources: Azure Resource Manager RPC, "Common API details" (a list is `value` with an optional `nextLink`); Azure
Resource Graph REST API, "QueryResponse" (`totalRecords`, `count`, `data` and `resultTruncated` are required).
"""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from shared.domain.error import Malformed
from shared.domain.resource import JsonObject

_TEXT_OR_NONE = (str, type(None))
_OBJECT_OR_NONE = (dict, type(None))
_SHOWN_CHARACTERS = 200


def decode(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Decode a JSON text; ValueError or RecursionError when it is not JSON.

    Halves of surrogate pairs, which UTF-8 cannot hold and Python reads, become question marks.
    """
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return orjson.loads(json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace"))


def mapping(found: object, call: str) -> JsonObject:
    """Return a response that is an object; Malformed for any other, and for an error that is sent as a success."""
    if not isinstance(found, dict):
        kind = "nothing" if found is None else "a list" if isinstance(found, list) else "text or a number"
        raise Malformed(f"the cloud answered {call} with {kind} instead of an object")
    error = found.get("error")
    if isinstance(error, Mapping) and "id" not in found:
        code = str(error.get("code") or "no code")[:_SHOWN_CHARACTERS]
        raise Malformed(f"the cloud answered {call} with success, but with an error in the body: {code}")
    return found


def resource(found: object, call: str) -> JsonObject:
    """Return an ARM body: its id is text, its tags and properties are objects where they are given."""
    body = mapping(found, call)
    identity = body.get("id")
    if not isinstance(identity, str) or not identity.startswith("/"):
        raise Malformed(f"the cloud answered {call} with an object that has no id")
    for name in ("name", "type", "location"):
        if not isinstance(body.get(name), _TEXT_OR_NONE):
            raise Malformed(
                f"the cloud answered {call} with a {name} that is not text, in {identity[:_SHOWN_CHARACTERS]}"
            )
    for name in ("tags", "properties"):
        if not isinstance(body.get(name), _OBJECT_OR_NONE):
            raise Malformed(
                f"the cloud answered {call} with {name} that are not an object, in {identity[:_SHOWN_CHARACTERS]}"
            )
    return body


def page(found: object, call: str) -> tuple[list[JsonObject], str]:
    """Return the objects of a page of a list, and the link to the next one, or ""."""
    body = mapping(found, call)
    value, link = body.get("value"), body.get("nextLink")
    if not isinstance(value, list):
        raise Malformed(f"the cloud answered {call} with a page that does not hold a list")
    if not all(isinstance(each, dict) for each in value):
        raise Malformed(f"the cloud answered {call} with a list that does not hold objects alone")
    if not isinstance(link, str | None):
        raise Malformed(f"the cloud answered {call} with a link that is not text")
    return value, link or ""


def text(body: Mapping[str, Any], name: str, call: str) -> str:
    """Return a text that an object must have."""
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise Malformed(f"the cloud answered {call} with an object without {name}")
    return found


def number(body: Mapping[str, Any], name: str, call: str) -> int:
    """Return a number, not below zero, that an object must have."""
    found = body.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise Malformed(f"the cloud answered {call} without a number as {name}")
    return found

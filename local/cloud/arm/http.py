"""Requests and responses, independent of the server."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import orjson

from local.cloud.arm.error import bad_request
from shared.domain.resource import Json


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """A request. Header and query names are in lower case; `base` is scheme and host."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = ""

    @property
    def api_version(self) -> str:
        """Return the api-version asked for, or ""."""
        return self.query.get("api-version", "")

    def document(self) -> dict[str, Json]:
        """Return the JSON object in the body; ArmError 400 when there is none."""
        try:
            content = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise bad_request(
                "InvalidRequestContent",
                f"The request content was invalid and could not be deserialized: '{error}'.",
            ) from error
        if not isinstance(content, dict):
            raise bad_request("InvalidRequestContent", "The request content must be a JSON object.")
        return content

    def link(self, **changed: str) -> str:
        """Return an absolute URL of the same request with other query parameters."""
        return f"{self.base}{quote(self.path)}?{urlencode({**self.query, **changed}, safe='$')}"


@dataclass(frozen=True, slots=True)
class ArmResponse:
    """A response; `body` is JSON text or empty."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(content: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> ArmResponse:
    """Return a response with a JSON body."""
    return ArmResponse(status, orjson.dumps(content), headers or {})


def page_response(rows: Iterable[bytes], next_link: str | None = None) -> ArmResponse:
    """Return a page of an ARM list, from rows of JSON text."""
    tail = b',"nextLink":' + orjson.dumps(next_link) if next_link else b""
    return ArmResponse(200, b'{"value":[' + b",".join(rows) + b"]" + tail + b"}")

"""Request bodies read strictly: bounded, in UTF-8, without ambiguity."""

from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from shared.domain.decoding import decode
from shared.domain.error import InvalidInput, TooLarge
from shared.domain.json_text import Unreadable
from shared.domain.nesting import nests_deeper

BODY_BYTES = 1_000_000
"""Maximum bytes of a JSON body."""
NESTING_LEVELS = 100
"""Maximum depth of objects and arrays."""
JSON_MEDIA_TYPES = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")


class JsonRequest(Request):
    """A request whose JSON body is read strictly, once."""

    async def body(self) -> bytes:
        """Return the raw body; TooLarge above the limit."""
        if not hasattr(self, "_body"):
            self._body = await read_bounded(self, BODY_BYTES)
        return self._body

    async def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the parsed body; InvalidInput when it is not one JSON value."""
        if not hasattr(self, "_json"):
            self._json = parse(await self.body())
        return self._json

    async def check(self) -> None:
        """Read and check the body before anything is done."""
        if await self.body():
            check_media_type(self)
            await self.json()


def check_media_type(request: Request) -> None:
    """Refuse a body that is not declared as JSON in UTF-8."""
    given, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower()
    if given.strip().lower() not in JSON_MEDIA_TYPES or charset not in ("", "charset=utf-8", 'charset="utf-8"'):
        raise HTTPException(415, "send JSON in UTF-8 with `Content-Type: application/json`")


async def read_bounded(request: Request, limit: int) -> bytes:
    """Return a body of at most `limit` bytes; TooLarge as soon as it is known to be longer."""
    check_length(request.headers.get("content-length", "0"), limit)
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > limit:
            raise _too_large(limit)
    return bytes(read)


def check_length(length: str, limit: int) -> None:
    """Raise TooLarge when a Content-Length is above the limit."""
    if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > limit):  # noqa: PLR2004 - a petabyte
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body has more than the {limit:,} bytes that are allowed here")


def parse(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Parse JSON (RFC 8259) with unique names in each object and finite numbers; InvalidInput."""
    try:
        value = decode(raw)
    except Unreadable as error:
        raise InvalidInput(f"the body is not valid JSON: {error.message}", path="body") from None
    if nests_deeper(value, NESTING_LEVELS):
        raise InvalidInput(f"the body nests deeper than {NESTING_LEVELS} objects and arrays", path="body")
    return value

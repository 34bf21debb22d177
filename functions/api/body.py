"""Request bodies read strictly: bounded, UTF-8, one meaning."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from shared.domain.decoding import decode
from shared.domain.error import InvalidInput, TooLarge
from shared.domain.notation import Unreadable

LIMIT = 1_000_000
"""Bytes of a JSON body."""
DEPTH = 100
"""Objects and arrays within each other."""
TYPES = ("application/json", "application/cloudevents+json", "application/cloudevents-batch+json")


class JsonRequest(Request):
    """A request whose JSON body is read strictly, once."""

    async def body(self) -> bytes:
        """The raw body; TooLarge over the limit."""
        if not hasattr(self, "_body"):
            self._body = await bounded(self, LIMIT)
        return self._body

    async def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The parsed body; InvalidInput when it is not the JSON of one value."""
        if not hasattr(self, "_json"):
            self._json = parse(await self.body())
        return self._json

    async def check(self) -> None:
        """Read the body, so that what is wrong with it is told before anything is done."""
        if await self.body():
            check_type(self)
            await self.json()


def check_type(request: Request) -> None:
    """Refuse what does not say that it is JSON in UTF-8."""
    given, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower()
    if given.strip().lower() not in TYPES or charset not in ("", "charset=utf-8", 'charset="utf-8"'):
        raise HTTPException(415, "send JSON in UTF-8, and say so: `Content-Type: application/json`")


async def bounded(request: Request, limit: int) -> bytes:
    """All of a body of at most `limit` bytes, refused as soon as it is known to be longer."""
    check_length(request.headers.get("content-length", "0"), limit)
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > limit:
            raise _too_large(limit)
    return bytes(read)


def check_length(told: str, limit: int) -> None:
    """Raise TooLarge when a Content-Length tells of more than the limit."""
    if told.isascii() and told.isdigit() and (len(told) > 15 or int(told) > limit):  # noqa: PLR2004 - a petabyte
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body has more than the {limit:,} bytes that are taken here")


def parse(raw: bytes) -> Any:  # noqa: ANN401 - any JSON
    """The value of a JSON text (RFC 8259), in which no name comes twice in an object and numbers are finite.

    Errors: InvalidInput.
    """
    try:
        value = decode(raw)
    except Unreadable as error:
        raise InvalidInput(f"the body is not the JSON that is taken here: {error.message}", path="body") from None
    if _depth(value) > DEPTH:
        raise InvalidInput(f"the body nests deeper than {DEPTH} objects and arrays", path="body")
    return value


def _depth(value: Any) -> int:  # noqa: ANN401 - any JSON
    """How many objects and arrays lie within each other, looked at level by level."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, Mapping) else each)]
    return depth

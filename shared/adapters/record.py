"""What every adapter asks of a record before it stores it: safe names and bounded bodies."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from shared.domain.error import InvalidInput, TooLarge

BODY_LIMIT = 2_000_000
"""Bytes of JSON in one document, and in one group written together; Cosmos DB allows 2 MiB with its envelope."""

GROUP_LIMIT = 100
"""Documents created together; the bound of a Cosmos DB transactional batch."""

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME = re.compile(r"(?!.*(?:^|/)\.)[A-Za-z0-9._=@-]+(?:/[A-Za-z0-9._=@-]+)*")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._=@-]+/)*[A-Za-z0-9._=@-]*")
_UNFIT = re.compile(r"[/\\?#\ud800-\udfff]")


def check_tenant(tenant: str) -> None:
    """Raise InvalidInput unless `tenant` can be the first part of a key or path."""
    if not _TENANT.fullmatch(tenant):
        raise InvalidInput(f"tenant {tenant[:80]!r} is not 1-64 letters, digits, '_', '.', '-'", path="tenant")


def check_scope(tenant: str, kind: str) -> None:
    """Raise InvalidInput unless both can name a partition."""
    check_tenant(tenant)
    if not _KIND.fullmatch(kind):
        raise InvalidInput(f"kind {kind[:80]!r} is not a lower-case noun of at most 63 characters", path="kind")


def check_id(text: str, *, path: str = "id") -> None:
    """Raise InvalidInput unless `text` can be the id of a document or the name of a group."""
    if not 1 <= len(text) <= 255 or _UNFIT.search(text):  # noqa: PLR2004 - the port's bound
        raise InvalidInput(f"{path} {text[:80]!r} is not 1-255 characters without '/', '\\', '?' and '#'", path=path)


def check_name(name: str) -> None:
    """Raise InvalidInput unless `name` can be the name of a blob: no empty part, none that starts with a dot."""
    if len(name) > 512 or not _NAME.fullmatch(name):  # noqa: PLR2004 - the port's bound
        raise InvalidInput(f"{name[:80]!r} is not a path of letters, digits, '.', '_', '=', '@', '-'", path="name")


def check_prefix(prefix: str) -> None:
    """Raise InvalidInput unless `prefix` can be the start of a blob's name."""
    if len(prefix) > 512 or not _PREFIX.fullmatch(prefix) or "/." in f"/{prefix}":  # noqa: PLR2004 - the port's bound
        raise InvalidInput(f"{prefix[:80]!r} cannot be the start of a blob's name", path="prefix")


def check_field(name: str, *, path: str) -> None:
    """Raise InvalidInput unless `name` can be a top-level field in a query; it goes into query texts."""
    if not _FIELD.fullmatch(name):
        raise InvalidInput(f"{name[:80]!r} cannot be the name of a top-level field", path=path)


def encode(body: Mapping[str, Any]) -> bytes:
    """The JSON of a body; InvalidInput when it has none, TooLarge over the limit."""
    try:
        data = orjson.dumps(body if isinstance(body, dict) else dict(body))
    except TypeError as error:
        raise InvalidInput(f"the body is not JSON: {error}", path="body") from error
    if len(data) > BODY_LIMIT:
        raise TooLarge(f"a body of {len(data)} bytes is over {BODY_LIMIT}: keep the bulk in a blob", path="body")
    return data


def encode_group(items: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """The bodies of documents created together, by id; TooLarge when they are too many or too big together."""
    if len(items) > GROUP_LIMIT:
        raise TooLarge(f"{len(items)} documents are over the {GROUP_LIMIT} that can be created together", path="items")
    for id_ in items:
        check_id(id_)
    encoded = {id_: encode(body) for id_, body in items.items()}
    if sum(map(len, encoded.values())) > BODY_LIMIT:
        raise TooLarge(f"the bodies created together are over {BODY_LIMIT} bytes: keep the bulk in blobs", path="items")
    return encoded

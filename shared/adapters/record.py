"""Checks that every store makes of a record before it takes it: safe names and bounded bodies."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from shared.domain.error import CortexError, InvalidInput, TooLarge
from shared.domain.nesting import nests_deeper

BODY_BYTES = 2_000_000
"""Bytes of JSON in UTF-8 in one item, and in one group written together; Cosmos DB allows 2 MiB with its envelope.

Source: Azure Cosmos DB, "Service quotas and default limits".
"""

NESTING_LEVELS = 120
"""Objects and arrays within each other in a body; Cosmos DB allows 128 with its envelope. Source: as above."""

GROUP_DOCUMENTS = 100
"""Documents created together; the bound of a Cosmos DB transactional batch."""

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_GENERATION = re.compile(r"~[0-9]{1,9}\Z")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME = re.compile(r"(?!.*(?:^|/)\.)[A-Za-z0-9._=@-]+(?:/[A-Za-z0-9._=@-]+)*")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._=@-]+/)*[A-Za-z0-9._=@-]*")
# What Cosmos DB forbids in ids, and halves of surrogate pairs, which are no text.
_UNFIT = re.compile(r"[/\\?#\ud800-\udfff]")


def check_tenant(tenant: str) -> None:
    """Raise InvalidInput unless `tenant` can be the first part of a key or path."""
    if not _TENANT.fullmatch(tenant):
        raise InvalidInput(f"tenant {tenant[:80]!r} is not 1-64 letters, digits, '_', '.', '-'", path="tenant")


def check_scope(tenant: str, kind: str) -> None:
    """Raise InvalidInput unless both can name a partition; `tenant` may name a generation of its documents."""
    check_tenant(_GENERATION.sub("", tenant))
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
    """Encode a body as JSON; InvalidInput when that fails or it nests too deeply, TooLarge over the limit."""
    data = to_json(body)
    if len(data) > BODY_BYTES:
        raise TooLarge(f"a body of {len(data)} bytes is over {BODY_BYTES}: keep the bulk in a blob", path="body")
    # Counting brackets is cheap and almost always enough; only bodies with many are walked.
    if data.count(b"[") + data.count(b"{") > NESTING_LEVELS and nests_deeper(body, NESTING_LEVELS):
        raise InvalidInput(f"the body nests deeper than {NESTING_LEVELS} objects and arrays", path="body")
    return data


def encode_many(items: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, bytes], dict[str, CortexError]]:
    """Encode the bodies that can be stored, by id, and say why the others cannot."""
    encoded: dict[str, bytes] = {}
    refused: dict[str, CortexError] = {}
    for id_, body in items.items():
        try:
            check_id(id_)
            encoded[id_] = encode(body)
        except (InvalidInput, TooLarge) as error:
            refused[id_] = error
    return encoded, refused


def to_json(body: Mapping[str, Any]) -> bytes:
    """Encode a body of any size as JSON; InvalidInput when that fails."""
    try:
        return orjson.dumps(body if isinstance(body, dict) else dict(body))
    except TypeError as error:
        raise InvalidInput(f"the body is not JSON: {error}", path="body") from error


def encode_group(items: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """Encode documents that are created together, by id; TooLarge when they are too many or too big together."""
    if len(items) > GROUP_DOCUMENTS:
        raise TooLarge(
            f"{len(items)} documents are over the {GROUP_DOCUMENTS} that can be created together", path="items"
        )
    for id_ in items:
        check_id(id_)
    encoded = {id_: encode(body) for id_, body in items.items()}
    if sum(map(len, encoded.values())) > BODY_BYTES:
        raise TooLarge(f"the bodies created together are over {BODY_BYTES} bytes: keep the bulk in blobs", path="items")
    return encoded

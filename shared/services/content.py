"""Bulk in blobs, named by the hash of their bytes or by the digest of their JSON value, checked on each read."""

import gzip
import hashlib
import re
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from shared.domain.canonical import digest
from shared.domain.error import Damaged, InvalidInput, NotFound
from shared.ports.blobs import Blobs

_NAME_PATTERN = re.compile(r"([0-9a-f]{16,64})\.json(\.gz)?")
_REMEDY = "restore it from a backup"


def keep(stem: str, raw: bytes, *, blobs: Blobs, tenant: str) -> str:
    """Keep bytes, compressed, in a blob whose name is the stem and their hash; return the name.

    A blob that exists is written again: what is referred to from now on must not be old enough to be removed.
    """
    return _put(stem, hashlib.sha256(raw).hexdigest(), raw, blobs, tenant)


def load(name: str, *, blobs: Blobs, tenant: str) -> bytes:
    """Return the bytes of a blob that is named by their hash; Damaged when it is gone, torn or holds anything else."""
    raw = _get(name, blobs, tenant)
    _check(name, hashlib.sha256(raw).hexdigest())
    return raw


def keep_json(stem: str, value: Mapping[str, Any], *, blobs: Blobs, tenant: str) -> str:
    """Keep a JSON value as it is in a blob whose name is the stem and the value's canonical digest; return the name.

    Raises:
        InvalidInput: it is not JSON.
    """
    # Not the canonical text: that is made for the digest, and reads back as other numbers.
    return _put(stem, digest(value), orjson.dumps(value), blobs, tenant)


def load_json(name: str, *, blobs: Blobs, tenant: str) -> dict[str, Any]:
    """Return the JSON value of a blob that is named by its digest; Damaged when it is gone, torn or anything else."""
    raw = _get(name, blobs, tenant)
    try:
        value: dict[str, Any] = orjson.loads(raw)
        found = digest(value)
    except (orjson.JSONDecodeError, InvalidInput):
        found = ""  # what is not JSON is not what was kept
    _check(name, found)
    return value


def _put(stem: str, named: str, raw: bytes, blobs: Blobs, tenant: str) -> str:
    name = f"{stem}{named}.json.gz"
    # Fast compression and no time stamp: equal content gives equal bytes.
    blobs.put(tenant=tenant, name=name, data=gzip.compress(raw, compresslevel=1, mtime=0))
    return name


def _get(name: str, blobs: Blobs, tenant: str) -> bytes:
    try:
        data = blobs.get(tenant=tenant, name=name)
    except NotFound as error:
        raise Damaged(f"blob '{name}' is missing: {_REMEDY}") from error
    try:
        return gzip.decompress(data) if name.endswith(".gz") else data
    except (OSError, EOFError, zlib.error) as error:
        raise Damaged(f"blob '{name}' is damaged ({error}): {_REMEDY}") from error


def _check(name: str, found: str) -> None:
    # The name proves the content: a blob that was overwritten or mixed up must not be taken for another.
    named = _NAME_PATTERN.search(name)
    if named is None or not found.startswith(named[1]):
        raise Damaged(f"blob '{name}' does not have the content that its name says: {_REMEDY}")

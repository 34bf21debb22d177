"""Generation: an estate written into a store, streamed."""

import functools
import re
import secrets
import time
from pathlib import Path

from local import estate
from local.cloud import address
from local.cloud.store import fill, stored_type
from local.stack import guid, tenant
from local.template import Record
from shared.domain.resource import Json

_ETAG = re.compile(r'"e[tT]ag":"((?:[^"\\]|\\.)*)"')
_stored_type = functools.cache(stored_type)
_MADE = "2026-11-24T08:00:00.000000Z"
"""When everything in a new estate was last changed."""


def generate(path: Path, *, seed: int, count: int) -> float:
    """Write the estate of `seed` and `count` to a new store at `path`; how many seconds it took."""
    started = time.perf_counter()
    facts = {
        "seed": str(seed),
        "count": str(count),
        "step": "0",
        "tenant": tenant(seed),
        "secret": secrets.token_hex(32),
    }
    fill(path, map(_values, estate.records(seed, count)), facts)
    return time.perf_counter() - started


def _values(record: Record) -> tuple[Json, ...]:
    """The columns of a row (see `Row.values`), made without a `Row` because there are millions."""
    template, key = record.template, record.id.lower()
    etag = None if template.etag == "none" else _etag(record)
    scope = address.subscription_of(key), address.group_of(key)
    return (key, _stored_type(template.type), template.graph, *scope, etag, _MADE, _MADE, 0.0, record.text.encode())


def _etag(record: Record) -> str:
    """The etag in the body; one made of the id for types that show it in a header only."""
    found = _ETAG.search(record.text)
    return found[1].replace('\\"', '"') if found else f'"{guid("etag", record.id)}"'

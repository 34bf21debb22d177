"""Generation: an estate written into a store, streamed."""

import re
import secrets
import time
from pathlib import Path

from local import estate
from local.cloud.store import Row, fill, row
from local.stack import guid, tenant
from local.template import Record

_ETAG = re.compile(r'"e[tT]ag":"((?:[^"\\]|\\.)*)"')
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
    fill(path, map(_row, estate.records(seed, count)), facts)
    return time.perf_counter() - started


def _row(record: Record) -> Row:
    template = record.template
    return row(
        record.id.lower(),
        kind=template.type,
        graph=template.graph,
        at=_MADE,
        body=record.text.encode(),
        etag=None if template.etag == "none" else _etag(record),
    )


def _etag(record: Record) -> str:
    """The etag in the body; one made of the id for types that show it in a header only."""
    found = _ETAG.search(record.text)
    return found[1].replace('\\"', '"') if found else f'"{guid("etag", record.id)}"'

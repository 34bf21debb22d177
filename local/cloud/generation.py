"""Generation: an estate written into a store, streamed."""

import re
import secrets
import time
from pathlib import Path

from local import estate
from local.cloud.store import Row, fill, row
from local.stack import tenant
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
    etag = _ETAG.search(record.text) if template.etag != "none" else None
    return row(
        record.id.lower(),
        kind=template.type,
        graph=template.graph,
        at=_MADE,
        body=record.text.encode(),
        etag=etag[1].replace('\\"', '"') if etag else None,
    )

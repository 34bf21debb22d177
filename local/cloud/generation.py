"""Generation: writes an estate into a new store, as a stream."""

import functools
import re
import secrets
import time
from pathlib import Path

from local import estate
from local.cloud.arm import address
from local.cloud.store import bulk_insert, stored_type
from local.resource_template import EstateRecord
from local.workload import guid, tenant
from shared.domain.resource import Json

# Found in the text: parsing the bodies of a million resources would take most of the time.
_ETAG = re.compile(r'"e[tT]ag":"((?:[^"\\]|\\.)*)"')
# Asked for every resource, of a few hundred types.
_stored_type = functools.cache(stored_type)
_CREATED_AT = "2026-11-24T08:00:00.000000Z"
"""When everything in a new estate was last changed."""


def generate_estate(path: Path, *, seed: int, count: int) -> float:
    """Write the estate of `seed` and `count` to a new store at `path`. Return the seconds it took."""
    started = time.perf_counter()
    facts = {
        "seed": str(seed),
        "count": str(count),
        "step": "0",
        "tenant": tenant(seed),
        "secret": secrets.token_hex(32),
    }
    bulk_insert(path, map(_values, estate.records(seed, count)), facts)
    return time.perf_counter() - started


def _values(record: EstateRecord) -> tuple[Json, ...]:
    """Return the columns of a row (see `StoredRow.values`), without making a row: there are millions."""
    template, key = record.template, record.id.lower()
    etag = None
    if template.etag != "none":  # types that show it in a header only have none in the body: theirs follows from the id
        found = _ETAG.search(record.text)
        etag = found[1].replace('\\"', '"') if found else f'"{guid("etag", record.id)}"'
    scope = address.subscription_of(key), address.group_of(key)
    return (
        key,
        _stored_type(template.type),
        template.graph,
        *scope,
        etag,
        _CREATED_AT,
        _CREATED_AT,
        0.0,
        record.text.encode(),
    )

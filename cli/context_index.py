"""The other records of an input as context: subscriptions, resource groups, and what belongs to a resource.

They are kept in a file of SQLite, so that memory stays bounded however many there are, and every process reads them.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path

import orjson

from shared.domain.arm_id import (
    RESOURCE_GROUP_TYPE,
    SUBSCRIPTION_TYPE,
    group_id_of,
    holder_of,
    subscription_of,
    type_of,
)
from shared.domain.inventory import RecordError
from shared.domain.resource import Body, Resource
from shared.engine import Context, PolicySet
from shared.importing.inventory_reader import InventoryRecord, RecordReader

_CONTAINERS = (SUBSCRIPTION_TYPE, RESOURCE_GROUP_TYPE)
_CONTAINER_MARKS = (b"resources/subscriptions", b"resources/resourcegroups", b"\\/")
"""What the text of a subscription or a resource group holds, which says its type; slashes may be escaped."""
_TABLE = "CREATE TABLE record (id TEXT PRIMARY KEY, parent TEXT, whole INTEGER, record BLOB) WITHOUT ROWID"
_INDEX = "CREATE INDEX record_parent ON record (parent) WHERE parent IS NOT NULL"
# Of two records of a resource the later one counts, but one without properties never replaces one that has them.
_KEEP = """INSERT INTO record VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    whole = excluded.whole, record = excluded.record WHERE excluded.whole >= record.whole"""

# What belongs to a resource, group or subscription; a subscription also has what lies in its groups.
_HELD = """SELECT record FROM record WHERE parent = :id
    OR (parent >= :groups AND parent < :groups || '~' AND instr(parent, '/providers/') = 0)"""


def write_index(path: Path, records: Iterable[InventoryRecord], reader: RecordReader, policies: PolicySet) -> None:
    """Write into a new file those of the records that may be context for others under these policies."""
    related = frozenset[str]().union(*(each.related for policy in policies.policies for each in policy.variants))
    # To search the text for the last part of a type costs far less than to read every record.
    marks = (*_CONTAINER_MARKS, *(kind.rpartition("/")[2].encode() for kind in related))
    found = (each for record in records if _may_be(record, marks) for each in reader.read(record))
    with closing(sqlite3.connect(path)) as file:
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", _TABLE, _INDEX):
            file.execute(statement)
        file.executemany(_KEEP, _rows(found, related))
        file.commit()


def _may_be(record: InventoryRecord, marks: Iterable[bytes]) -> bool:
    text = record.piece.text.lower()
    return b'"type"' not in text or any(mark in text for mark in marks)


def _rows(
    found: Iterable[Resource | RecordError], related: Container[str]
) -> Iterator[tuple[str, str | None, bool, bytes]]:
    """Yield the rows of resource groups, subscriptions, and resources of the related types that belong to another."""
    for each in found:
        if isinstance(each, RecordError) or not each.id:
            continue
        low, parent = each.id.lower().rstrip("/"), None
        if type_of(low) not in _CONTAINERS and (each.type.lower() not in related or not (parent := holder_of(low))):
            continue
        yield low, parent, "properties" not in each.unread, orjson.dumps(each.to_record())


class ContextIndex:
    """Reads what `write_index` wrote: the context of each resource, and the related resources that were found."""

    def __init__(self, path: Path, plain: Context, policies: PolicySet) -> None:
        self._file = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        self._related_types = cache(policies.related_types)
        self._plain = plain
        containers = self._file.execute("SELECT id, record FROM record WHERE parent IS NULL")
        self._containers: dict[str, Body] = {identity: orjson.loads(record)["body"] for identity, record in containers}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def of(self, resource: Resource) -> Context:
        """Return the context of a resource: of what is not in the input, only what its id says is known."""
        group = self._containers.get(str(group_id_of(resource.id)).lower())
        subscription = self._containers.get(f"/subscriptions/{subscription_of(resource.id)}")
        if group is None and subscription is None:
            return self._plain
        return replace(self._plain, resource_group=group, subscription=subscription)

    def with_related(self, resource: Resource) -> Resource:
        """Return a resource with what belongs to it; one whose record says so itself as it is.

        What the input has need not be all there is, so the lists count as incomplete.
        """
        wanted = self._related_types(resource.type.lower())
        if not resource.id or resource.related or not wanted:
            return resource
        found: defaultdict[str, list[Resource]] = defaultdict(list)
        low = resource.id.lower().rstrip("/")
        for (record,) in self._file.execute(_HELD, {"id": low, "groups": f"{low}/resourcegroups/"}):
            each = Resource.from_record(orjson.loads(record))
            if each.type.lower() in wanted:
                found[each.type.lower()].append(each)
        related = {kind: tuple(those) for kind, those in found.items()}
        return replace(resource, related=related, partial=frozenset(related)) if related else resource

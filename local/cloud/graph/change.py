"""Changes as Resource Graph shows them: of resources and of containers, for fourteen days.

Source: Azure Resource Graph, "Get resource changes": only what a table of resources lists has changes; creations and
deletions list no properties; a change can be told some minutes after it was made.
"""

import uuid
from collections.abc import Mapping
from datetime import timedelta

import orjson

from local.cloud.cloud import Cloud
from local.cloud.store import StoredRow
from shared.domain.difference import differences
from shared.domain.resource import Json

CHANGE_DAYS = 14
_TABLES: Mapping[str, str] = {"resources": "resourcechanges", "resourcecontainers": "resourcecontainerchanges"}
"""Table of resources -> table of their changes."""
_UNSHOWN = frozenset({"etag", "systemData"})
"""Members of a body that no column shows."""


def source(table: str) -> str:
    """Return the table of the store that holds the rows of a Resource Graph table."""
    return "change" if table in _TABLES.values() else "resource"


def visible(cloud: Cloud, table: str) -> tuple[str, tuple[Json, ...]]:
    """Return the SQL condition that a change is told by now, and still told."""
    if source(table) == "resource":
        return "1", ()
    newest = cloud.clock() - timedelta(seconds=cloud.graph_delay_seconds)
    oldest = cloud.clock() - timedelta(days=CHANGE_DAYS)
    return "at > ? AND at <= ?", (oldest.isoformat(timespec="microseconds"), newest.isoformat(timespec="microseconds"))


def record_written(cloud: Cloud, old: StoredRow | None, new: StoredRow) -> None:
    """Record that a resource was created or updated; an update that changes nothing is none."""
    if old is None:
        _record(cloud, new, "Create", {})
        return
    before, after = _shown(old), _shown(new)
    if changes := {each.path: _values(each.before, each.after) for each in differences(before, after)}:
        _record(cloud, new, "Update", changes)


def record_deleted(cloud: Cloud, key: str) -> None:
    """Record that a resource is deleted, with all below it; to be called while they are there."""
    top = cloud.store.get(key)
    for each in (*((top,) if top else ()), *cloud.store.scan(f"{key}/")):
        _record(cloud, each, "Delete", {})


def _record(cloud: Cloud, row: StoredRow, kind: str, changes: Mapping[str, Json]) -> None:
    table = _TABLES.get(row.graph or "")
    if table is None:
        return
    name = str(uuid.uuid4())
    target = row.document()["id"]
    at = cloud.clock().isoformat(timespec="microseconds")
    attributes = {"timestamp": at, "changesCount": len(changes), "changedByType": "Unknown", "clientType": "Unknown"}
    properties = {
        "targetResourceId": target,
        "targetResourceType": row.type,
        "changeType": kind,
        "changeAttributes": attributes,
        **({"changes": changes} if changes else {}),
    }
    identity = f"{target}/providers/Microsoft.Resources/changes/{name}"
    body = orjson.dumps({"id": identity, "name": name, "properties": properties})
    cloud.store.add_change(identity.lower(), table, row, at=at, body=body)


def _shown(row: StoredRow) -> dict[str, Json]:
    return {name: value for name, value in row.document().items() if name not in _UNSHOWN}


def _values(before: Json, after: Json) -> dict[str, str]:
    """Return both values of a change as text, as Resource Graph shows them."""
    texts = (each if isinstance(each, str) else orjson.dumps(each).decode() for each in (before, after))
    return dict(zip(("previousValue", "newValue"), texts, strict=True))

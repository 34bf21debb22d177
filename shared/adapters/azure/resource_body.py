"""The body of a resource as it is kept: the same whichever way it was read.

Resource Manager answers more than Resource Graph has columns for, such as `etag` and `systemData`, and writes `null`
or `""` where the other has nothing. What only one of them shows would differ from scan to scan though nothing changed,
so that it is left out; what changes by itself is left out of all.
Sources: Azure Resource Graph REST API, "Resources"; "Summarize virtual machine by power state" (extended);
Azure Resource Manager RPC, "Common API details" (systemData).
"""

from collections.abc import Iterable, Mapping

from shared.domain.body import VOLATILE
from shared.domain.inventory import UnreadReason
from shared.domain.resource import Json, JsonObject, Resource, Unread

COLUMNS = (
    "id",
    "name",
    "type",
    "kind",
    "location",
    "tags",
    "sku",
    "plan",
    "identity",
    "managedBy",
    "zones",
    "extendedLocation",
    "properties",
)
"""The members of a body that Resource Graph has columns for."""

GRAPH_PROPERTIES: Mapping[str, frozenset[str]] = {"microsoft.compute/virtualmachines": frozenset({"extended"})}
"""Properties that only Resource Graph shows, by type. `extended` has the power state: stopping a machine changes it."""


def listed(found: Mapping[str, Json], kind: str) -> JsonObject:
    """Return the body of a resource that Resource Graph lists, with its type in this spelling."""
    body = _kept(((name, found.get(name)) for name in COLUMNS), kind)
    hidden = GRAPH_PROPERTIES.get(kind.lower(), frozenset())
    if hidden and isinstance(properties := body.get("properties"), Mapping):
        body["properties"] = {name: value for name, value in properties.items() if name not in hidden}
    return body


def unlisted(found: Mapping[str, Json], kind: str) -> JsonObject:
    """Return the body of a resource that only Resource Manager has, with its type in this spelling."""
    return _kept((each for each in found.items() if each[0].lower() not in VOLATILE), kind)


def resource(body: JsonObject, version: str | None, at: str) -> Resource:
    """Return a body that was listed at a time as a resource; one that came without properties says so."""
    unread = {} if "properties" in body else {"properties": Unread(UnreadReason.NOT_COLLECTED.value, at=at)}
    return Resource(body, version, at, unread)


def _kept(members: Iterable[tuple[str, Json]], kind: str) -> JsonObject:
    body = {name: value for name, value in members if value is not None and value != ""}
    if not body.get("tags", True):  # no tags, written as an empty object
        del body["tags"]
    body["type"] = kind
    return body

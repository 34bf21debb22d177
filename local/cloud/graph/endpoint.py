"""Resource Graph: queries over all subscriptions, page by page.

Sources: Azure Resource Graph REST API, "Resources"; "Work with large Azure resource data sets"; "Guidance for
pagination".
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from local.cloud.arm import hierarchy
from local.cloud.arm.error import ArmError, bad_request
from local.cloud.arm.http import ArmRequest, ArmResponse
from local.cloud.cloud import Cloud
from local.cloud.faults.fault import Fault
from local.cloud.graph import change, container, kql
from local.cloud.store import prefix_end
from shared.domain.resource import Json

PAGE_ITEMS = 1000
PAYLOAD_BYTES = 16 * 1024 * 1024
API_VERSIONS = frozenset({
    "2024-04-01", "2022-10-01", "2021-03-01", "2021-06-01-preview", "2020-04-01-preview", "2019-04-01",
})  # fmt: skip
_DYNAMIC = frozenset({"sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation"})
"""Columns that cannot be sorted: a query for nothing else has no further pages."""
_SHOWN_PROPERTIES: Mapping[str, Mapping[str, Json]] = {
    "microsoft.compute/virtualmachines": {
        "extended": {
            "instanceView": {
                "powerState": {"code": "PowerState/running", "displayStatus": "VM running", "level": "Info"}
            }
        }
    },
}
"""Properties that only rows have, by type. Source: Azure Resource Graph, "Summarize virtual machine by power state"."""
_QUERY_MEMBERS = ("query", "subscriptions", "managementGroups")
_INVALID_QUERY = (
    "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error."
)

SqlCondition = tuple[str, tuple[Json, ...]]
"""An SQL condition and what its `?` stand for."""


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a page starts: after a key, or after so many rows; `total` is None until the rows have been counted.

    `asked` is a digest of the query: a token belongs to the query it was given for.
    """

    key: str = ""
    skip: int = 0
    total: int | None = None
    asked: str = ""


@dataclass(frozen=True, slots=True)
class _Page:
    """The rows of a response. `rest` is where the next page starts, `cut` that more rows cannot be had."""

    rows: Sequence[Mapping[str, Json]]
    total: int
    rest: _Cursor | None = None
    cut: bool = False


def query_resources(cloud: Cloud, request: ArmRequest, hidden: Sequence[Fault] = ()) -> ArmResponse:
    """Return the response to a query: counts, or a page of rows without those that `hidden` faults forbid."""
    if request.api_version not in API_VERSIONS:
        raise bad_request("InvalidApiVersionParameter", f"The api-version '{request.api_version}' is invalid.")
    asked = request.document()
    try:
        query = kql.parse_query(str(asked.get("query") or ""))
    except kql.TableError as error:
        raise invalid_query(cloud, "DisallowedLogicalTableName", str(error)) from error
    except kql.QueryError as error:
        raise invalid_query(cloud, "InvalidQuery", _INVALID_QUERY, ("ParserFailure", str(error))) from error
    conditions = [
        ("graph = ?", (query.table,)),
        change.visible(cloud, query.table),
        _scope(cloud, asked),
        *query.conditions,
        *map(_readable, hidden),
    ]
    where = " AND ".join(sql for sql, _ in conditions), tuple(value for _, values in conditions for value in values)
    if query.by is not None:
        return _response(_counted(cloud, query, query.by, where))
    # A token is bound to its query: in the pages of another one rows would be skipped unseen.
    digest = hashlib.sha256(orjson.dumps([asked.get(name) for name in _QUERY_MEMBERS])).hexdigest()[:16]
    return _response(_page(cloud, query, {**(asked.get("options") or {}), "asked": digest}, where))


def invalid_query(cloud: Cloud, *details: str | tuple[str, str]) -> ArmError:
    """Return the 400 of Resource Graph, which says what is wrong in the details."""
    support = f"timestamp = {cloud.timestamp()}, correlationId = {cloud.new_id()}"
    message = f"Please provide below info when asking for support: {support}."
    pairs = [details[:2], *details[2:]]
    return ArmError(400, "BadRequest", message, details=[{"code": pair[0], "message": pair[1]} for pair in pairs])


def _scope(cloud: Cloud, asked: Mapping[str, Json]) -> SqlCondition:
    """Return the condition for the scope of a query: subscriptions, management groups, or all of the tenant."""
    chosen = {str(each).lower() for each in asked.get("subscriptions") or ()}
    for name in asked.get("managementGroups") or ():
        chosen.update(hierarchy.subscriptions_of(cloud, str(name)))
    if not asked.get("subscriptions") and not asked.get("managementGroups"):
        return "1", ()
    # A scope without subscriptions holds nothing, and is not the same as no scope.
    names = sorted(chosen) or [""]
    # The range of keys lets SQLite use its index; the list then leaves out the subscriptions in between.
    sql = "key >= ? AND key < ? AND subscription IN (SELECT value FROM json_each(?))"
    return sql, (f"/subscriptions/{names[0]}", prefix_end(f"/subscriptions/{names[-1]}"), orjson.dumps(names).decode())


def _readable(fault: Fault) -> SqlCondition:
    """Return the condition that a row may be read: Resource Graph leaves out others without saying so."""
    kind = fault.type.lower() or (f"{fault.provider}/".lower() if fault.provider else "")
    scope = fault.scope.lower().rstrip("/")
    below = f"{scope}/" if scope else ""
    # The end of the empty prefix lies beyond all texts: without a type or scope, all match.
    sql = "NOT (type >= ? AND type < ? AND (key = ? OR (key >= ? AND key < ?)))"
    return sql, (kind, prefix_end(kind), scope, below, prefix_end(below))


def _counted(cloud: Cloud, query: kql.KqlQuery, by: Sequence[tuple[str, kql.KqlPath]], where: SqlCondition) -> _Page:
    columns = ", ".join([*(path.sql for _, path in by), "count(*)"])
    group = f" GROUP BY {', '.join(str(number + 1) for number in range(len(by)))} ORDER BY 1" if by else ""
    source = change.source(query.table)
    found = cloud.store.query(f"SELECT {columns} FROM {source} WHERE {where[0]}{group}", where[1])  # noqa: S608 - parsed
    names = [*(name for name, _ in by), query.total]
    return _Page([dict(zip(names, row, strict=True)) for row in found], len(found))


def _page(cloud: Cloud, query: kql.KqlQuery, options: Mapping[str, Json], where: SqlCondition) -> _Page:
    cursor, most = _cursor(cloud, options), _size(cloud, options)
    total, source = cursor.total, change.source(query.table)
    # Counted for the first page only: the token takes the number along.
    if total is None:
        total = int(cloud.store.query(f"SELECT count(*) FROM {source} WHERE {where[0]}", where[1])[0][0])  # noqa: S608 - parsed
    if query.take is not None:
        total, most = min(total, query.take), min(most, query.take)
    by_id = all(path.parts == ("id",) and not down for path, down in query.order)
    order = "" if by_id else "".join(f"{path.sql} {'DESC' if down else 'ASC'}, " for path, down in query.order)
    sql = (
        f"SELECT key, type, subscription, grp, body FROM {source} WHERE {where[0]} AND key > ?"  # noqa: S608 - parsed
        f" ORDER BY {order}key LIMIT ? OFFSET ?"
    )
    # One more row shows whether a page follows.
    found = cloud.store.query(sql, (*where[1], cursor.key, most + 1, cursor.skip))
    more = len(found) > most and total > most
    rows = [_row(cloud, query, row) for row in found[:most]]
    ordered = query.columns is None or any(path.parts[0] not in _DYNAMIC for _, path in query.columns)
    if not more or query.take is not None or not ordered:
        return _Page(rows, total, cut=more and most < total)
    # By id the next page starts after a key, which stays right when rows come and go; other orders can only skip.
    key, skip = (found[most - 1][0], 0) if by_id else ("", cursor.skip + most)
    return _Page(rows, total, _Cursor(key, skip, total, options["asked"]))


def _size(cloud: Cloud, options: Mapping[str, Json]) -> int:
    most = options.get("$top", PAGE_ITEMS)
    if not isinstance(most, int) or most < 1:
        raise invalid_query(cloud, "InvalidTop", f"The value '{most}' of $top must be a positive number.")
    return min(most, PAGE_ITEMS)


def _cursor(cloud: Cloud, options: Mapping[str, Json]) -> _Cursor:
    token = options.get("$skipToken")
    if not token:
        return _Cursor(skip=int(options.get("$skip") or 0))
    try:
        key, skip, total, asked = orjson.loads(base64.b64decode(str(token), validate=True))
        found = _Cursor(str(key), int(skip), int(total), str(asked))
    except (binascii.Error, ValueError, TypeError) as error:
        raise invalid_query(cloud, "InvalidSkipToken", "The skip token is not valid.") from error
    if found.asked != options["asked"]:
        raise invalid_query(cloud, "InvalidSkipToken", "The skip token was given for another query.")
    return found


def _row(cloud: Cloud, query: kql.KqlQuery, found: tuple[Json, ...]) -> dict[str, Json]:
    body = container.container_row(cloud, found[1], orjson.loads(found[4]))
    if query.table == "resources" and (shown := _SHOWN_PROPERTIES.get(str(found[1]))):
        body["properties"] = {**(body.get("properties") or {}), **shown}
    if query.columns is None:
        return {name: cell(found, body) for name, cell in _CELLS.items()}
    row = {}
    for name, path in query.columns:
        value = _CELLS[path.parts[0]](found, body)
        for part in path.parts[1:]:
            value = value.get(part) if isinstance(value, dict) else None
        row[name] = value
    return row


_CELLS: Mapping[str, Callable[[tuple[Json, ...], Mapping[str, Json]], Json]] = {
    "id": lambda _, body: body["id"],
    "name": lambda _, body: body["name"],
    "type": lambda found, _: found[1],
    "tenantId": lambda _, body: body.get("tenantId", ""),
    "kind": lambda _, body: body.get("kind") or "",
    "location": lambda _, body: (body.get("location") or "").replace(" ", "").lower(),
    "resourceGroup": lambda found, _: found[3],
    "subscriptionId": lambda found, _: found[2],
    "managedBy": lambda _, body: body.get("managedBy") or "",
    "sku": lambda _, body: body.get("sku"),
    "plan": lambda _, body: body.get("plan"),
    "properties": lambda _, body: body.get("properties"),
    "tags": lambda _, body: body.get("tags"),
    "identity": lambda _, body: body.get("identity"),
    "zones": lambda _, body: body.get("zones"),
    "extendedLocation": lambda _, body: body.get("extendedLocation"),
}


def _response(page: _Page) -> ArmResponse:
    content: dict[str, Json] = {
        "totalRecords": page.total,
        "count": len(page.rows),
        "data": page.rows,
        "facets": [],
        # Text, as Resource Graph has it, not a boolean.
        "resultTruncated": "true" if page.cut else "false",
    }
    if page.rest:
        token = orjson.dumps([page.rest.key, page.rest.skip, page.rest.total, page.rest.asked])
        content["$skipToken"] = base64.b64encode(token).decode()
    text = orjson.dumps(content)
    if len(text) > PAYLOAD_BYTES:
        raise response_too_large(len(text))
    return ArmResponse(200, text)


def response_too_large(size: int) -> ArmError:
    """Return the 400 for a response that is too large to send."""
    message = (
        f"Response payload size is {size}, and has exceeded the limit of {PAYLOAD_BYTES}. Please consider querying "
        "less data at a time and make paginated call if needed."
    )
    return ArmError(400, "ResponsePayloadTooLarge", message)

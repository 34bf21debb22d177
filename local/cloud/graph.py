"""Resource Graph: queries over all subscriptions, page by page.

Source: Azure Resource Graph REST API, "Resources"; "Work with large Azure resource data sets".
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from local.cloud import container, hierarchy, kql
from local.cloud.cloud import Cloud
from local.cloud.error import ArmError, bad_request
from local.cloud.fault import Fault
from local.cloud.message import Answer, Request
from local.cloud.store import end_of
from shared.domain.resource import Json

PAGE = 1000
PAYLOAD = 16 * 1024 * 1024
API_VERSIONS = frozenset({
    "2024-04-01", "2022-10-01", "2021-03-01", "2021-06-01-preview", "2020-04-01-preview", "2019-04-01",
})  # fmt: skip
_INVALID = "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error."

Condition = tuple[str, tuple[Json, ...]]
"""An SQL condition and what its `?` stand for."""


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a page starts: after a key, or after so many rows; `total` is None until the rows have been counted."""

    key: str = ""
    skip: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    """The rows of an answer; `rest` leads on where there are more, `cut` says that the rest cannot be had."""

    rows: Sequence[Mapping[str, Json]]
    total: int
    rest: _Cursor | None = None
    cut: bool = False


def resources(cloud: Cloud, request: Request, hidden: Sequence[Fault] = ()) -> Answer:
    """Answer a query."""
    if request.api_version not in API_VERSIONS:
        raise bad_request("InvalidApiVersionParameter", f"The api-version '{request.api_version}' is invalid.")
    asked = request.document()
    query = _parsed(cloud, asked)
    where = _all([("graph = ?", (query.table,)), _scope(cloud, asked), *query.conditions, *map(_readable, hidden)])
    if query.by is not None:
        return _answer(_counted(cloud, query, query.by, where))
    return _answer(_page(cloud, query, asked.get("options") or {}, where))


def _parsed(cloud: Cloud, asked: Mapping[str, Json]) -> kql.Query:
    try:
        return kql.parse(str(asked.get("query") or ""))
    except kql.QueryError as error:
        raise invalid(cloud, "InvalidQuery", _INVALID, ("ParserFailure", str(error))) from error


def invalid(cloud: Cloud, *details: str | tuple[str, str]) -> ArmError:
    """The 400 of Resource Graph: what is wrong stands in the details."""
    support = f"timestamp = {cloud.timestamp()}, correlationId = {cloud.new_id()}"
    message = f"Please provide below info when asking for support: {support}."
    pairs = [details[:2], *details[2:]]
    return ArmError(400, "BadRequest", message, details=[{"code": pair[0], "message": pair[1]} for pair in pairs])


def _all(conditions: Sequence[Condition]) -> Condition:
    return " AND ".join(sql for sql, _ in conditions), tuple(value for _, values in conditions for value in values)


def _scope(cloud: Cloud, asked: Mapping[str, Json]) -> Condition:
    """The condition for the scope of a query: subscriptions, management groups, or all of the tenant."""
    chosen = {str(each).lower() for each in asked.get("subscriptions") or ()}
    for name in asked.get("managementGroups") or ():
        chosen.update(hierarchy.subscriptions_of(cloud, str(name)))
    if not asked.get("subscriptions") and not asked.get("managementGroups"):
        return "1", ()
    names = sorted(chosen) or [""]
    sql = "key >= ? AND key < ? AND subscription IN (SELECT value FROM json_each(?))"
    return sql, (f"/subscriptions/{names[0]}", end_of(f"/subscriptions/{names[-1]}"), orjson.dumps(names).decode())


def _readable(fault: Fault) -> Condition:
    """Holds for the rows that may be read: others are left out without a word, as Resource Graph does it."""
    kind = fault.type.lower() or (f"{fault.provider}/".lower() if fault.provider else "")
    scope = fault.scope.lower().rstrip("/")
    below = f"{scope}/" if scope else ""
    sql = "NOT (type >= ? AND type < ? AND (key = ? OR (key >= ? AND key < ?)))"
    return sql, (kind, end_of(kind), scope, below, end_of(below))


def _counted(cloud: Cloud, query: kql.Query, by: Sequence[tuple[str, kql.Path]], where: Condition) -> _Page:
    columns = ", ".join([*(path.sql for _, path in by), "count(*)"])
    group = f" GROUP BY {', '.join(str(number + 1) for number in range(len(by)))} ORDER BY 1" if by else ""
    found = cloud.store.query(f"SELECT {columns} FROM resource WHERE {where[0]}{group}", where[1])  # noqa: S608 - parsed
    names = [*(name for name, _ in by), query.total]
    return _Page([dict(zip(names, row, strict=True)) for row in found], len(found))


def _page(cloud: Cloud, query: kql.Query, options: Mapping[str, Json], where: Condition) -> _Page:
    cursor, most = _cursor(cloud, options), _size(cloud, options)
    total = _count(cloud, where) if cursor.total is None else cursor.total
    if query.take is not None:
        total, most = min(total, query.take), min(most, query.take)
    by_id = all(path.parts == ("id",) and not down for path, down in query.order)
    found = _select(cloud, query, where, cursor, most=most + 1, by_id=by_id)
    more = len(found) > most and total > most
    rows = [_row(cloud, query, row) for row in found[:most]]
    if not more or query.take is not None:
        return _Page(rows, total, cut=more and most < total)
    return _Page(rows, total, _Cursor(found[most - 1][0] if by_id else "", 0 if by_id else cursor.skip + most, total))


def _select(
    cloud: Cloud, query: kql.Query, where: Condition, cursor: _Cursor, *, most: int, by_id: bool
) -> list[tuple[Json, ...]]:
    order = "" if by_id else "".join(f"{path.sql} {'DESC' if down else 'ASC'}, " for path, down in query.order)
    sql = (
        f"SELECT key, type, subscription, grp, body FROM resource WHERE {where[0]} AND key > ?"  # noqa: S608 - parsed
        f" ORDER BY {order}key LIMIT ? OFFSET ?"
    )
    return cloud.store.query(sql, (*where[1], cursor.key, most, cursor.skip))


def _count(cloud: Cloud, where: Condition) -> int:
    return int(cloud.store.query(f"SELECT count(*) FROM resource WHERE {where[0]}", where[1])[0][0])  # noqa: S608 - parsed


def _size(cloud: Cloud, options: Mapping[str, Json]) -> int:
    most = options.get("$top", PAGE)
    if not isinstance(most, int) or most < 1:
        raise invalid(cloud, "InvalidTop", f"The value '{most}' of $top must be a positive number.")
    return min(most, PAGE)


def _cursor(cloud: Cloud, options: Mapping[str, Json]) -> _Cursor:
    token = options.get("$skipToken")
    if not token:
        return _Cursor(skip=int(options.get("$skip") or 0))
    try:
        key, skip, total = orjson.loads(base64.b64decode(str(token), validate=True))
        return _Cursor(str(key), int(skip), int(total))
    except (binascii.Error, ValueError, TypeError) as error:
        raise invalid(cloud, "InvalidSkipToken", "The skip token is not valid.") from error


def _row(cloud: Cloud, query: kql.Query, found: tuple[Json, ...]) -> dict[str, Json]:
    body = container.graph_body(cloud, found[1], orjson.loads(found[4]))
    if query.columns is None:
        return {name: cell(found, body) for name, cell in _CELLS.items()}
    return {name: _cell(path, found, body) for name, path in query.columns}


def _cell(path: kql.Path, found: tuple[Json, ...], body: Mapping[str, Json]) -> Json:
    value = _CELLS[path.parts[0]](found, body)
    for part in path.parts[1:]:
        value = value.get(part) if isinstance(value, dict) else None
    return value


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


def _answer(page: _Page) -> Answer:
    content: dict[str, Json] = {
        "totalRecords": page.total,
        "count": len(page.rows),
        "data": page.rows,
        "facets": [],
        "resultTruncated": "true" if page.cut else "false",
    }
    if page.rest:
        token = orjson.dumps([page.rest.key, page.rest.skip, page.rest.total])
        content["$skipToken"] = base64.b64encode(token).decode()
    text = orjson.dumps(content)
    if len(text) > PAYLOAD:
        raise too_large(len(text))
    return Answer(200, text)


def too_large(size: int) -> ArmError:
    """The refusal of an answer that is too large to send."""
    message = (
        f"Response payload size is {size}, and has exceeded the limit of {PAYLOAD}. Please consider querying less data "
        "at a time and make paginated call if needed."
    )
    return ArmError(400, "ResponsePayloadTooLarge", message)

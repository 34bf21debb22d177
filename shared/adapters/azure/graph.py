"""Resource Graph: a subscription's resources in bulk, a page at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.adapters.azure import arm_error, resource_body, response_validation
from shared.adapters.azure.arm import Arm
from shared.adapters.azure.continuation_token import ContinuationToken
from shared.domain.error import Malformed
from shared.domain.resource import JsonObject
from shared.domain.timestamp import format_time

PATH = "/providers/Microsoft.ResourceGraph/resources"
API_VERSION = "2021-03-01"

_ORDER = "order by tolower(id) asc"
"""The order in which a listing is resumed: ids are compared without case, and Kusto sorts capitals first."""
_PROJECTED = f"project {', '.join(resource_body.COLUMNS)} | {_ORDER}"
QUERY = f"resources | {_PROJECTED}"
IDS_QUERY = f"resources | project id, type | {_ORDER}"
PAGE_ROWS = 1000
"""Rows of a page of ids or of children: as many as Resource Graph allows."""
QUERY_IDS = 100
"""Ids that one query names: some 15 kB of text."""


@dataclass(frozen=True, slots=True)
class GraphPage:
    """Rows of one response. `whole` is False when it holds less than it says, or leaves out the rest.

    `bad` says why, for each row that is not a resource.
    """

    rows: Sequence[Mapping[str, Any]]
    total: int
    token: str | None
    size: int
    whole: bool
    bad: Sequence[str] = ()


def changes_query(since: datetime) -> str:
    """Return the query for what was changed since a time. A project of text has pages, one of dynamic columns none."""
    return (
        "resourcechanges | extend changed = todatetime(properties.changeAttributes.timestamp),"
        " target = tostring(properties.targetResourceId)"
        f" | where changed >= datetime({format_time(since)}) | project id, type, target | {_ORDER}"
    )


def named_query(ids: Sequence[str]) -> str:
    """Return the query for the resources with these ids."""
    return f"resources | where id in~ ({_quoted(ids)}) | {_PROJECTED}"


def children_query(kind: str, parents: Sequence[str]) -> str:
    """Return the query for the children of a type under these resources, whatever the spelling of their ids.

    Source: Azure Resource Graph, sample query "List all extensions installed on a virtual machine".
    """
    parent = f"tolower(substring(id, 0, indexof(id, '/{kind.rpartition('/')[2].lower()}/')))"
    return (
        f"resources | where type =~ '{kind}' | extend parent = {parent}"
        f" | where parent in~ ({_quoted(parents)}) | {_PROJECTED}"
    )


def _quoted(ids: Sequence[str]) -> str:
    return ", ".join("'" + each.replace("\\", "\\\\").replace("'", "\\'") + "'" for each in ids)


def pages(arm: Arm, subscription: str, query: str, *, size: int) -> Iterator[GraphPage]:
    """Yield the pages of a query, which names at most `QUERY_IDS`."""
    token: str | None = None
    while True:
        found = page(arm, subscription, size=size, token=token, query=query)
        yield found
        token = found.token
        if token is None:
            return


def page_at(arm: Arm, at: ContinuationToken, query: str = QUERY) -> tuple[ContinuationToken, GraphPage]:
    """Read the rows at a position; it moves when its token is no longer valid."""
    try:
        return at, page(arm, at.subscription, size=at.size, token=at.token, query=query)
    except arm_error.ArmRequestRejected as error:
        if at.token is None or arm_error.PAYLOAD_TOO_LARGE in error.codes:
            raise
    # The token has expired: go through the pages from the start, skipping what was delivered before.
    last, token = at.last or "", None
    while True:
        found = page(arm, at.subscription, size=at.size, token=token, query=query)
        # The order is by id, so the first page with a later id is where the listing goes on.
        if found.token is None or any(str(row["id"]).lower() > last.lower() for row in found.rows):
            return replace(at, token=token, after=last), found
        token = found.token


def page(arm: Arm, subscription: str, *, size: int, token: str | None = None, query: str = QUERY) -> GraphPage:
    """Read the page at `token`, halving its size until the answer fits into what the cloud can send."""
    while True:
        try:
            found = _ask(arm, subscription, size, token, query)
        except arm_error.ArmRequestRejected as error:
            if arm_error.PAYLOAD_TOO_LARGE not in error.codes or size == 1:
                raise
            size //= 2
            continue
        # A transient fault can cut a response short: when it holds less than it counts, it is requested once more.
        return found if found.whole else _ask(arm, subscription, size, token, query)


def _ask(arm: Arm, subscription: str, size: int, token: str | None, query: str) -> GraphPage:
    options = {"$top": size, "resultFormat": "objectArray", **({"$skipToken": token} if token else {})}
    asked = {"subscriptions": [subscription], "query": query, "options": options}
    call = f"a Resource Graph query of /subscriptions/{subscription}"
    answer = response_validation.mapping(arm.ask(PATH, API_VERSION, body=asked), call)
    total, count = (
        response_validation.number(answer, "totalRecords", call),
        response_validation.number(answer, "count", call),
    )
    data, following, truncated = answer.get("data"), answer.get("$skipToken") or None, answer.get("resultTruncated")
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise Malformed(f"the cloud answered {call} with data that is not a list of objects")
    if not isinstance(following, str | None) or str(truncated).lower() not in {"true", "false"}:
        raise Malformed(f"the cloud answered {call} with an invalid skip token or truncation mark")
    if following is not None and (following == token or not data):
        raise Malformed(f"the cloud answered {call} with a page that does not lead on")
    # A truncated answer without a token cannot be continued: the rest of it is hidden.
    hidden = str(truncated).lower() == "true" and following is None
    rows, bad = _sorted_out(data, f"/subscriptions/{subscription}/", call)
    return GraphPage(rows, total, following, size, whole=not hidden and len(data) == count, bad=bad)


def _sorted_out(data: Sequence[JsonObject], scope: str, call: str) -> tuple[list[JsonObject], list[str]]:
    """Return the rows that are resources under the scope, and what is wrong with each of the others."""
    rows: list[JsonObject] = []
    bad: list[str] = []
    for row in data:
        try:
            identity = response_validation.text(response_validation.resource(row, call), "id", call)
            response_validation.text(row, "type", call)
            if not identity.lower().startswith(scope):
                raise Malformed(f"the cloud answered {call} with a resource outside of it, {identity[:200]}")  # noqa: TRY301 - one end
        except Malformed as error:
            bad.append(error.message)
        else:
            rows.append(row)
    return rows, bad

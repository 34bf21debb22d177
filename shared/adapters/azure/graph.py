"""Resource Graph: a subscription's resources in bulk, a page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from shared.adapters.azure import refusal
from shared.adapters.azure.arm import Arm, Json, raw

_COLUMNS = (
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
QUERY = f"resources | project {', '.join(_COLUMNS)} | order by id asc"


@dataclass(frozen=True, slots=True)
class GraphPage:
    """Rows of one answer. `whole` is False when the answer holds less than it says, or hides the rest."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    token: str | None
    size: int
    whole: bool


def page(arm: Arm, subscription: str, *, size: int, token: str | None = None, query: str = QUERY) -> GraphPage:
    """The page at `token`, halving its size until the answer fits into what the cloud can send."""
    while True:
        try:
            found = _ask(arm, subscription, size, token, query)
        except refusal.Refused as error:
            if refusal.PAYLOAD_TOO_LARGE not in error.codes or size == 1:
                raise
            size //= 2
            continue
        # An answer can be cut short by a passing fault: what it counts but does not hold is asked for once more.
        return found if found.whole else _ask(arm, subscription, size, token, query)


def _ask(arm: Arm, subscription: str, size: int, token: str | None, query: str) -> GraphPage:
    options = QueryRequestOptions(top=size, skip_token=token, result_format="objectArray")
    with refusal.translated(f"/subscriptions/{subscription}"):
        request = QueryRequest(subscriptions=[subscription], query=query, options=options)
        answer = cast("Json", arm.graph.resources(request, cls=raw))
    rows = [row for row in answer.get("data") or () if isinstance(row, Mapping)]
    token = answer.get("$skipToken") or None
    hidden = str(answer.get("resultTruncated")).lower() == "true" and token is None
    whole = not hidden and len(rows) == answer.get("count", len(rows))
    return GraphPage(rows, int(answer.get("totalRecords") or len(rows)), token, size, whole)


def body(row: Mapping[str, Any], kind: str) -> Json:
    """A row as the ARM body it stands for: the type as ARM spells it, without the columns that hold nothing."""
    found = {name: row[name] for name in _COLUMNS if row.get(name) not in (None, "")}
    return {**found, "type": kind}

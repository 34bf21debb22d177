"""Resources that a collection did not see: each is read by its id before it is taken for gone.

A listing leaves out what its reader may not see without a word, so silence is no proof of absence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.domain.error import CortexError, Forbidden, Throttled, Unavailable
from shared.domain.inventory import Gap, Reason
from shared.domain.resource import Resource, Unread
from shared.ports.inventory import Inventory
from shared.services.estate import Store, text

Row = Mapping[str, Any]


@dataclass(slots=True)
class Absence:
    """What became of the missing: keys of those gone, those there but forbidden (as far as known), and why."""

    gone: dict[str, Row] = field(default_factory=dict)
    hidden: dict[str, tuple[Row, Resource]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def settle(missing: Iterable[tuple[str, Row]], *, store: Store, inventory: Inventory, until: datetime) -> Absence:
    """Read the missing one by one until the time is up; those not reached stay as they are, which is a gap.

    After one refusal the other resources of its type in the subscription are not asked for.
    """
    found = Absence()
    refused: dict[str, Forbidden] = {}
    for key, row in missing:
        try:
            if row["type"] not in refused:
                if store.now() >= until:
                    raise Unavailable("there was no time left to confirm what was not seen")  # noqa: TRY301 - one end
                fresh = inventory.read(tenant=store.tenant, resource_id=row["resourceId"], wanted={})
                if fresh is None:
                    found.gone[key] = row
                continue
        except Forbidden as error:
            refused[row["type"]] = error
            found.gaps.append(_unread(row, error, store))
        except (Throttled, Unavailable) as error:
            found.gaps.append(_unread(row, error, store))
            return found
        found.hidden[key] = (row, _hidden(row, refused[row["type"]], store))
    return found


def _hidden(row: Row, error: Forbidden, store: Store) -> Resource:
    """The resource as a reader without the permission knows it: that it is there, and nothing of its properties."""
    body = {name: value for name, value in row["record"]["body"].items() if name != "properties"}
    why = Unread("forbidden", error.permission or f"{row['typeName']}/read", error.scope or row["resourceId"])
    return Resource(body, row["record"].get("apiVersion"), text(store.now()), {"properties": why})


def _unread(row: Row, error: CortexError, store: Store) -> Gap:
    return gap(row["subscription"], row["typeName"], f"{row['typeName']}/read", error, store)


def gap(subscription: str, part: str, action: str, error: CortexError, store: Store) -> Gap:
    """Why a part of a subscription could not be read; `action` is what would be needed where a refusal names none."""
    forbidden = isinstance(error, Forbidden)
    return Gap(
        scope=f"/subscriptions/{subscription}",
        part=part,
        reason=Reason.FORBIDDEN if forbidden else Reason.TIMEOUT,
        permission=(getattr(error, "permission", None) or action) if forbidden else None,
        role="Reader" if forbidden else None,
        at=store.now(),
        message=error.message,
    )

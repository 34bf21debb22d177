"""Read what a collection did not see by its id, before it counts as gone.

A listing silently leaves out what its reader may not see, and may be cut short: what is not listed may exist.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.domain.arm_id import subscription_of
from shared.domain.error import CortexError, Forbidden, Malformed, Throttled, Unavailable
from shared.domain.finding import resource_key
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.resource import Resource, Unread
from shared.domain.timestamp import format_time
from shared.eventstore.store import Store
from shared.ports.inventory import Inventory
from shared.services.estate.resource import ResourceRow, has_related, record

READ_THREADS = 8
TIME_IS_UP = "there was no time left to check what was not listed"


@dataclass(slots=True)
class MissingResources:
    """The outcome for missing resources, by key: those gone, those that exist but may not be read, and the gaps."""

    gone: dict[str, ResourceRow] = field(default_factory=dict)
    hidden: dict[str, tuple[ResourceRow, Resource]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ConfirmedResources:
    """Resources whose lists of relatives were confirmed, and gaps for what could not be."""

    resources: Sequence[Resource]
    gaps: Sequence[Gap] = ()


def confirm_related(
    resources: Sequence[Resource],
    rows: Mapping[str, ResourceRow],
    *,
    store: Store,
    inventory: Inventory,
    until: datetime,
) -> ConfirmedResources:
    """Return the resources with those relatives that exist though their lists leave them out.

    A list that was cut short looks like one from which something was removed, and what is missing from it fails a
    policy. So what was known before, by the stored `rows`, and is not listed is read by its id: what exists is added
    again, and where that cannot be found out the list counts as unread.
    """
    before = [_known(rows.get(resource_key(each.id)), store) for each in resources]
    missing = [_left_out(each, known) for each, known in zip(resources, before, strict=True)]
    wanted = sorted({identity for kinds in missing for ids in kinds.values() for identity in ids})

    def look(identity: str) -> Resource | CortexError | None:
        try:
            if store.now() >= until:
                return Unavailable(TIME_IS_UP)
            return inventory.read(tenant=store.tenant, resource_id=identity, wanted={})
        except CortexError as error:
            return error

    # A list that was cut short can leave out many: they are read in parallel, within the time of the step.
    with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="confirm") as pool:
        answers = dict(zip(wanted, pool.map(look, wanted), strict=True))
    each_one = zip(resources, before, missing, strict=True)
    # One gap for each type of resource and kind of error: a refused listing would otherwise bring thousands.
    gaps: dict[tuple[str, type[CortexError]], Gap] = {}
    for each, kinds in zip(resources, missing, strict=True):
        for kind, identity, error in _errors(kinds, answers):
            unread = gap(subscription_of(each.id), kind, f"{kind}/read", error, store)
            gaps.setdefault((kind, type(error)), unread.model_copy(update={"scope": identity}))
    return ConfirmedResources(
        [_completed(each, known, kinds, answers, store) for each, known, kinds in each_one],
        tuple(gaps.values()),
    )


type Answers = Mapping[str, Resource | CortexError | None]


def _known(row: ResourceRow | None, store: Store) -> dict[str, tuple[str, ...]]:
    """Return the ids of the relatives of a stored resource by type, as they were last listed."""
    known = row is not None and not row["gone"] and has_related(row)
    related = record(row, store).get("related") or {} if row and known else {}
    return {
        kind: tuple(found.get("known", ()))
        if isinstance(found, Mapping)
        else tuple(str(each["body"]["id"]) for each in found)
        for kind, found in related.items()
    }


def _left_out(resource: Resource, before: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Return the ids of the relatives that were listed before and are not listed now, by type."""
    found: dict[str, list[str]] = {}
    for kind, listed in resource.related.items():
        if not isinstance(listed, Unread):
            now = {each.id.lower() for each in listed}
            found[kind] = [each for each in before.get(kind, ()) if each.lower() not in now]
    return {kind: ids for kind, ids in found.items() if ids}


def _errors(kinds: Mapping[str, list[str]], answers: Answers) -> Iterator[tuple[str, str, CortexError]]:
    for kind, ids in kinds.items():
        for identity in ids:
            if isinstance(error := answers[identity], CortexError):
                yield kind, identity, error


def _completed(
    resource: Resource,
    before: Mapping[str, tuple[str, ...]],
    kinds: Mapping[str, list[str]],
    answers: Answers,
    store: Store,
) -> Resource:
    """Return the resource with the relatives that exist; a list that is unread keeps the ids that it had."""
    related = {
        kind: replace(found, known=before.get(kind, ())) if isinstance(found, Unread) else found
        for kind, found in resource.related.items()
    }
    for kind, ids in kinds.items():
        there = tuple(found for each in ids if isinstance(found := answers[each], Resource))
        listed = related[kind]
        related[kind] = (*(() if isinstance(listed, Unread) else listed), *there)
    for kind, identity, error in _errors(kinds, answers):
        action = getattr(error, "permission", None) or f"{kind}/read" if isinstance(error, Forbidden) else None
        related[kind] = Unread(_reason(error).value, action, identity, format_time(store.now()), before[kind])
    return replace(resource, related=related) if related else resource


def confirm_missing(
    missing: Iterable[tuple[str, ResourceRow]], *, store: Store, inventory: Inventory, until: datetime
) -> MissingResources:
    """Read missing resources one by one until the time is up; those not reached stay as they are, with a gap.

    After one error, the other resources of the type in the subscription are not read.
    """
    found = MissingResources()
    refused: dict[str, CortexError] = {}
    for key, row in missing:
        try:
            if row["type"] not in refused:
                if store.now() >= until:
                    raise Unavailable(TIME_IS_UP)
                fresh = inventory.read(tenant=store.tenant, resource_id=row["resourceId"], wanted={})
                if fresh is None:
                    found.gone[key] = row
                continue
        except CortexError as error:
            found.gaps.append(gap(row["subscription"], row["typeName"], f"{row['typeName']}/read", error, store))
            if isinstance(error, Throttled | Unavailable):
                return found
            refused[row["type"]] = error
        why = refused[row["type"]]
        if isinstance(why, Forbidden):
            found.hidden[key] = (row, without_properties(row, why, store))
    return found


def without_properties(row: ResourceRow, error: Forbidden, store: Store) -> Resource:
    """Return the resource as a reader without the permission knows it: that it exists, without its properties."""
    known = Resource.from_record(record(row, store))
    body = {name: value for name, value in known.body.items() if name != "properties"}
    # What was lost stays lost: a reader without the permission cannot restore it.
    lost = known.unread if known.is_damaged else {}
    why = Unread("forbidden", error.permission or f"{row['typeName']}/read", error.scope or row["resourceId"])
    related = {kind: replace(why, known=ids) for kind, ids in _known(row, store).items()}
    return Resource(body, known.api_version, format_time(store.now()), {**lost, "properties": why}, related)


def gap(subscription: str, part: str, action: str, error: CortexError, store: Store) -> Gap:
    """Return the gap of a part that could not be read; `action` is the permission where a Forbidden names none."""
    forbidden = isinstance(error, Forbidden)
    return Gap(
        scope=f"/subscriptions/{subscription}",
        part=part,
        reason=_reason(error),
        permission=(getattr(error, "permission", None) or action) if forbidden else None,
        role="Reader" if forbidden else None,
        at=store.now(),
        message=error.message,
    )


def _reason(error: CortexError) -> UnreadReason:
    if isinstance(error, Forbidden):
        return UnreadReason.FORBIDDEN
    waits = isinstance(error, Throttled | Unavailable) and not isinstance(error, Malformed)
    return UnreadReason.TIMEOUT if waits else UnreadReason.FAILED

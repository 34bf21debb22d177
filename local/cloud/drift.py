"""Drift: applies to a cloud what changes in an estate by itself."""

from local import estate
from local.cloud import kind as kinds
from local.cloud import resource
from local.cloud.address import Address, parse
from local.cloud.cloud import Cloud
from local.cloud.store import Row
from shared.domain.body import merged

_METHODS = {"create": "PUT", "update": "PATCH", "delete": "DELETE"}


def drift(cloud: Cloud, steps: int) -> tuple[int, list[str]]:
    """Let `steps` steps of time pass; the number of the last one, and the ids of what changed."""
    seed, count, last = (int(cloud.store.fact(name) or 0) for name in ("seed", "count", "step"))
    changed = []
    for step in range(last + 1, last + steps + 1):
        with cloud.store.writing():
            changed += [change.id for change in estate.drift(seed, step, count) if _applied(cloud, change)]
            cloud.store.remember("step", str(step))
    return last + steps, changed


def _applied(cloud: Cloud, change: estate.Change) -> bool:
    """Whether the change could be made: what it is about may have gone, or be there already."""
    address = parse(change.id)
    old = cloud.store.get(address.key)
    if (old is None) != (change.kind == "create") or not cloud.store.get(address.scope.lower()):
        return False
    etag = None if change.kind == "delete" else _changed(cloud, change, address, old).etag
    if change.kind == "delete":
        cloud.store.delete(address.key)
    cloud.store.log(
        at=cloud.timestamp(),
        method=_METHODS[change.kind],
        resource_id=change.id,
        kind=address.type,
        etag=etag,
        source="drift",
        correlation="",
    )
    return True


def _changed(cloud: Cloud, change: estate.Change, address: Address, old: Row | None) -> Row:
    document = merged(old.document(), change.body) if old else dict(change.body or {})
    return resource.keep(cloud, address, (kinds.find(address.type), document, old))

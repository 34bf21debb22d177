"""Drift: applies to a cloud the changes that an estate undergoes by itself."""

from local import estate
from local.cloud.arm import resource
from local.cloud.arm import resource_type as kinds
from local.cloud.arm.address import parse
from local.cloud.cloud import Cloud
from local.cloud.graph import change as graph_change
from shared.domain.merge_patch import merged

_METHODS = {"create": "PUT", "update": "PATCH", "delete": "DELETE"}


def apply_drift(cloud: Cloud, steps: int) -> tuple[int, list[str]]:
    """Let `steps` steps of time pass. Return the number of the last one and the ids of what changed."""
    seed, count, last = (int(cloud.store.fact(name) or 0) for name in ("seed", "count", "step"))
    changed = []
    for step in range(last + 1, last + steps + 1):
        with cloud.store.writing():  # a step is applied as a whole, or again after a crash
            changed += [change.id for change in estate.make_drift(seed, step, count) if _apply(cloud, change)]
            cloud.store.remember("step", str(step))
    return last + steps, changed


def _apply(cloud: Cloud, change: estate.DriftChange) -> bool:
    """Apply a change. Return whether it could be: its resource may be gone, or exist already."""
    address = parse(change.id)
    old = cloud.store.get(address.key)
    if (old is None) != (change.kind == "create") or not cloud.store.get(address.scope.lower()):
        return False
    if change.kind == "delete":
        etag = None
        graph_change.record_deleted(cloud, address.key)
        cloud.store.delete(address.key)
    else:
        body = merged(old.document(), change.body) if old else dict(change.body or {})
        etag = resource.store_resource(cloud, address, (kinds.find_type(address.type), body, old)).etag
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

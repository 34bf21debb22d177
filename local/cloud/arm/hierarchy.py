"""Management groups: the tree above subscriptions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import orjson

from local.cloud.arm import resource_type as kinds
from local.cloud.arm.address import MANAGEMENT_GROUP
from local.cloud.arm.error import ArmError
from local.cloud.arm.http import ArmRequest, ArmResponse, json_response
from local.cloud.arm.listing import MANAGEMENT_GROUP_PREFIX, SUBSCRIPTION_LINK_TYPE, page_of, page_size, start_key
from local.cloud.cloud import Cloud
from local.cloud.store import StoredRow
from shared.domain.resource import Json


def groups(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Return all management groups, without their details."""
    _check(request)
    rows = cloud.store.scan(MANAGEMENT_GROUP_PREFIX, after=start_key(request), kind=MANAGEMENT_GROUP.lower())
    return page_of(request, ((row.key, orjson.dumps(_short(row))) for row in rows), page_size(request))


def group(cloud: Cloud, request: ArmRequest, name: str) -> ArmResponse:
    """Return one management group; $expand=children adds its children, with $recurse=true at any depth."""
    _check(request)
    found = _find(cloud, name)
    content = found.document()
    if "children" in request.query.get("$expand", "").lower():
        recurse = request.query.get("$recurse", "").lower() == "true"
        content["properties"]["children"] = _children(_tree(cloud), found.key, recurse=recurse) or None
    return json_response(content)


def descendants(cloud: Cloud, request: ArmRequest, name: str) -> ArmResponse:
    """Return everything below a management group, in one list."""
    _check(request)
    rows = sorted(_below(cloud, _find(cloud, name).key), key=lambda row: row.key)
    start = start_key(request)
    shown = ((row.key, orjson.dumps(_descendant(row))) for row in rows if row.key > start)
    return page_of(request, shown, page_size(request))


def subscriptions_of(cloud: Cloud, name: str) -> Iterator[str]:
    """Yield the ids of the subscriptions at any depth below a management group."""
    for row in _below(cloud, MANAGEMENT_GROUP_PREFIX + name.lower()):
        if row.type == SUBSCRIPTION_LINK_TYPE:
            yield row.key.rpartition("/")[2]


def chain(cloud: Cloud, key: str) -> Iterator[StoredRow]:
    """Yield a management group and those above it, from the nearest."""
    while found := cloud.store.get(key):
        yield found
        key = _parent_id(found).lower()


def _check(request: ArmRequest) -> None:
    kinds.check_version(kinds.find_type(MANAGEMENT_GROUP), request.api_version)


def _find(cloud: Cloud, name: str) -> StoredRow:
    found = cloud.store.get(MANAGEMENT_GROUP_PREFIX + name.lower())
    if found is None:
        raise ArmError(404, "NotFound", f"The management group '{name}' cannot be found.")
    return found


def _tree(cloud: Cloud) -> Mapping[str, list[StoredRow]]:
    """Return the children of each management group, by its key."""
    tree: defaultdict[str, list[StoredRow]] = defaultdict(list)
    for row in cloud.store.scan(MANAGEMENT_GROUP_PREFIX):
        if row.type in {SUBSCRIPTION_LINK_TYPE, MANAGEMENT_GROUP.lower()}:
            tree[_parent_id(row).lower()].append(row)
    return tree


def _below(cloud: Cloud, key: str) -> Iterator[StoredRow]:
    tree = _tree(cloud)
    # A loop, not a recursion: how deep the tree is depends on the data.
    waiting = [key]
    while waiting:
        found = tree.get(waiting.pop(), [])
        yield from found
        waiting += [row.key for row in found]


def _parent_id(row: StoredRow) -> str:
    properties = row.document()["properties"]
    parent = (
        properties["parent"] if row.type == SUBSCRIPTION_LINK_TYPE else (properties.get("details") or {}).get("parent")
    )
    return str((parent or {}).get("id", ""))


def _children(tree: Mapping[str, list[StoredRow]], key: str, *, recurse: bool) -> list[dict[str, Json]]:
    children = []
    for row in tree.get(key, []):
        child = _descendant(row)
        display_name = child["properties"]["displayName"]
        kind = "/subscriptions" if row.type == SUBSCRIPTION_LINK_TYPE else MANAGEMENT_GROUP
        shown = {"id": child["id"], "type": kind, "name": child["name"], "displayName": display_name}
        if recurse and row.type != SUBSCRIPTION_LINK_TYPE:
            shown["children"] = _children(tree, row.key, recurse=True) or None  # null where ARM has null
        children.append(shown)
    return children


def _descendant(row: StoredRow) -> dict[str, Json]:
    body = row.document()
    name = body["name"]
    return {
        "id": f"/subscriptions/{name}" if row.type == SUBSCRIPTION_LINK_TYPE else body["id"],
        "type": "/subscriptions" if row.type == SUBSCRIPTION_LINK_TYPE else "/managementGroups",  # as ARM shortens them
        "name": name,
        "properties": {"displayName": body["properties"].get("displayName", name), "parent": {"id": _parent_id(row)}},
    }


def _short(row: StoredRow) -> dict[str, Json]:
    body = row.document()
    names = ("tenantId", "displayName")
    properties = {name: body["properties"][name] for name in names if name in body["properties"]}
    return {"id": body["id"], "type": body["type"], "name": body["name"], "properties": properties}

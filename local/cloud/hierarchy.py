"""Management groups: the tree above subscriptions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import orjson

from local.cloud import kind as kinds
from local.cloud.address import MANAGEMENT_GROUP
from local.cloud.cloud import Cloud
from local.cloud.error import ArmError
from local.cloud.listing import LINK, ROOT, after, paged, size
from local.cloud.message import Answer, Request, answer
from local.cloud.store import Row
from shared.domain.resource import Json


def groups(cloud: Cloud, request: Request) -> Answer:
    """All management groups, in short."""
    _check(request)
    rows = cloud.store.scan(ROOT, after=after(request), kind=MANAGEMENT_GROUP.lower())
    return paged(request, ((row.key, orjson.dumps(_short(row))) for row in rows), size(request))


def group(cloud: Cloud, request: Request, name: str) -> Answer:
    """One management group; $expand=children adds what hangs below it, with $recurse=true all the way down."""
    _check(request)
    found = _find(cloud, name)
    content = found.document()
    if "children" in request.query.get("$expand", "").lower():
        recurse = request.query.get("$recurse", "").lower() == "true"
        content["properties"]["children"] = _children(_tree(cloud), found.key, recurse=recurse) or None
    return answer(content)


def descendants(cloud: Cloud, request: Request, name: str) -> Answer:
    """Everything below a management group, in one list."""
    _check(request)
    rows = sorted(_below(cloud, _find(cloud, name).key), key=lambda row: row.key)
    start = after(request)
    shown = ((row.key, orjson.dumps(_descendant(row))) for row in rows if row.key > start)
    return paged(request, shown, size(request))


def subscriptions_of(cloud: Cloud, name: str) -> Iterator[str]:
    """The ids of the subscriptions at any depth below a management group."""
    for row in _below(cloud, ROOT + name.lower()):
        if row.type == LINK:
            yield row.key.rpartition("/")[2]


def chain(cloud: Cloud, key: str) -> Iterator[Row]:
    """A management group and those above it, from the nearest."""
    while found := cloud.store.get(key):
        yield found
        key = _parent(found)


def _check(request: Request) -> None:
    kinds.check_version(kinds.find(MANAGEMENT_GROUP), request.api_version)


def _find(cloud: Cloud, name: str) -> Row:
    found = cloud.store.get(ROOT + name.lower())
    if found is None:
        raise ArmError(404, "NotFound", f"The management group '{name}' cannot be found.")
    return found


def _tree(cloud: Cloud) -> Mapping[str, list[Row]]:
    """What hangs directly below each management group, by its key."""
    tree: defaultdict[str, list[Row]] = defaultdict(list)
    for row in cloud.store.scan(ROOT):
        if row.type in {LINK, MANAGEMENT_GROUP.lower()}:
            tree[_parent(row)].append(row)
    return tree


def _below(cloud: Cloud, key: str) -> Iterator[Row]:
    tree = _tree(cloud)
    waiting = [key]
    while waiting:
        found = tree.get(waiting.pop(), [])
        yield from found
        waiting += [row.key for row in found]


def _parent(row: Row) -> str:
    return _parent_id(row).lower()


def _parent_id(row: Row) -> str:
    properties = row.document()["properties"]
    parent = properties["parent"] if row.type == LINK else (properties.get("details") or {}).get("parent")
    return str((parent or {}).get("id", ""))


def _children(tree: Mapping[str, list[Row]], key: str, *, recurse: bool) -> list[dict[str, Json]]:
    return [_child(tree, row, recurse=recurse) for row in tree.get(key, [])]


def _child(tree: Mapping[str, list[Row]], row: Row, *, recurse: bool) -> dict[str, Json]:
    child = _descendant(row)
    display_name = child["properties"]["displayName"]
    shown = {"id": child["id"], "type": _public_type(row), "name": child["name"], "displayName": display_name}
    if recurse and row.type != LINK:
        shown["children"] = _children(tree, row.key, recurse=True) or None
    return shown


def _public_type(row: Row) -> str:
    return "/subscriptions" if row.type == LINK else MANAGEMENT_GROUP


def _descendant(row: Row) -> dict[str, Json]:
    body = row.document()
    name = body["name"]
    return {
        "id": f"/subscriptions/{name}" if row.type == LINK else body["id"],
        "type": "/subscriptions" if row.type == LINK else "/managementGroups",
        "name": name,
        "properties": {"displayName": body["properties"].get("displayName", name), "parent": {"id": _parent_id(row)}},
    }


def _short(row: Row) -> dict[str, Json]:
    body = row.document()
    names = ("tenantId", "displayName")
    properties = {name: body["properties"][name] for name in names if name in body["properties"]}
    return {"id": body["id"], "type": body["type"], "name": body["name"], "properties": properties}

"""Lists: the collections of ARM, page by page with nextLink."""

import base64
import binascii
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import orjson

from local.cloud.arm import resource
from local.cloud.arm import resource_type as kinds
from local.cloud.arm.address import RESOURCE_GROUP, SUBSCRIPTION, Address, parse
from local.cloud.arm.error import bad_request
from local.cloud.arm.http import ArmRequest, ArmResponse, json_response, page_response
from local.cloud.cloud import Cloud
from local.cloud.store import GROUP_TYPE, StoredRow
from local.resource_template import ResourceTemplate
from local.workload import REGIONS
from shared.domain.resource import Json

PAGE_ITEMS = 1000
_HEADERS = ("id", "name", "type", "kind", "managedBy", "location", "tags", "sku", "plan", "identity", "zones")
_FILTER_TERM = re.compile(r"^\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*$", re.IGNORECASE)
_SCOPED_TYPES = frozenset({"roleassignments", "policyassignments", "policyexemptions", "locks"})
"""Types that are listed at a scope with those below it and those inherited from above."""
_INHERITED_TYPES = _SCOPED_TYPES | {"policydefinitions", "policysetdefinitions", "roledefinitions"}

MANAGEMENT_GROUP_PREFIX = "/providers/microsoft.management/managementgroups/"
SUBSCRIPTION_LINK_TYPE = "microsoft.management/managementgroups/subscriptions"

ListedRows = Iterable[tuple[str, bytes]]
"""Key and JSON text of each row of a list, by key."""


def collection(cloud: Cloud, request: ArmRequest, address: Address) -> ArmResponse:
    """Return the resources of a type in a scope: children, extensions, or all in a group or subscription."""
    kind = kinds.find_type(address.type)
    kinds.check_version(kind, request.api_version)
    if address.scope and not cloud.store.get(address.scope.lower()):
        raise resource.missing_error(cloud, parse(address.scope))
    at_scope = "atscope" in request.query.get("$filter", "").lower()
    rows = _rows(cloud, kind, address, start_key(request), at_scope=at_scope)
    shown = ((row.key, resource.public_body(cloud, row)) for row in rows)
    return page_of(request, shown, PAGE_ITEMS)


def subscriptions(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Return all subscriptions."""
    kinds.check_version(kinds.find_type(SUBSCRIPTION), request.api_version)
    rows = cloud.store.scan("/subscriptions/", after=start_key(request), kind=SUBSCRIPTION.lower())
    return page_of(request, ((row.key, row.body) for row in rows), PAGE_ITEMS)


def tenants(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Return the one tenant."""
    kinds.check_version(kinds.find_type("Microsoft.Resources/tenants"), request.api_version)
    shown = {"id": f"/tenants/{cloud.tenant}", "tenantId": cloud.tenant, "displayName": "Northwind"}
    return json_response({"value": [{**shown, "tenantCategory": "Home", "defaultDomain": "northwind.example.com"}]})


def locations(cloud: Cloud, request: ArmRequest, subscription: str) -> ArmResponse:
    """Return the regions that a subscription can use."""
    kinds.check_version(kinds.find_type(SUBSCRIPTION), request.api_version)
    scope = _scope(cloud, f"/subscriptions/{subscription}")
    return json_response(
        {
            "value": [
                {"id": f"{scope}/locations/{name}", "name": name, "type": "Region", "displayName": display_name}
                for name, display_name in REGIONS.items()
            ]
        }
    )


def resource_groups(cloud: Cloud, request: ArmRequest, subscription: str) -> ArmResponse:
    """Return the resource groups of a subscription."""
    kinds.check_version(kinds.find_type(RESOURCE_GROUP), request.api_version)
    scope = _scope(cloud, f"/subscriptions/{subscription}")
    rows = cloud.store.scan(f"{scope}/resourcegroups/", after=start_key(request), kind=GROUP_TYPE)
    return page_of(request, ((row.key, row.body) for row in rows), page_size(request))


def resources(cloud: Cloud, request: ArmRequest, subscription: str, group: str = "") -> ArmResponse:
    """Return the resources of a subscription or group, without their properties."""
    kinds.check_version(kinds.find_type(RESOURCE_GROUP), request.api_version)
    scope = _scope(cloud, f"/subscriptions/{subscription}" + (f"/resourcegroups/{group}" if group else ""))
    keep = _filter(request.query.get("$filter", ""))
    expand = {each.strip().lower() for each in request.query.get("$expand", "").split(",")}
    rows = cloud.store.scan(scope + "/", after=start_key(request), graph="resources")
    pairs = ((row, row.document()) for row in rows)
    shown = ((row.key, orjson.dumps(_generic_view(row, body, expand))) for row, body in pairs if keep(row, body))
    return page_of(request, shown, page_size(request))


def page_of(request: ArmRequest, rows: ListedRows, most: int) -> ArmResponse:
    """Return the response with the first `most` rows, and a link to the rest when there are more."""
    # One row more than asked for tells whether there is another page.
    taken = list(itertools.islice(rows, most + 1))
    link = request.link(**{"$skiptoken": skip_token(taken[most - 1][0])}) if len(taken) > most else None
    return page_response((text for _, text in taken[:most]), link)


def skip_token(key: str) -> str:
    """Return a continuation token that resumes after a key."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def start_key(request: ArmRequest) -> str:
    """Return the key that a request's continuation token resumes after, or ""."""
    given = request.query.get("$skiptoken", "")
    try:
        return base64.b64decode(given, b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_request("InvalidSkipToken", f"The skip token '{given}' is invalid.") from error


def page_size(request: ArmRequest) -> int:
    """Return how many rows a page holds: $top, at most 1000."""
    given = request.query.get("$top", str(PAGE_ITEMS))
    if not given.isdigit() or not int(given):
        raise bad_request("InvalidTopInQueryString", f"The $top value '{given}' must be a positive number.")
    return min(int(given), PAGE_ITEMS)


def _scope(cloud: Cloud, path: str) -> str:
    """Return the key of a scope that exists."""
    address = parse(path)
    if not cloud.store.get(address.key):
        raise resource.missing_error(cloud, address)
    return address.key


def _rows(cloud: Cloud, kind: ResourceTemplate, address: Address, key: str, *, at_scope: bool) -> Iterator[StoredRow]:
    """Yield the rows of a collection after a key."""
    name = kind.type.lower()
    short = name.rpartition("/")[2]
    scope = address.scope.lower()
    # Types of the first level are listed for all groups of a scope, others only directly below it.
    spread = kind.graph == "resources" and name.count("/") == 1 and scope.count("/providers/") == 0
    spread = spread or (short in _SCOPED_TYPES and not at_scope)
    if short in _INHERITED_TYPES and not key:  # the first page; keys of higher scopes do not sort after this one
        for higher in scopes_above(cloud, scope):
            yield from _direct(cloud, f"{higher}/providers/{name}/", "", name)
    if spread:
        yield from cloud.store.scan(scope + "/", after=key, kind=name)
    else:
        yield from _direct(cloud, address.key + "/", key, name)


def _direct(cloud: Cloud, prefix: str, key: str, name: str) -> Iterator[StoredRow]:
    """Yield the rows of a collection, without those below them."""
    return (row for row in cloud.store.scan(prefix, after=key, kind=name) if "/" not in row.key[len(prefix) :])


def scopes_above(cloud: Cloud, scope: str) -> Iterator[str]:
    """Yield the scopes that a scope lies in, from the nearest: group, subscription, management groups, tenant ("")."""
    while scope:
        scope = _parent(cloud, scope)
        yield scope


def _parent(cloud: Cloud, scope: str) -> str:
    if scope.startswith(MANAGEMENT_GROUP_PREFIX):
        found = cloud.store.get(scope)
        parent = found and (found.document()["properties"]["details"].get("parent") or {}).get("id")
        return str(parent or "").lower()
    segments = scope.split("/")
    if len(segments) > 5:  # noqa: PLR2004 - below a resource group
        return "/".join(segments[:5])
    return "/".join(segments[:3]) if len(segments) == 5 else management_group_of(cloud, segments[2])  # noqa: PLR2004 - a group


def management_group_of(cloud: Cloud, subscription: str) -> str:
    """Return the key of the management group that a subscription belongs to, or ""."""
    links = cloud.store.scan(MANAGEMENT_GROUP_PREFIX, kind=SUBSCRIPTION_LINK_TYPE)
    return next(
        (link.key.rpartition("/subscriptions/")[0] for link in links if link.key.endswith("/" + subscription)), ""
    )


def _filter(text: str) -> Callable[[StoredRow, Mapping[str, Json]], bool]:
    """Return the predicate of an OData filter: terms `name eq 'value'` joined by `and`."""
    terms: list[tuple[str, str]] = []
    for term in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text.strip() else ():
        found = _FILTER_TERM.match(term)
        name = found[1].lower() if found else ""
        if not found or name not in {*_FILTER_FIELDS, "tagname", "tagvalue"}:
            raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
        # OData doubles a quote inside a text.
        terms.append((name, found[2].replace("''", "'").lower()))
    tag = dict(term for term in terms if term[0] in {"tagname", "tagvalue"})
    plain = [term for term in terms if term[0] not in tag]

    def keep(row: StoredRow, body: Mapping[str, Json]) -> bool:
        tags = body.get("tags") or {}
        # Name and value are one condition: the same tag has to have both.
        tagged = "tagname" not in tag or any(
            name.lower() == tag["tagname"] and tag.get("tagvalue", value.lower()) == value.lower()
            for name, value in tags.items()
        )
        return tagged and all(_FILTER_FIELDS[name](row, body) == value for name, value in plain)

    return keep


_FILTER_FIELDS: Mapping[str, Callable[[StoredRow, Mapping[str, Json]], str]] = {
    "resourcetype": lambda row, _: row.type,
    "resourcegroup": lambda row, _: row.group,
    "name": lambda _, body: str(body.get("name", "")).lower(),
    "location": lambda _, body: str(body.get("location", "")).lower().replace(" ", ""),
}


def _generic_view(row: StoredRow, body: Mapping[str, Json], expand: set[str]) -> dict[str, Json]:
    header = {name: body[name] for name in _HEADERS if body.get(name) is not None}
    if "createdtime" in expand:
        header["createdTime"] = row.created
    if "changedtime" in expand:
        header["changedTime"] = row.changed
    if "provisioningstate" in expand:
        header["provisioningState"] = (body.get("properties") or {}).get("provisioningState")
    return header

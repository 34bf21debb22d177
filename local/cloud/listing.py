"""Lists: the collections of ARM, page by page with nextLink."""

import base64
import binascii
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import orjson

from local.cloud import kind as kinds
from local.cloud import resource
from local.cloud.address import RESOURCE_GROUP, SUBSCRIPTION, Address, parse
from local.cloud.cloud import Cloud
from local.cloud.error import bad_request
from local.cloud.message import Answer, Request, answer, page
from local.cloud.store import GROUP_TYPE, Row
from local.stack import REGIONS
from local.template import Template
from shared.domain.resource import Json

PAGE = 1000
_HEADERS = ("id", "name", "type", "kind", "managedBy", "location", "tags", "sku", "plan", "identity", "zones")
_TERM = re.compile(r"^\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*$", re.IGNORECASE)
_SPREADING = frozenset({"roleassignments", "policyassignments", "policyexemptions", "locks"})
"""Types that are listed at a scope with those below it and those inherited from above."""
_INHERITED = _SPREADING | {"policydefinitions", "policysetdefinitions", "roledefinitions"}

ROOT = "/providers/microsoft.management/managementgroups/"
LINK = "microsoft.management/managementgroups/subscriptions"

Listed = Iterable[tuple[str, bytes]]
"""Key and JSON text of each row of a list, by key."""


def collection(cloud: Cloud, request: Request, address: Address) -> Answer:
    """The resources of a type in a scope: children, extensions, or all in a group or subscription."""
    kind = kinds.find(address.type)
    kinds.check_version(kind, request.api_version)
    if address.scope and not cloud.store.get(address.scope.lower()):
        raise resource.missing(cloud, parse(address.scope))
    rows = _rows(cloud, kind, address, at_scope="atscope" in request.query.get("$filter", "").lower())
    shown = ((row.key, resource.shown(cloud, row)) for row in rows(after(request)))
    return paged(request, shown, PAGE)


def subscriptions(cloud: Cloud, request: Request) -> Answer:
    """All subscriptions."""
    kinds.check_version(kinds.find(SUBSCRIPTION), request.api_version)
    rows = cloud.store.scan("/subscriptions/", after=after(request), kind=SUBSCRIPTION.lower())
    return paged(request, ((row.key, row.body) for row in rows), PAGE)


def tenants(cloud: Cloud, request: Request) -> Answer:
    """The one tenant."""
    kinds.check_version(kinds.find("Microsoft.Resources/tenants"), request.api_version)
    shown = {"id": f"/tenants/{cloud.tenant}", "tenantId": cloud.tenant, "displayName": "Northwind"}
    return answer({"value": [{**shown, "tenantCategory": "Home", "defaultDomain": "northwind.example.com"}]})


def locations(cloud: Cloud, request: Request, subscription: str) -> Answer:
    """The regions that a subscription can use."""
    kinds.check_version(kinds.find(SUBSCRIPTION), request.api_version)
    scope = _scope(cloud, f"/subscriptions/{subscription}")
    return answer(
        {
            "value": [
                {"id": f"{scope}/locations/{name}", "name": name, "type": "Region", "displayName": display_name}
                for name, display_name in REGIONS.items()
            ]
        }
    )


def resource_groups(cloud: Cloud, request: Request, subscription: str) -> Answer:
    """The resource groups of a subscription."""
    kinds.check_version(kinds.find(RESOURCE_GROUP), request.api_version)
    scope = _scope(cloud, f"/subscriptions/{subscription}")
    rows = cloud.store.scan(f"{scope}/resourcegroups/", after=after(request), kind=GROUP_TYPE)
    return paged(request, ((row.key, row.body) for row in rows), size(request))


def resources(cloud: Cloud, request: Request, subscription: str, group: str = "") -> Answer:
    """The resources of a subscription or group: their headers, without properties."""
    kinds.check_version(kinds.find(RESOURCE_GROUP), request.api_version)
    scope = _scope(cloud, f"/subscriptions/{subscription}" + (f"/resourcegroups/{group}" if group else ""))
    keep = _filter(request.query.get("$filter", ""))
    expand = {each.strip().lower() for each in request.query.get("$expand", "").split(",")}
    rows = cloud.store.scan(scope + "/", after=after(request), graph="resources")
    pairs = ((row, row.document()) for row in rows)
    shown = ((row.key, orjson.dumps(_header(row, body, expand))) for row, body in pairs if keep(row, body))
    return paged(request, shown, size(request))


def paged(request: Request, rows: Listed, most: int) -> Answer:
    """The first `most` rows, and a link to the rest when there are more."""
    taken = list(itertools.islice(rows, most + 1))
    link = request.link(**{"$skiptoken": token(taken[most - 1][0])}) if len(taken) > most else None
    return page((text for _, text in taken[:most]), link)


def token(key: str) -> str:
    """A continuation token that resumes after a key."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def after(request: Request) -> str:
    """The key that a request's continuation token resumes after, or ""."""
    given = request.query.get("$skiptoken", "")
    try:
        return base64.b64decode(given, b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_request("InvalidSkipToken", f"The skip token '{given}' is invalid.") from error


def size(request: Request) -> int:
    """How many rows a page holds: $top, at most 1000."""
    given = request.query.get("$top", str(PAGE))
    if not given.isdigit() or not int(given):
        raise bad_request("InvalidTopInQueryString", f"The $top value '{given}' must be a positive number.")
    return min(int(given), PAGE)


def _scope(cloud: Cloud, path: str) -> str:
    """The key of a scope that exists."""
    address = parse(path)
    if not cloud.store.get(address.key):
        raise resource.missing(cloud, address)
    return address.key


def _rows(cloud: Cloud, kind: Template, address: Address, *, at_scope: bool) -> Callable[[str], Iterator[Row]]:
    """What gives the rows of a collection after a key."""
    name = kind.type.lower()
    short = name.rpartition("/")[2]
    scope = address.scope.lower()
    spread = kind.graph == "resources" and name.count("/") == 1 and scope.count("/providers/") == 0
    spread = spread or (short in _SPREADING and not at_scope)

    def rows(key: str) -> Iterator[Row]:
        if short in _INHERITED and not key:
            for higher in above(cloud, scope):
                yield from _direct(cloud, f"{higher}/providers/{name}/", "", name)
        if spread:
            yield from cloud.store.scan(scope + "/", after=key, kind=name)
        else:
            yield from _direct(cloud, address.key + "/", key, name)

    return rows


def _direct(cloud: Cloud, prefix: str, key: str, name: str) -> Iterator[Row]:
    """The rows directly in a collection."""
    return (row for row in cloud.store.scan(prefix, after=key, kind=name) if "/" not in row.key[len(prefix) :])


def above(cloud: Cloud, scope: str) -> Iterator[str]:
    """The scopes that a scope lies in, from the nearest: group, subscription, management groups, tenant ("")."""
    while scope:
        scope = _parent(cloud, scope)
        yield scope


def _parent(cloud: Cloud, scope: str) -> str:
    if scope.startswith(ROOT):
        found = cloud.store.get(scope)
        parent = found and (found.document()["properties"]["details"].get("parent") or {}).get("id")
        return str(parent or "").lower()
    segments = scope.split("/")
    if len(segments) > 5:  # noqa: PLR2004 - below a resource group
        return "/".join(segments[:5])
    return "/".join(segments[:3]) if len(segments) == 5 else home(cloud, segments[2])  # noqa: PLR2004 - a group


def home(cloud: Cloud, subscription: str) -> str:
    """The key of the management group that a subscription hangs under, or ""."""
    links = cloud.store.scan(ROOT, kind=LINK)
    return next(
        (link.key.rpartition("/subscriptions/")[0] for link in links if link.key.endswith("/" + subscription)), ""
    )


def _filter(text: str) -> Callable[[Row, Mapping[str, Json]], bool]:
    """A test of resources from an OData filter: terms `name eq 'value'` joined by `and`."""
    terms = [_term(term, text) for term in re.split(r"\s+and\s+", text, flags=re.IGNORECASE)] if text.strip() else []
    tag = dict(term for term in terms if term[0] in {"tagname", "tagvalue"})
    plain = [term for term in terms if term[0] not in tag]

    def keep(row: Row, body: Mapping[str, Json]) -> bool:
        tags = body.get("tags") or {}
        tagged = "tagname" not in tag or any(
            name.lower() == tag["tagname"] and tag.get("tagvalue", value.lower()) == value.lower()
            for name, value in tags.items()
        )
        return tagged and all(_FIELDS[name](row, body) == value for name, value in plain)

    return keep


_FIELDS: Mapping[str, Callable[[Row, Mapping[str, Json]], str]] = {
    "resourcetype": lambda row, _: row.type,
    "resourcegroup": lambda row, _: row.group,
    "name": lambda _, body: str(body.get("name", "")).lower(),
    "location": lambda _, body: str(body.get("location", "")).lower().replace(" ", ""),
}


def _term(term: str, text: str) -> tuple[str, str]:
    found = _TERM.match(term)
    name = found[1].lower() if found else ""
    if not found or name not in {*_FIELDS, "tagname", "tagvalue"}:
        raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
    return name, found[2].replace("''", "'").lower()


def _header(row: Row, body: Mapping[str, Json], expand: set[str]) -> dict[str, Json]:
    header = {name: body[name] for name in _HEADERS if body.get(name) is not None}
    if "createdtime" in expand:
        header["createdTime"] = row.created
    if "changedtime" in expand:
        header["changedTime"] = row.changed
    if "provisioningstate" in expand:
        header["provisioningState"] = (body.get("properties") or {}).get("provisioningState")
    return header

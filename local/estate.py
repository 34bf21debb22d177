"""Sample estates of any size from a seed: what a tenant's Azure Resource Manager would return, streamed."""

import functools
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import orjson

from local.resource_template import EstateRecord, templates
from local.workload import (
    ResourceSlots,
    SampleGroup,
    SampleResource,
    digest,
    guid,
    sample_group,
    sample_subscription,
    tenant,
)
from shared.domain.body import patch_between
from shared.domain.resource import Json

_MANAGEMENT_GROUP_PREFIX = "/providers/Microsoft.Management/managementGroups/"
_HIERARCHY = (
    ("", "Tenant Root Group", None),
    ("northwind", "Northwind", ""),
    ("platform", "Platform", "northwind"),
    ("landingzones", "Landing zones", "northwind"),
    ("corp", "Corp", "landingzones"),
    ("online", "Online", "landingzones"),
    ("sandbox", "Sandbox", "northwind"),
    ("decommissioned", "Decommissioned", "northwind"),
)
"""Name, display name and parent of the management groups; the first is named as the tenant."""
_LIST_KEY_ACTIONS = (
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
)
_ROLES: tuple[tuple[str, str, list[str], list[str]], ...] = (
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", ["*"], []),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", ["*"], list(_LIST_KEY_ACTIONS)),
    ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", ["*/read"], []),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator", ["*/read", "Microsoft.Authorization/*"], []),
    ("39bc4728-0917-49c7-9d2c-d95423bc2eb4", "Security Reader", ["Microsoft.Security/*/read", "*/read"], []),
    ("4a9ae827-6dc8-4573-8ac7-8239d42aa03f", "Tag Contributor", ["Microsoft.Resources/tags/*"], []),
)
"""Id, name, actions and excluded actions of built-in roles. Source: Azure RBAC, "Azure built-in roles"."""
_CREATED_TYPES = ("storage", "publicIp")
"""Templates of the resources that drift creates."""
_EXPORTED_RESOURCES = 120
"""Resources of the tenant that `exported` takes those of one subscription from."""
_DELETABLE_TYPES = frozenset({"snapshot", "searchService", "logicApp", "cognitive"})
"""Templates of the resources that drift deletes: no other resource refers to them."""


class DriftChange(NamedTuple):
    """A change of an estate. `body` is the body of a created resource, or a merge patch (RFC 7396)."""

    kind: Literal["create", "update", "delete"]
    id: str
    body: Mapping[str, Json] | None


def resources(seed: int = 7, count: int = 2000) -> Iterator[dict[str, Json]]:
    """Yield the ARM bodies of an estate of `count` resources, parents before children.

    The management groups, subscriptions and resource groups come too, and the child and extension resources that
    Resource Graph does not list among resources; these do not count. A larger estate begins with the resources of a
    smaller one.
    """
    return (orjson.loads(record.text) for record in records(seed, count))


def records(seed: int = 7, count: int = 2000) -> Iterator[EstateRecord]:
    """Yield the resources of `resources` as JSON text, each with its template."""
    yield from _role_definitions()
    yield from _management_groups(seed)
    seen: set[str] = set()
    left, number = count, 0
    while left > 0:
        planned = sample_group(seed, number)
        if planned.subscription.id not in seen:
            seen.add(planned.subscription.id)
            yield from _subscription(planned)
        yield from _resource_group(planned)
        # The last group is cut short, so that there are exactly `count`.
        for member in planned.members()[:left]:
            left -= 1
            yield from _rendered(member, member.draws)
        number += 1


def restrictions(seed: int = 7) -> tuple[Mapping[str, str], ...]:
    """Return what a principal without all roles may not read in the estate: scopes, one of them for a type only."""
    closed, partial = sample_subscription(seed, 0, 4).id, sample_subscription(seed, 0, 1).id
    parts = {"scope": f"/subscriptions/{partial}", "type": "Microsoft.Storage/storageAccounts/blobServices"}
    return {"scope": f"/subscriptions/{closed}"}, parts


def exported(seed: int = 7) -> Iterator[dict[str, Json]]:
    """Yield some resources of one subscription of another tenant, as its owner would export them."""
    home = f"/subscriptions/{sample_subscription(seed + 1, 0, 0).id}/"
    for body in resources(seed + 1, _EXPORTED_RESOURCES):
        # Without storage accounts: the tour fixes one, and what was imported cannot be fixed.
        if f"{body['id']}/".startswith(home) and "/storageAccounts/" not in str(body["id"]):
            yield body


def make_drift(seed: int, step: int, count: int = 2000) -> Iterator[DriftChange]:
    """Yield what changes in one step of time in the estate of `seed` and `count`: settings, tags, whole resources."""
    groups = _group_count(seed, count)
    for turn in range(3 + count // 1000):
        draws = digest(seed, "drift", step, turn, size=64)
        planned = sample_group(seed, int.from_bytes(draws[:4]) % groups)
        members = planned.members()
        # Nothing refers to these, so the estate stays whole without them.
        leaves = [member for member in members if member.template.key in _DELETABLE_TYPES]
        chance = draws[4]
        if chance < 25:  # noqa: PLR2004 - one in ten
            # Numbers from 100 on, which no resource of the plan has.
            member = planned.member(templates()[_CREATED_TYPES[draws[5] % 2]], 100 + step)
            for record in _rendered(member, member.draws):
                yield DriftChange("create", record.id, orjson.loads(record.text))
        elif chance < 45 and leaves:  # noqa: PLR2004 - fewer go than come
            yield DriftChange("delete", leaves[draws[5] % len(leaves)].id, None)
        else:
            yield from _changed(members[draws[5] % len(members)], draws[6:])


def _changed(member: SampleResource, chances: bytes) -> Iterator[DriftChange]:
    """Change one byte of the draws until a body differs, and yield the differences."""
    before = {record.id: orjson.loads(record.text) for record in _rendered(member, member.draws)}
    # Some bytes decide nothing for this resource, so several are tried.
    for turn in range(0, len(chances) - 1, 2):
        redrawn = bytearray(member.draws)
        redrawn[chances[turn] % len(redrawn)] = chances[turn + 1]
        after = {record.id: orjson.loads(record.text) for record in _rendered(member, bytes(redrawn))}
        if after != before:
            yield from _differences(before, after)
            return


def _differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[DriftChange]:
    for name, body in after.items():
        if name not in before:
            yield DriftChange("create", name, body)
        elif body != before[name]:
            yield DriftChange("update", name, patch_between(before[name], body))
    yield from (DriftChange("delete", name, None) for name in before if name not in after)


@functools.lru_cache(maxsize=16)
def _group_count(seed: int, count: int) -> int:
    """Return how many resource groups the estate has."""
    # Groups differ in size, so that they have to be planned one by one; every step of drift asks for the number.
    number = 0
    while count > 0:
        count -= sample_group(seed, number).size
        number += 1
    return number


def _rendered(member: SampleResource, draws: bytes) -> list[EstateRecord]:
    slots = member.slots
    # Tags are as people set them: mostly there, sometimes missing or misspelled.
    tags = {"application": slots["app"]}
    if draws[0] < 225:  # noqa: PLR2004 - of 256
        tags["owner"] = slots["owner"]
    if draws[1] < 235:  # noqa: PLR2004 - of 256
        tags["environment"] = slots["env"] if draws[3] < 248 else slots["env"].upper()  # noqa: PLR2004 - of 256
    if draws[2] < 220:  # noqa: PLR2004 - of 256
        tags["costCenter"] = slots["costCenter"]
    slots["tags"] = orjson.dumps(tags).decode()
    return member.template.render(member.id, slots, draws)


def _role_definitions() -> Iterator[EstateRecord]:
    """Yield the built-in roles that assignments name."""
    template = templates()["roleDefinition"]
    for role, name, actions, excluded in _ROLES:
        allowed = [{"actions": actions, "notActions": excluded, "dataActions": [], "notDataActions": []}]
        slots = {"roleName": name, "permissions": orjson.dumps(allowed).decode()}
        yield from template.render(f"/providers/{template.type}/{role}", slots, bytes(template.draws))


def _management_groups(seed: int) -> Iterator[EstateRecord]:
    template = templates()["managementGroup"]
    for name, display_name, parent in _HIERARCHY:
        above = next((each for each in _HIERARCHY if each[0] == parent), None)
        home = (
            {"id": _management_group(seed, above[0]), "name": above[0] or tenant(seed), "displayName": above[1]}
            if above
            else None
        )
        slots = {
            "tenant": tenant(seed),
            "displayName": display_name,
            "home": orjson.dumps(home).decode(),
            "guid.updater": guid(seed, "updater"),
        }
        yield from template.render(_management_group(seed, name), slots, bytes(template.draws))


def _management_group(seed: int, name: str) -> str:
    return _MANAGEMENT_GROUP_PREFIX + (name or tenant(seed))


def _subscription(planned: SampleGroup) -> Iterator[EstateRecord]:
    """Yield a subscription with what is set on it, and its place among the management groups."""
    home = planned.subscription
    for key, resource_id in (
        ("subscription", f"/subscriptions/{home.id}"),
        ("managementGroupSubscription", f"{_MANAGEMENT_GROUP_PREFIX}{home.management_group}/subscriptions/{home.id}"),
    ):
        template = templates()[key]
        # The first bytes make names and GUIDs, the others decide the picks.
        draws = digest(planned.seed, key, home.id, size=16 + template.draws)
        slots = ResourceSlots(planned, 0, draws[:16])
        slots |= {"displayName": home.display_name, "team": home.display_name.partition(" ")[0]}
        slots["parentId"] = _MANAGEMENT_GROUP_PREFIX + home.management_group
        yield from template.render(resource_id, slots, draws[16:])


def _resource_group(planned: SampleGroup) -> list[EstateRecord]:
    template = templates()["resourceGroup"]
    draws = digest(planned.seed, "resourceGroup", planned.number, size=16 + template.draws)
    slots = ResourceSlots(planned, 0, draws[:16])
    return _rendered(SampleResource(template, 0, planned.id, draws[16:], slots), draws[16:])

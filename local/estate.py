"""Sample estates of any size from a seed: what a tenant's Azure Resource Manager would return, streamed."""

import functools
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import orjson

from local.stack import Group, Member, Slots, digest, group, guid, tenant
from local.template import Record, templates
from shared.domain.body import patch_between
from shared.domain.resource import Json

_ROOT = "/providers/Microsoft.Management/managementGroups/"
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
_KEYS = (
    "Microsoft.Authorization/*/Delete",
    "Microsoft.Authorization/*/Write",
    "Microsoft.Authorization/elevateAccess/Action",
)
_ROLES: tuple[tuple[str, str, list[str], list[str]], ...] = (
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", ["*"], []),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", ["*"], list(_KEYS)),
    ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", ["*/read"], []),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator", ["*/read", "Microsoft.Authorization/*"], []),
    ("39bc4728-0917-49c7-9d2c-d95423bc2eb4", "Security Reader", ["Microsoft.Security/*/read", "*/read"], []),
    ("4a9ae827-6dc8-4573-8ac7-8239d42aa03f", "Tag Contributor", ["Microsoft.Resources/tags/*"], []),
)
"""Id, name, actions and excluded actions of built-in roles. Source: Azure RBAC, "Azure built-in roles"."""
_NEW = ("storage", "publicIp")
"""What drift makes."""
_LEAVES = frozenset({"snapshot", "searchService", "logicApp", "cognitive"})
"""What drift takes away: nothing else depends on it."""


class Change(NamedTuple):
    """Something that happened to an estate. `body` is the new body of what was created, or a merge patch (RFC 7396)."""

    kind: Literal["create", "update", "delete"]
    id: str
    body: Mapping[str, Json] | None


def resources(seed: int = 7, count: int = 2000) -> Iterator[dict[str, Json]]:
    """ARM bodies of an estate of `count` resources, parents before children, never more than one in memory.

    Beside the resources come the management groups, subscriptions and resource groups they lie in, and what belongs
    to them: child and extension resources that Resource Graph does not list among resources. A larger estate begins
    with the resources of a smaller one.
    """
    return (orjson.loads(record.text) for record in records(seed, count))


def records(seed: int = 7, count: int = 2000) -> Iterator[Record]:
    """The same as JSON text, with the template of each."""
    yield from _role_definitions()
    yield from _management_groups(seed)
    seen: set[str] = set()
    left, number = count, 0
    while left > 0:
        planned = group(seed, number)
        if planned.subscription.id not in seen:
            seen.add(planned.subscription.id)
            yield from _subscription(planned)
        yield from _resource_group(planned)
        for member in planned.members()[:left]:
            left -= 1
            yield from _rendered(member, member.draws)
        number += 1


def drift(seed: int, step: int, count: int = 2000) -> Iterator[Change]:
    """What changes in one step of time in the estate of `seed` and `count`: settings, tags, resources come and go."""
    groups = _group_count(seed, count)
    for turn in range(3 + count // 1000):
        draws = digest(seed, "drift", step, turn, size=64)
        planned = group(seed, int.from_bytes(draws[:4]) % groups)
        members = planned.members()
        leaves = [member for member in members if member.template.key in _LEAVES]
        chance = draws[4]
        if chance < 25:  # noqa: PLR2004 - one in ten
            yield from _created(planned, 100 + step, draws)
        elif chance < 45 and leaves:  # noqa: PLR2004 - fewer go than come
            yield Change("delete", leaves[draws[5] % len(leaves)].id, None)
        else:
            yield from _changed(members[draws[5] % len(members)], draws[6:])


def _created(planned: Group, ordinal: int, draws: bytes) -> Iterator[Change]:
    member = planned.member(templates()[_NEW[draws[5] % 2]], ordinal)
    for record in _rendered(member, member.draws):
        yield Change("create", record.id, orjson.loads(record.text))


def _changed(member: Member, chances: bytes) -> Iterator[Change]:
    """The first of several redrawn decisions that makes a difference."""
    before = {record.id: orjson.loads(record.text) for record in _rendered(member, member.draws)}
    for turn in range(0, len(chances) - 1, 2):
        redrawn = bytearray(member.draws)
        redrawn[chances[turn] % len(redrawn)] = chances[turn + 1]
        after = {record.id: orjson.loads(record.text) for record in _rendered(member, bytes(redrawn))}
        if after != before:
            yield from _differences(before, after)
            return


def _differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[Change]:
    for name, body in after.items():
        if name not in before:
            yield Change("create", name, body)
        elif body != before[name]:
            yield Change("update", name, patch_between(before[name], body))
    yield from (Change("delete", name, None) for name in before if name not in after)


@functools.lru_cache(maxsize=16)
def _group_count(seed: int, count: int) -> int:
    """How many resource groups the estate has."""
    number = 0
    while count > 0:
        count -= group(seed, number).size
        number += 1
    return number


def _rendered(member: Member, draws: bytes) -> list[Record]:
    member.slots["tags"] = _tags(member.slots, draws)
    return member.template.render(member.id, member.slots, draws)


def _tags(slots: Mapping[str, str], draws: bytes) -> str:
    """Tags as people set them: mostly there, sometimes missing or misspelled."""
    pairs = {"application": slots["app"]}
    if draws[0] < 225:  # noqa: PLR2004 - of 256
        pairs["owner"] = slots["owner"]
    if draws[1] < 235:  # noqa: PLR2004 - of 256
        pairs["environment"] = slots["env"] if draws[3] < 248 else slots["env"].upper()  # noqa: PLR2004 - of 256
    if draws[2] < 220:  # noqa: PLR2004 - of 256
        pairs["costCenter"] = slots["costCenter"]
    return orjson.dumps(pairs).decode()


def _role_definitions() -> Iterator[Record]:
    """The built-in roles that assignments name."""
    template = templates()["roleDefinition"]
    for role, name, actions, excluded in _ROLES:
        allowed = [{"actions": actions, "notActions": excluded, "dataActions": [], "notDataActions": []}]
        slots = {"roleName": name, "permissions": orjson.dumps(allowed).decode()}
        yield from template.render(f"/providers/{template.type}/{role}", slots, bytes(template.draws))


def _management_groups(seed: int) -> Iterator[Record]:
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
    return _ROOT + (name or tenant(seed))


def _subscription(planned: Group) -> Iterator[Record]:
    """A subscription with what is set on it, and its place among the management groups."""
    home = planned.subscription
    for key, resource_id in (
        ("subscription", f"/subscriptions/{home.id}"),
        ("managementGroupSubscription", f"{_ROOT}{home.management_group}/subscriptions/{home.id}"),
    ):
        template = templates()[key]
        draws = digest(planned.seed, key, home.id, size=16 + template.draws)
        slots = Slots(planned, 0, draws[:16])
        slots |= {"displayName": home.display_name, "team": home.display_name.partition(" ")[0]}
        slots["parentId"] = _ROOT + home.management_group
        yield from template.render(resource_id, slots, draws[16:])


def _resource_group(planned: Group) -> list[Record]:
    template = templates()["resourceGroup"]
    draws = digest(planned.seed, "resourceGroup", planned.number, size=16 + template.draws)
    slots = Slots(planned, 0, draws[:16])
    return _rendered(Member(template, 0, planned.id, draws[16:], slots), draws[16:])

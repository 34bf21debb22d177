"""Stacks: which resources lie together in a resource group, and the plan of each group of an estate.

Everything follows from the seed and the group's number alone, so any group can be planned without those before it,
and a larger estate begins with the groups of a smaller one.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.template import Template, templates

GROUPS_AT_FIRST = 100
"""Resource groups in the first block of six subscriptions; each next block has twice as many."""
GROUPS_AT_MOST = 1600
"""Resource groups in a block of six subscriptions, at most."""
_DEAL = (0, 1, 2, 3, 4, 5, 0, 1, 5, 2, 0, 1, 0, 3, 1, 2, 0, 1, 0, 4)
"""Which subscription of a block the next group goes to: the first gets the most."""

STACKS: Mapping[str, tuple[str, ...]] = {
    "management": (
        "workspace", "nsg", "vnet", "storage", "privateEndpoint", "automation", "recoveryVault", "networkWatcher",
        "activityLogAlert", "acr", "publicIp", "actionGroup", "flowLog", "backupVault",
    ),
    "hub": (
        "nsg", "publicIp*", "vnet", "routeTable", "firewallPolicy", "firewall", "bastion", "vpnGateway",
        "privateDnsZone", "keyVault", "storage", "privateEndpoint", "ddosProtectionPlan", "natGateway",
        "frontDoorWafPolicy",
    ),
    "machines": (
        "nsg", "vnet", "publicIp", "loadBalancer", "nic*", "disk*", "vm*", "vmExtension*", "snapshot*", "keyVault",
        "storage*", "privateEndpoint", "diskEncryptionSet", "availabilitySet", "image",
    ),
    "web": (
        "nsg", "vnet", "publicIp", "storage*", "keyVault", "plan", "appInsights", "site*", "functionApp", "sqlServer",
        "sqlDatabase*", "redis", "appConfiguration", "privateEndpoint", "appGateway", "wafPolicy",
        "staticSite", "elasticPool",
    ),
    "containers": (
        "nsg", "vnet", "identity*", "keyVault", "acr", "aks", "containerEnvironment", "containerApp*", "cosmos",
        "storage", "privateEndpoint", "containerGroup*",
    ),
    "messaging": (
        "nsg", "vnet", "storage*", "keyVault", "serviceBus", "eventHub*", "eventGridTopic", "logicApp*", "plan",
        "appInsights", "functionApp*", "apim", "signalR", "iotHub", "privateEndpoint",
    ),
    "data": (
        "nsg", "vnet", "storage*", "keyVault", "dataFactory", "databricks", "synapse", "kusto", "sqlServer",
        "sqlDatabase*", "identity", "privateEndpoint",
    ),
    "intelligence": (
        "nsg", "vnet", "storage", "keyVault", "appInsights", "acr", "cognitive*", "mlWorkspace", "searchService*",
        "cosmos", "privateEndpoint",
    ),
    "databases": (
        "nsg", "vnet", "storage", "keyVault", "postgres*", "mysql*", "cosmos*", "redis", "privateDnsZone",
        "privateEndpoint", "managedInstance",
    ),
    "batch": (
        "nsg", "vnet", "publicIp", "storage*", "keyVault", "batch", "vmss*", "loadBalancer", "routeTable",
        "privateEndpoint",
    ),
}  # fmt: skip
"""The templates of each stack, those that others need first; "*" marks what there are several of."""
_WEIGHTED = (
    "web", "machines", "containers", "messaging", "data", "intelligence", "databases", "batch",
    "web", "web", "web", "machines", "machines", "machines", "containers", "databases",
)  # fmt: skip

_ARCHETYPES = (
    ("prod", "Production", "corp"),
    ("prod", "Production", "online"),
    ("test", "Test", "corp"),
    ("dev", "Development", "online"),
    ("dev", "Sandbox", "sandbox"),
    ("prod", "Platform", "platform"),
)
"""Environment, display name and management group of a block's subscriptions; the first two share a display name."""
_TEAMS = ("Payments", "Retail", "Logistics", "Insights", "Claims", "Mobility", "Research", "Factory")
_APPS = (
    "orders", "billing", "ledger", "catalog", "search", "intake", "portal", "pricing", "stock", "fleet",
    "claims", "signup", "reports", "archive", "mail", "vision", "events", "risk", "loyalty", "care",
)  # fmt: skip
_OWNERS = (
    "ada.berg", "ben.costa", "chloe.diaz", "dario.evans", "elif.fischer", "femi.garcia", "grace.haas", "hugo.ito",
    "ines.jansen", "jonas.kaya", "kira.lopez", "liam.meyer", "mona.novak", "nils.okoro", "olga.perez", "paul.quist",
)  # fmt: skip
REGIONS: Mapping[str, str] = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "germanywestcentral": "Germany West Central",
    "swedencentral": "Sweden Central",
    "eastus": "East US",
}
"""Name and display name of the regions in use."""
_LOCATIONS = tuple(REGIONS.items()) + (("westeurope", "West Europe"),) * 2 + (("northeurope", "North Europe"),)
"""The same, those most used several times."""


def digest(*parts: object, size: int = 16) -> bytes:
    """Bytes that follow from the parts and look like chance."""
    return hashlib.shake_128("/".join(map(str, parts)).encode()).digest(size)


def guid(*parts: object) -> str:
    """A GUID (RFC 9562, version 4) that follows from the parts."""
    text = digest(*parts).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription of an estate: `block` and `position` say where it stands, all else follows."""

    seed: int
    block: int
    position: int
    id: str
    display_name: str
    environment: str
    management_group: str


@functools.lru_cache(maxsize=4096)
def subscription(seed: int, block: int, position: int) -> Subscription:
    """The subscription at a position of a block."""
    environment, label, home = _ARCHETYPES[position]
    team = _TEAMS[block % len(_TEAMS)] + ("" if block < len(_TEAMS) else f" {block // len(_TEAMS) + 1}")
    name = guid(seed, "subscription", block, position)
    return Subscription(seed, block, position, name, f"{team} {label}", environment, home)


class Slots(dict[str, str]):
    """The slots of one resource; GUIDs and references to other resources are made when they are asked for."""

    def __init__(self, group: "Group", ordinal: int, key: bytes) -> None:
        super().__init__(group.slots)
        self._group, self._ordinal, self._key = group, ordinal, key
        self["unique"], self["n"] = key[:4].hex(), f"{ordinal + 1:02}"

    def __missing__(self, slot: str) -> str:
        kind, _, label = slot.partition(".")
        value = _LATE[kind](self, label)
        self[slot] = value
        return value

    def reference(self, key: str) -> str:
        """The id of the group's resource of a template: the one with the same number, or the first."""
        return self._group.reference(key, self._ordinal)

    def guid(self, label: str) -> str:
        """A GUID of this resource."""
        return guid(self._key.hex(), label)

    def address(self, _: str) -> str:
        """A public IPv4 address (RFC 5737 documentation blocks)."""
        return f"{('192.0.2', '198.51.100', '203.0.113')[self._key[5] % 3]}.{self._key[6]}"


_LATE = {
    "ref": Slots.reference,
    "guid": Slots.guid,
    "etag": Slots.guid,
    "publicAddress": Slots.address,
}


@dataclass(frozen=True, slots=True)
class Member:
    """A resource to be: its template, its number among its like, its id, and the bytes that decide its body."""

    template: Template
    ordinal: int
    id: str
    draws: bytes
    slots: Slots


@dataclass(frozen=True, slots=True)
class Group:
    """A resource group to be. `slots` are those that all its resources share."""

    seed: int
    number: int
    subscription: Subscription
    stack: str
    scale: int
    id: str
    slots: dict[str, str]
    ids: dict[str, list[str]] = field(default_factory=dict)

    def reference(self, key: str, ordinal: int) -> str:
        """The id of a resource in this group, or of the shared one of its subscription."""
        found = self.ids.get(key)
        if found:
            return found[ordinal] if ordinal < len(found) else found[0]
        return shared_ids(self.subscription)[key]

    @property
    def size(self) -> int:
        """How many resources it has."""
        return sum(self.scale if name.endswith("*") else 1 for name in STACKS[self.stack])

    def members(self) -> list[Member]:
        """Its resources, those that others need first."""
        return [
            self.member(templates()[name.rstrip("*")], ordinal)
            for name in STACKS[self.stack]
            for ordinal in range(self.scale if name.endswith("*") else 1)
        ]

    def member(self, template: Template, ordinal: int) -> Member:
        """One of its resources, which from now on can be referred to."""
        draws = digest(self.seed, self.number, template.key, ordinal, size=16 + template.draws)
        slots = Slots(self, ordinal, draws[:16])
        home = self.ids[template.parent][min(ordinal, len(self.ids[template.parent]) - 1)] if template.parent else None
        name = template.name % slots
        kind = template.type.rpartition("/")[2]
        resource_id = f"{home}/{kind}/{name}" if home else f"{self.id}/providers/{template.type}/{name}"
        self.ids.setdefault(template.key, []).append(resource_id)
        return Member(template, ordinal, resource_id, draws[16:], slots)


def group(seed: int, number: int) -> Group:
    """The plan of a resource group."""
    block, place = _place(number)
    home = subscription(seed, block, _DEAL[place % len(_DEAL)])
    draws = digest(seed, "group", number)
    stack = _stack(home, block, place, draws[0])
    slots = _slots(home, stack, number, draws)
    resource_id = slots["groupId"] = f"/subscriptions/{home.id}/resourceGroups/{slots['group']}"
    return Group(seed, number, home, stack, 1 + draws[7] % 4, resource_id, slots)


def tenant(seed: int) -> str:
    """The tenant of an estate."""
    return guid(seed, "tenant")


@functools.lru_cache(maxsize=4096)
def shared_ids(home: Subscription) -> Mapping[str, str]:
    """The ids of what all groups of a subscription use: the resources of its management group, by template."""
    shared = group(home.seed, _start(home.block) + home.position)
    return {member.template.key: member.id for member in shared.members()}


def _place(number: int) -> tuple[int, int]:
    """The block of a group and its place in it; blocks double in size until they are at their largest."""
    block = 0
    while (size := _size(block)) < GROUPS_AT_MOST and number >= size:
        number -= size
        block += 1
    return block + number // size, number % size


def _size(block: int) -> int:
    return min(GROUPS_AT_FIRST << block, GROUPS_AT_MOST)


def _start(block: int) -> int:
    return sum(_size(earlier) for earlier in range(block))


def _stack(home: Subscription, block: int, place: int, draw: int) -> str:
    """Each subscription begins with its management group; the first block shows every stack once, early."""
    if place < len(_ARCHETYPES):
        return "management"
    if home.management_group == "platform":
        return "hub"
    turn = place - len(_ARCHETYPES) - (place > _DEAL.index(5, len(_ARCHETYPES)))
    kinds = tuple(dict.fromkeys(_WEIGHTED))
    return kinds[turn] if block == 0 and turn < len(kinds) else _WEIGHTED[draw % len(_WEIGHTED)]


def _slots(home: Subscription, stack: str, number: int, draws: bytes) -> dict[str, str]:
    app = "central" if stack == "management" else _APPS[draws[1] % len(_APPS)]
    location, location_name = _LOCATIONS[draws[2] % len(_LOCATIONS)]
    year, month, day, hour = 2023 + draws[3] % 3, 1 + draws[4] % 12, 1 + draws[5] % 28, draws[6] % 24
    return {
        "subscription": home.id,
        "tenant": tenant(home.seed),
        "group": "rg-management" if stack == "management" else f"rg-{app}-{home.environment}-{number:05}",
        "app": app,
        "env": home.environment,
        "owner": f"{_OWNERS[draws[1] % len(_OWNERS)]}@example.com",
        "costCenter": f"CC-{1000 + draws[1] % 40}",
        "location": location,
        "locationName": location_name,
        "created": f"{year}-{month:02}-{day:02}T{hour:02}:17:41.2510628Z",
        "number": str(number),
    }

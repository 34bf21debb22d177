"""Workloads: which resources lie together in a resource group, and the plan of each group of an estate.

Everything follows from the seed and the group's number alone, so any group can be planned without those before it,
and a larger estate begins with the groups of a smaller one.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.resource_template import ResourceTemplate, templates

FIRST_BLOCK_GROUPS = 100
"""Resource groups in the first block of six subscriptions; each next block has twice as many."""
BLOCK_GROUPS = 1600
"""Resource groups in a block of six subscriptions, at most."""
_WORKLOAD_ORDER = (0, 1, 2, 3, 4, 5, 0, 1, 5, 2, 0, 1, 0, 3, 1, 2, 0, 1, 0, 4)
"""Which subscription of a block the next group goes to: the first gets the most."""

WORKLOADS: Mapping[str, tuple[str, ...]] = {
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
"""The templates of each workload, those that others refer to first; "*" marks those with several resources."""
_WEIGHTED_WORKLOADS = (
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
    """Return bytes that follow from the parts and look random."""
    return hashlib.shake_128("/".join(map(str, parts)).encode()).digest(size)


def guid(*parts: object) -> str:
    """Return a GUID (RFC 9562, version 4) that follows from the parts."""
    text = digest(*parts).hex()  # version and variant go to their places; the other bits are those of the digest
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class SampleSubscription:
    """A subscription of an estate: everything follows from its `block` and its `position` there."""

    seed: int
    block: int
    position: int
    id: str
    display_name: str
    environment: str
    management_group: str


@functools.lru_cache(maxsize=4096)
def sample_subscription(seed: int, block: int, position: int) -> SampleSubscription:
    """Return the subscription at a position of a block."""
    environment, label, home = _ARCHETYPES[position]
    # When all teams have had a block they come again, numbered.
    team = _TEAMS[block % len(_TEAMS)] + ("" if block < len(_TEAMS) else f" {block // len(_TEAMS) + 1}")
    name = guid(seed, "subscription", block, position)
    return SampleSubscription(seed, block, position, name, f"{team} {label}", environment, home)


class ResourceSlots(dict[str, str]):
    """The slots of one resource. GUIDs and references to other resources are computed on first use."""

    def __init__(self, group: "SampleGroup", ordinal: int, key: bytes) -> None:
        # Copied: a resource adds slots of its own to those of its group.
        super().__init__(group.slots)
        self._group, self._ordinal, self._key = group, ordinal, key
        self["unique"], self["n"] = key[:4].hex(), f"{ordinal + 1:02}"

    def __missing__(self, slot: str) -> str:
        kind, _, label = slot.partition(".")
        value = _COMPUTED_SLOTS[kind](self, label)
        self[slot] = value
        return value

    def reference(self, key: str) -> str:
        """Return the id of the group's resource of a template: the one with the same number, or the first."""
        return self._group.reference(key, self._ordinal)

    def guid(self, label: str) -> str:
        """Return a GUID of this resource."""
        return guid(self._key.hex(), label)

    def address(self, _: str) -> str:
        """Return a public IPv4 address (RFC 5737 documentation blocks)."""
        return f"{('192.0.2', '198.51.100', '203.0.113')[self._key[5] % 3]}.{self._key[6]}"


_COMPUTED_SLOTS = {
    "ref": ResourceSlots.reference,
    "guid": ResourceSlots.guid,
    "etag": ResourceSlots.guid,
    "publicAddress": ResourceSlots.address,
}


@dataclass(frozen=True, slots=True)
class SampleResource:
    """A planned resource: template, number among those of its template, id, and the bytes that choose its body."""

    template: ResourceTemplate
    ordinal: int
    id: str
    draws: bytes
    slots: ResourceSlots


@dataclass(frozen=True, slots=True)
class SampleGroup:
    """A planned resource group. `slots` are those that all of its resources share."""

    seed: int
    number: int
    subscription: SampleSubscription
    workload: str
    scale: int
    id: str
    slots: dict[str, str]
    ids: dict[str, list[str]] = field(default_factory=dict)

    def reference(self, key: str, ordinal: int) -> str:
        """Return the id of a resource in this group, or of the shared one of its subscription."""
        found = self.ids.get(key)
        if found:
            return found[ordinal] if ordinal < len(found) else found[0]
        return shared_ids(self.subscription)[key]

    @property
    def size(self) -> int:
        """Return how many resources it has."""
        return sum(self.scale if name.endswith("*") else 1 for name in WORKLOADS[self.workload])

    def members(self) -> list[SampleResource]:
        """Plan all of its resources, those that others refer to first."""
        return [
            self.member(templates()[name.rstrip("*")], ordinal)
            for name in WORKLOADS[self.workload]
            for ordinal in range(self.scale if name.endswith("*") else 1)
        ]

    def member(self, template: ResourceTemplate, ordinal: int) -> SampleResource:
        """Plan one of its resources; from now on others can refer to it."""
        draws = digest(self.seed, self.number, template.key, ordinal, size=16 + template.draws)
        slots = ResourceSlots(self, ordinal, draws[:16])
        # Where there are fewer parents than children, the last parent takes the rest.
        home = self.ids[template.parent][min(ordinal, len(self.ids[template.parent]) - 1)] if template.parent else None
        name = template.name % slots
        kind = template.type.rpartition("/")[2]
        resource_id = f"{home}/{kind}/{name}" if home else f"{self.id}/providers/{template.type}/{name}"
        self.ids.setdefault(template.key, []).append(resource_id)
        return SampleResource(template, ordinal, resource_id, draws[16:], slots)


def sample_group(seed: int, number: int) -> SampleGroup:
    """Plan a resource group."""
    block, place = _locate(number)
    home = sample_subscription(seed, block, _WORKLOAD_ORDER[place % len(_WORKLOAD_ORDER)])
    draws = digest(seed, "group", number)
    workload = _workload(home, block, place, draws[0])
    slots = _slots(home, workload, number, draws)
    resource_id = slots["groupId"] = f"/subscriptions/{home.id}/resourceGroups/{slots['group']}"
    return SampleGroup(seed, number, home, workload, 1 + draws[7] % 4, resource_id, slots)


def tenant(seed: int) -> str:
    """Return the tenant of an estate."""
    return guid(seed, "tenant")


@functools.lru_cache(maxsize=4096)
def shared_ids(home: SampleSubscription) -> Mapping[str, str]:
    """Return the ids of what all groups of a subscription use: the resources of its first group, by template."""
    earlier = sum(_size(block) for block in range(home.block))
    shared = sample_group(home.seed, earlier + home.position)
    return {member.template.key: member.id for member in shared.members()}


def _locate(number: int) -> tuple[int, int]:
    """Return the block of a group and its place in it; blocks double in size up to `BLOCK_GROUPS`."""
    block = 0
    while (size := _size(block)) < BLOCK_GROUPS and number >= size:
        number -= size
        block += 1
    return block + number // size, number % size


def _size(block: int) -> int:
    return min(FIRST_BLOCK_GROUPS << block, BLOCK_GROUPS)


def _workload(home: SampleSubscription, block: int, place: int, draw: int) -> str:
    """Decide the workload of a group: each subscription begins with "management", and the first block has all early."""
    if place < len(_ARCHETYPES):
        return "management"
    if home.management_group == "platform":
        return "hub"
    # The place of the platform in between is no turn of the others.
    turn = place - len(_ARCHETYPES) - (place > _WORKLOAD_ORDER.index(5, len(_ARCHETYPES)))
    kinds = tuple(dict.fromkeys(_WEIGHTED_WORKLOADS))
    return kinds[turn] if block == 0 and turn < len(kinds) else _WEIGHTED_WORKLOADS[draw % len(_WEIGHTED_WORKLOADS)]


def _slots(home: SampleSubscription, workload: str, number: int, draws: bytes) -> dict[str, str]:
    app = "central" if workload == "management" else _APPS[draws[1] % len(_APPS)]
    location, location_name = _LOCATIONS[draws[2] % len(_LOCATIONS)]
    year, month, day, hour = 2023 + draws[3] % 3, 1 + draws[4] % 12, 1 + draws[5] % 28, draws[6] % 24
    return {
        "subscription": home.id,
        "tenant": tenant(home.seed),
        "group": "rg-management" if workload == "management" else f"rg-{app}-{home.environment}-{number:05}",
        "app": app,
        "env": home.environment,
        "owner": f"{_OWNERS[draws[1] % len(_OWNERS)]}@example.com",
        "costCenter": f"CC-{1000 + draws[1] % 40}",
        "location": location,
        "locationName": location_name,
        "created": f"{year}-{month:02}-{day:02}T{hour:02}:17:41.2510628Z",
        "number": str(number),
    }

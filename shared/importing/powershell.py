"""Resources as PowerShell spells them: `Get-AzResource | ConvertTo-Json`.

Source: "Get-AzResource" (Az.Resources) and "ConvertTo-Json" (Microsoft.PowerShell.Utility).
"""

import re
from collections.abc import Iterator, Mapping

from shared.domain.resource import Json, Resource, Unread

_OWN_MEMBERS = frozenset({"properties", "tags"})
"""Members that PowerShell leaves as Azure spells them."""
_BODY_MEMBERS = frozenset({"name", "location", "kind", "managedBy", "zones", "extendedLocation", "sku", "plan"})
_NOT_COLLECTED = Unread("notCollected")
_CUT = re.compile(r"@\{.*\}|System\.[A-Za-z.]+(?:\[\])?", re.DOTALL)
"""What ConvertTo-Json writes in the place of a value that is deeper than its -Depth, which is 2 unless it is named."""


def is_powershell(record: Mapping[str, Json]) -> bool:
    """Return whether a record has an id as PowerShell spells it, and none as Azure does."""
    return "id" not in record and ("ResourceId" in record or "Id" in record)


def read(record: Mapping[str, Json]) -> Resource:
    """Return the resource of a record; what ConvertTo-Json cut off, or the command did not read, counts as unread."""
    plain = {_camel(name): each for name, each in record.items()}
    body: dict[str, Json] = {"id": plain.get("resourceId") or plain.get("id")}
    if kind := plain.get("resourceType") or plain.get("type"):
        body["type"] = kind
    for name in sorted((_BODY_MEMBERS | _OWN_MEMBERS | {"identity"}) & plain.keys()):
        each = plain[name]
        if each is not None and each != "":
            body[name] = each if name in _OWN_MEMBERS else _camel_members(each)
    cut = set(_cut(body, "")) | (set() if "properties" in body else {"properties"})
    # ConvertTo-Json writes the number of a value of an enumeration, not its name.
    if isinstance(body.get("identity"), dict) and isinstance(body["identity"].get("type"), int):
        cut.add("identity.type")
    whole = {name: each for name, each in body.items() if name not in cut}
    return Resource(whole, unread=dict.fromkeys(sorted(cut), _NOT_COLLECTED))


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _camel_members(value: Json) -> Json:
    return {_camel(name): each for name, each in value.items()} if isinstance(value, dict) else value


def _cut(value: Json, path: str) -> Iterator[str]:
    """Yield the paths of what was cut off; of a list the path is its own."""
    if isinstance(value, str):
        if _CUT.fullmatch(value):
            yield path
    elif isinstance(value, list):
        for each in value:
            yield from _cut(each, path)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _cut(each, f"{path}.{name}" if path else name)

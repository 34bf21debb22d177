"""Derives what a role must allow so that the catalog's fixes can be carried out and rolled back.

Usage: `python scripts/roles.py` writes `infra/estate/fix-operations.json`: {"fixes": […], "tags": […]}, ARM operations
other than reading. Fixes of tags stand alone, because they need the right to write every type that has tags.
"""
# ruff: noqa: INP001 - a script, run by its path

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared import bootstrap
from shared.domain.policy import PolicyEntry
from shared.engine import Policy, compile_definition
from shared.ports.catalog import Catalog
from shared.services.policy import effective_policy

FILE = Path(__file__).parents[1] / "infra" / "estate" / "fix-operations.json"
LINKED = {"microsoft.insights/diagnosticsettings": ("Microsoft.OperationalInsights/workspaces/sharedKeys/action",)}
"""What a write needs on what its body refers to (Azure Monitor: a setting that sends to a workspace reads its keys)."""
ALWAYS_THERE = frozenset({
    "microsoft.dbforpostgresql/flexibleservers/configurations",
    "microsoft.security/pricings",
    "microsoft.sql/servers/auditingsettings",
    "microsoft.sql/servers/databases/transparentdataencryption",
    "microsoft.storage/storageaccounts/blobservices",
    "microsoft.web/sites/config",
    "microsoft.web/sites/slots/config",
})  # fmt: skip
"""Settings that exist as long as their owner does: rolling back writes them again and deletes nothing."""


def operations(catalog: Catalog) -> dict[str, list[str]]:
    """List the operations that fixes need, and those that only fixes of tags need, each sorted."""
    aliases = effective_policy.facts(catalog).aliases
    fixes: set[str] = set()
    tags: set[str] = set()
    for entry in catalog.policies():
        compiled = compile_definition(entry.definition, aliases=aliases)
        needed = set(_needed(compiled, entry, catalog))
        (tags if _is_of_tags(compiled, entry) else fixes).update(needed)
    return {"fixes": sorted(fixes, key=str.lower), "tags": sorted(tags - fixes, key=str.lower)}


def _needed(compiled: Policy, entry: PolicyEntry, catalog: Catalog) -> Iterator[str]:
    if compiled.effect in ("modify", "append") or entry.remediation:
        for row in catalog.resource_types():
            if compiled.may_apply_to(row["type"].lower()):
                yield f"{row['type']}/write"
    elif compiled.effect == "deployIfNotExists":
        details = entry.definition["properties"]["policyRule"]["then"]["details"]
        for kind in _deployed(details["deployment"]["properties"]["template"]):
            yield f"{kind}/write"
            yield from LINKED.get(kind.lower(), ())
            if kind.lower() not in ALWAYS_THERE:
                yield f"{kind}/delete"


def _deployed(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the resource types that a template writes."""
    for resource in template["resources"]:
        yield resource["type"]
        yield from (f"{resource['type']}/{kind}" for kind in _deployed({"resources": resource.get("resources", [])}))


def _is_of_tags(compiled: Policy, entry: PolicyEntry) -> bool:
    details = entry.definition["properties"]["policyRule"]["then"].get("details", {})
    changed = details.get("operations", ()) if isinstance(details, Mapping) else ()
    # The name of a tag may come from a parameter.
    named = (str(each["field"]).lower().removeprefix("[concat('") for each in changed)
    return compiled.effect == "modify" and all(name.startswith("tags") for name in named)


if __name__ == "__main__":
    FILE.write_text(json.dumps(operations(bootstrap.catalog()), indent=2) + "\n", encoding="utf-8")

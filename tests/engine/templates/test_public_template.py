"""The templates of all public deployIfNotExists definitions, computed for resources that they could be about."""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.domain.resource import Resource
from shared.engine import AliasCatalog, Context, InvalidDefinition, compile_definition, effect_details, expand_template

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
GROUP = f"{SUBSCRIPTION}/resourceGroups/sample"
LOCATIONS = {"AzureCloud": "eastus", "AzureUSGovernment": "usgovtexas"}
VALUES = {
    "datetime": "2024-01-01T00:00:00Z",
    "int": 1,
    "integer": 1,
    "bool": True,
    "boolean": True,
    "array": ["value"],
    "object": {"properties": {}},
}
FIELD = re.compile(r"^\[(?:last\()?(?:split\()?field\('([^'*]+)'\)")
CONTEXT = Context(
    resource_group={"id": GROUP, "name": "sample", "location": "eastus", "tags": {}},
    subscription={"id": SUBSCRIPTION, "subscriptionId": SUBSCRIPTION[15:], "displayName": "sample", "tenantId": "t"},
    policy={"assignmentId": "/assignment", "definitionReferenceId": ""},
    now=datetime(2024, 1, 1, tzinfo=UTC),
    tenant="t",
)


def rows(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rb") as file:
        yield from map(json.loads, file)


def made_up(name: str, declaration: Mapping[str, Any], location: str) -> Any:
    """A value for a parameter or property of that name and kind."""
    strong = str((declaration.get("metadata") or {}).get("strongType") or "")
    if declaration.get("allowedValues"):
        return declaration["allowedValues"][0]
    if strong == "location" or name.lower().endswith("location"):
        return location
    if "/" in strong or name.lower().endswith("id"):
        return f"{GROUP}/providers/{strong or 'X.Y/z'}/sample/children/sample"
    return VALUES.get(str(declaration.get("type")).lower(), "value")


def types(source: Any) -> Iterator[str]:
    """The types that a rule names."""
    if isinstance(source, Mapping):
        if str(source.get("field")).lower() == "type":
            found = source.get("equals") or source.get("in") or ()
            yield from [found] if isinstance(found, str) else found
        source = list(source.values())
    for each in source if isinstance(source, list) else ():
        yield from types(each)


def sample(definition: Any, aliases: AliasCatalog, location: str) -> Resource:
    """A resource of a type that the definition is about, with the properties that its template is given."""
    rule = definition["policyRule"]
    kind = next(each for each in [*types(rule["if"]), "Microsoft.Resources/subscriptions"] if "[" not in each)
    provider, *kinds = kind.split("/")
    inside = {"subscriptions": SUBSCRIPTION, "subscriptions/resourcegroups": GROUP}
    below = f"{GROUP}/providers/{provider}" + "".join(f"/{each}/sample" for each in kinds)
    identity = inside.get("/".join(kinds).lower(), below)
    body = {"id": identity, "name": "sample", "type": kind, "location": location, "tags": {}, "kind": "value"}
    deployment = rule["then"]["details"]["deployment"]["properties"]
    declared = {name.lower(): each for name, each in (deployment["template"].get("parameters") or {}).items()}
    for name, each in (deployment.get("parameters") or {}).items():
        found = FIELD.match(str(each.get("value")))
        alias = aliases.find(found[1], kind.lower()) if found and found[1] in aliases else None
        if alias is not None and "[*]" not in alias.path:
            place(body, alias.path.split("."), made_up(alias.path, declared.get(name.lower(), {}), location))
    return Resource(body)


def place(node: Any, steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        node = node.setdefault(step, {})
    node[steps[-1]] = value


def computed(row: Any, aliases: AliasCatalog) -> list[dict[str, Any]]:
    definition, location = row["definition"]["properties"], LOCATIONS[row["cloud"]]
    declared = (definition.get("parameters") or {}).items()
    given = {name: made_up(name, each, location) for name, each in declared if "defaultValue" not in each}
    policy = compile_definition(row["definition"], aliases=aliases, parameters=given | effect(declared))
    found = effect_details(policy, sample(definition, aliases, location), CONTEXT)
    assert found.deployment is not None
    inner = found.deployment["properties"]
    where = replace(CONTEXT, resource_group=None) if found.scope.lower() == "subscription" else CONTEXT
    return expand_template(inner["template"], inner["parameters"], where, {"location": location})


def effect(declared: Any) -> dict[str, str]:
    return {name: "DeployIfNotExists" for name, _ in declared if name.lower() == "effect"}


def deploys(row: Any) -> bool:
    details = row["definition"]["properties"].get("policyRule", {}).get("then", {}).get("details")
    return isinstance(details, Mapping) and "deployment" in details


def test_every_public_template_computes(data: Path) -> None:
    aliases = AliasCatalog.from_rows(rows(data / "azure-policy" / "aliases.jsonl.gz"))
    outcomes: Counter[str] = Counter()
    needs: Counter[str] = Counter()
    for row in filter(deploys, rows(data / "azure-policy" / "policyDefinitions.jsonl.gz")):
        try:
            found = computed(row, aliases)
        except InvalidDefinition as error:
            outcomes[error.message] += 1
            continue
        unknown = [text for each in found for text in each.get("unknown", {}).values()]
        outcomes["in part" if unknown else "wholly"] += 1
        needs.update({text.partition("(")[0].lower() for text in unknown})
        assert all("id" in each or {"name", "scope"} & each["unknown"].keys() for each in found)
    assert outcomes == {"wholly": 943, "in part": 106}
    assert {text.rpartition(" ")[2]: number for text, number in needs.items()} == {
        "reference": 90,
        "deployment": 43,
        "listkeys": 18,
        "listcallbackurl": 6,
        "parameters": 8,
        "field": 1,  # one definition uses a function of policies in its template, which Azure refuses
    }

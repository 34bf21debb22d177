"""What is deployed is what the code expects, whatever the environment is called."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tree_sitter
import tree_sitter_bicep

from shared import bootstrap
from shared.adapters.azure.key import indexing_policy
from shared.adapters.index import INDEXES
from shared.services.estate import change
from shared.settings import Settings
from tests.house import bicep
from tests.house.bicep import FILES, INFRA

MAIN = INFRA / "main.bicep"
ENVIRONMENTS = ("p", "prod-eu", "MyEnv", "a" * 40, "A(1)_b.c-" * 7 + "x", "ends.", "-", "x" * 64)
"""azd takes ^[a-zA-Z0-9-\\(\\)_\\.]{1,64}$."""
TOKEN = "abcdefghijklm"
"""What `uniqueString` answers: 13 small letters and digits."""
RULES = {
    "Microsoft.Resources/resourceGroups": r"[-\w.()]{0,89}[-\w()]",
    "Microsoft.ManagedIdentity/userAssignedIdentities": r"[a-zA-Z0-9][-\w]{2,127}",
    "Microsoft.OperationalInsights/workspaces": r"[a-zA-Z0-9][-a-zA-Z0-9]{2,61}[a-zA-Z0-9]",
    "Microsoft.Insights/components": r"[^%&\\?/]{0,259}[^%&\\?/. ]",
    "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Microsoft.DocumentDB/databaseAccounts": r"[a-z0-9][-a-z0-9]{1,42}[a-z0-9]",
    "Microsoft.KeyVault/vaults": r"(?!.*--)[a-zA-Z][-a-zA-Z0-9]{1,22}[a-zA-Z0-9]",
    "Microsoft.Network/networkSecurityGroups": r"[a-zA-Z0-9][-\w.]{0,78}\w",
    "Microsoft.Network/virtualNetworks": r"[a-zA-Z0-9][-\w.]{0,62}\w",
    "Microsoft.Network/privateEndpoints": r"[a-zA-Z0-9][-\w.]{0,62}\w",
    "Microsoft.Web/serverfarms": r"[-\w]{1,60}",
    "Microsoft.Web/sites": r"[a-zA-Z0-9][-a-zA-Z0-9]{0,30}[a-zA-Z0-9]",
    "Microsoft.EventGrid/systemTopics": r"[-a-zA-Z0-9]{3,128}",
}
"""Azure Resource Manager, "Naming rules and restrictions for Azure resources"; apps are kept to the 32 characters
that the host tells them apart by. What is not here is a part of something else, or has a name that others give."""


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(path: Path) -> dict[str, str]:
    """The names that a file gives, by type, filled in as they would be; those that are expressions are left out."""
    found = {}
    for _, kind, body in bicep.resources(path):
        if kind in RULES and isinstance(body["name"], str):
            found[kind] = re.sub(r"\$\{toLower\(target\.name\)\}", "queue", body["name"]).replace("${token}", TOKEN)
    return found


def test_the_container_is_indexed_by_what_is_filtered_and_ordered_by() -> None:
    assert json.loads(text(INFRA / "indexing.json")) == indexing_policy(INDEXES)


def test_every_setting_that_is_deployed_exists() -> None:
    settings = re.findall(r"CORTEX_([A-Z_]+):", text(MAIN))
    assert len(settings) > 3
    assert {name.lower() for name in settings} <= set(Settings.model_fields)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(INFRA)))
def test_a_file_can_be_read_by_two_parsers(path: Path) -> None:
    tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language())).parse(path.read_bytes())
    assert not tree.root_node.has_error
    assert bicep.parsed(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(INFRA)))
def test_modules_get_what_they_take_and_give_what_is_asked(path: Path) -> None:
    for module in bicep.modules(path):
        takes = bicep.parameters(module.path)
        assert module.given <= takes.keys(), module.name
        assert {name for name, needed in takes.items() if needed} <= module.given, module.name
        asked = set(re.findall(rf"\b{module.name}\.outputs\.(\w+)", text(path)))
        assert asked <= bicep.outputs(module.path), module.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(INFRA)))
def test_every_parameter_and_variable_is_used(path: Path) -> None:
    declared = [*bicep.parameters(path), *bicep.parsed(path).get("variables", {})]
    unused = [name for name in declared if len(re.findall(rf"\b{name}\b", text(path))) < 2]
    assert unused == []


def test_every_name_is_allowed_for_any_environment() -> None:
    names = {kind: name for path in FILES for kind, name in named(path).items() if path != MAIN}
    assert RULES.keys() - names.keys() == set()
    for kind, name in names.items():
        assert "environmentName" not in name
        assert re.fullmatch(RULES[kind], name, re.ASCII), (kind, name)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_group_is_called_like_the_environment(environment: str) -> None:
    name = named(MAIN)["Microsoft.Resources/resourceGroups"].replace("${environmentName}", environment)
    assert re.fullmatch(RULES["Microsoft.Resources/resourceGroups"], name, re.ASCII), name
    assert environment in name


def test_azd_asks_for_no_parameter() -> None:
    given = json.loads(text(INFRA / "main.parameters.json"))["parameters"]
    takes = bicep.parameters(MAIN)
    assert given.keys() <= takes.keys()
    assert {name for name, needed in takes.items() if needed} <= given.keys()
    for name, each in given.items():
        variable = re.fullmatch(r"\$\{(\w+)(=\w*)?\}", each["value"])
        assert variable, name
        assert takes[name] or variable[2], f"{name} has a default in Bicep, and needs one here"


def test_change_events_go_to_the_queue_that_is_read() -> None:
    assert f"queueName: '{change.EVENT_QUEUE}'" in text(INFRA / "modules" / "watch.bicep")
    assert f"name: '{change.EVENT_QUEUE}'" in text(INFRA / "modules" / "storage.bicep")


def test_nothing_is_public_in_a_private_network() -> None:
    closed = {"storage", "cosmos", "vault"}
    for name in closed:
        (found,) = [
            body
            for _, kind, body in bicep.resources(INFRA / "modules" / f"{name}.bicep")
            if kind.endswith(("/storageAccounts", "/databaseAccounts", "/vaults"))
        ]
        assert found["properties"]["publicNetworkAccess"] == "publicNetworkAccess"
    assert "var publicNetworkAccess = privateNetwork ? 'Disabled' : 'Enabled'" in text(MAIN)
    targets = re.findall(r"resourceId: (\w+)\.outputs", text(MAIN))
    assert set(targets) == closed


def test_the_plan_is_given_nothing_that_it_refuses() -> None:
    """Flex Consumption refuses what other plans take (Azure Functions, "Flex Consumption plan deprecations")."""
    refused = ("ftpsState", "alwaysOn", "linuxFxVersion", "use32BitWorkerProcess", "functionAppScaleLimit")
    refused += (
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_EXTENSION_VERSION",
        "WEBSITE_CONTENTSHARE",
        "WEBSITE_RUN_FROM_PACKAGE",
    )
    written = re.sub(r"//.*", "", text(INFRA / "modules" / "app.bicep"))
    assert [name for name in refused if name in written] == []


def test_a_secret_goes_through_secure_parameters_alone() -> None:
    settings = bicep.parsed(INFRA / "modules" / "app.bicep")["parameters"]["settings"]
    token = bicep.parsed(MAIN)["parameters"]["metricsToken"]
    assert [each["type"] for each in (*settings["decorators"], *token["decorators"])].count("secure") == 2


def test_no_account_allows_key_access() -> None:
    bodies = {
        kind: body["properties"] for path in FILES for _, kind, body in bicep.resources(path) if "properties" in body
    }
    assert bodies["Microsoft.Storage/storageAccounts"]["allowSharedKeyAccess"] is False
    assert bodies["Microsoft.DocumentDB/databaseAccounts"]["disableLocalAuth"] is True
    assert bodies["Microsoft.Insights/components"]["DisableLocalAuth"] is True
    assert bodies["Microsoft.KeyVault/vaults"]["enableRbacAuthorization"] is True


def test_the_roles_allow_what_the_catalogs_fixes_do() -> None:
    from scripts import roles  # noqa: PLC0415 - it reads the catalog

    kept: dict[str, Any] = json.loads(text(INFRA / "estate" / "fix-operations.json"))
    assert kept == roles.operations(bootstrap.catalog()), "run python scripts/roles.py"
    assert "*" not in json.dumps(kept)

"""Files as people have them, imported and judged by the packaged catalog: what is missing from a file is no failure."""

import json
from itertools import count
from typing import Any

import pytest

from shared import bootstrap
from shared.domain.finding import resource_key
from shared.domain.import_job import ImportOrigin
from shared.domain.verdict import State
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services.estate.assessment import assess
from shared.services.estate.resource import stored
from shared.services.estate.surroundings import Contexts, Surroundings
from shared.services.import_job import import_job, upload
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes.catalog import FixingCatalog, policy

SUBSCRIPTION = "00000000-0000-4000-8000-00000000000a"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/quay"
ORIGIN = ImportOrigin(subscription=SUBSCRIPTION, resource_group="quay")


@pytest.fixture(scope="module")
def packaged() -> EffectivePolicies:
    return effective_policy.packaged(bootstrap.catalog())


@pytest.fixture
def states(store: Store, queue: Queue, packaged: EffectivePolicies) -> Any:
    """Imports files one after the other, and returns the states of a resource by the names of the policies."""

    numbers = count()

    def judge(identity: str, *files: str) -> dict[str, State]:
        for text in files:
            name = f"i{next(numbers)}"
            upload.take(name, "file", [text.encode()], store=store, queue=queue, origin=ORIGIN)
            import_job.run(name, store=store, queue=queue, catalog=bootstrap.catalog())
        rows = dict(stored(Query(equals={"gone": False}), store))
        found = assess(rows, Surroundings(Contexts(SUBSCRIPTION, store), store, packaged)).states(
            resource_key(identity)
        )
        return {packaged.compiled.by_key[key].name.rpartition("/")[2]: state for key, state in found.items()}

    return judge


def body(kind: str, name: str, **members: Any) -> dict[str, Any]:
    provider, *kinds = kind.split("/")
    path = "/".join(f"{each}/{part}" for each, part in zip(kinds, name.split("/"), strict=True))
    identity = f"{GROUP}/providers/{provider}/{path}"
    return {"id": identity, "type": kind, "name": name.rpartition("/")[2], "location": "westeurope", **members}


def test_one_child_is_no_proof_that_another_does_not_exist(states: Any) -> None:
    server = body("Microsoft.DBforMySQL/flexibleServers", "db", properties={"version": "8.0.21"})
    one = body("Microsoft.DBforMySQL/flexibleServers/configurations", "db/tls_version", properties={"value": "TLSv1.2"})
    other = {**one, "id": one["id"].replace("tls_version", "require_secure_transport"), "properties": {"value": "ON"}}
    other["name"] = "require_secure_transport"
    assert states(server["id"], json.dumps([server, one]))["mysql-require-tls"] is State.UNKNOWN
    assert states(server["id"], json.dumps([server, one]), json.dumps(other))["mysql-require-tls"] is State.COMPLIANT


def test_a_list_of_names_takes_no_verdict_away(states: Any) -> None:
    account = body("Microsoft.Storage/storageAccounts", "st", properties={"supportsHttpsTrafficOnly": True})
    plain = {name: each for name, each in account.items() if name != "properties"}
    found = states(account["id"], json.dumps({"value": [account]}), json.dumps([plain]))
    assert found["storage-secure-transfer"] is State.COMPLIANT


def test_a_template_brings_the_settings_of_its_vault(states: Any) -> None:
    logs = {"logs": [{"category": "AuditEvent", "enabled": True}], "workspaceId": f"{GROUP}/providers/a.b/c/log"}
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "resources": [
            {"type": "Microsoft.KeyVault/vaults", "apiVersion": "2023-07-01", "name": "kv", "properties": {}},
            {
                "type": "Microsoft.KeyVault/vaults/providers/diagnosticSettings",
                "apiVersion": "2021-05-01-preview",
                "name": "kv/Microsoft.Insights/all",
                "properties": logs,
            },
        ],
    }
    vault = body("Microsoft.KeyVault/vaults", "kv")["id"]
    assert states(vault, json.dumps(template))["key-vault-logs"] is State.COMPLIANT


@pytest.mark.parametrize(
    ("container", "value"),
    [
        ({"id": GROUP, "type": "Microsoft.Resources/resourceGroups", "properties": {}}, "resourceGroup().tags['use']"),
        ({"id": f"/subscriptions/{SUBSCRIPTION}"}, "subscription().tags['use']"),
        ({"id": f"/subscriptions/{SUBSCRIPTION}"}, "subscription().displayName"),
    ],
)
def test_of_a_group_or_subscription_that_is_not_in_the_file_only_the_id_is_known(
    store: Store, queue: Queue, container: dict[str, Any], value: str
) -> None:
    rule = {"allOf": [{"field": "type", "equals": "a.b/c"}, {"value": f"[{value}]", "notEquals": "quay"}]}
    policies = effective_policy.packaged(FixingCatalog(policy("used", rule)))
    resource = body("a.b/c", "x", properties={})
    told = {**container, "tags": {"use": "sea"}, "displayName": "sea"}
    for name, known, state in (("one", [], State.UNKNOWN), ("two", [told], State.NON_COMPLIANT)):
        text = json.dumps([resource, *known])
        upload.take(name, "file", [text.encode()], store=store, queue=queue, origin=ORIGIN)
        import_job.run(name, store=store, queue=queue, catalog=bootstrap.catalog())
        rows = dict(stored(Query(equals={"gone": False}), store))
        found = assess(rows, Surroundings(Contexts(SUBSCRIPTION, store), store, policies)).states(
            resource_key(resource["id"])
        )
        assert list(found.values()) == [state]

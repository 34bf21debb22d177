"""Secrets: wanted in a write, and not shown again."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from local import estate
from local.cloud import Sandbox
from shared.domain.body import masked_member, request_body, writable

APP, HUB = "Microsoft.App/containerApps", "Microsoft.Devices/IotHubs"
APP_VERSION, HUB_VERSION = "2025-07-01", "2023-06-30"
SECRETS = [{"name": "a", "value": "x"}, {"name": "b", "keyVaultUrl": "https://v/secrets/b", "identity": "System"}]


def secrets_of(app: Any) -> Any:
    return app["properties"]["configuration"]["secrets"] or []


@pytest.fixture
def place(cloud: Sandbox) -> Callable[[str], str]:
    group = cloud.ids("Microsoft.Storage/storageAccounts")[0].partition("/providers/")[0]
    return lambda kind: f"{group}/providers/{kind}/new"


@pytest.fixture
def app(http: Any, place: Callable[[str], str]) -> Any:
    """A container app with a secret of its own and one of a key vault, as it is read."""
    configuration = {"secrets": SECRETS, "ingress": {"external": True, "allowInsecure": True}}
    body = {"location": "westeurope", "properties": {"configuration": configuration}}
    made = http("PUT", place(APP), body, version=APP_VERSION)
    assert made.status == 201
    return made.body


def test_values_of_secrets_are_taken_and_not_shown(app: Any) -> None:
    assert secrets_of(app) == [{"name": "a"}, SECRETS[1]]


def test_a_container_app_cannot_be_put_as_it_was_read(http: Any, cloud: Sandbox, app: Any) -> None:
    before = cloud.read(app["id"])
    refused = http("PUT", app["id"], writable(app), version=APP_VERSION)
    assert (refused.status, refused.error) == (400, "ContainerAppSecretInvalid")
    assert "name(s) 'a' are invalid: value or keyVaultUrl and identity" in refused.body["error"]["message"]
    assert cloud.read(app["id"]) == before


def test_a_patch_of_a_container_app_merges_and_leaves_its_secrets(http: Any, app: Any) -> None:
    ingress = {"external": True, "allowInsecure": False}
    properties = {**app["properties"], "configuration": {**app["properties"]["configuration"], "ingress": ingress}}
    method, body = request_body(APP, app, {**app, "properties": properties})
    assert method == "PATCH"
    assert http(method, app["id"], body, version=APP_VERSION).body["properties"] == properties


def test_keys_of_the_endpoints_of_a_hub_are_masked(http: Any, place: Callable[[str], str]) -> None:
    endpoint = "Endpoint=sb://a.servicebus.windows.net:5671/;SharedAccessKeyName=hub;SharedAccessKey={};EntityPath=e"
    sent = {"eventHubs": [{"name": "e", "connectionString": endpoint.format("a+key/of=")}]}
    body = {"location": "westeurope", "properties": {"routing": {"endpoints": sent}}}
    made = http("PUT", place(HUB), body, version=HUB_VERSION)
    (shown,) = made.body["properties"]["routing"]["endpoints"]["eventHubs"]
    assert shown["connectionString"] == endpoint.format("****")


def test_the_sample_estate_has_secrets_that_are_not_shown() -> None:
    found = [json.loads(each.text) for each in estate.records(7, 3000) if each.template.type in {APP, HUB}]
    apps = [secret for each in found if each["type"] == APP for secret in secrets_of(each)]
    assert {frozenset(each) for each in apps} == {frozenset({"name"}), frozenset({"name", "keyVaultUrl", "identity"})}
    hubs = [masked_member(each) for each in found if each["type"] == HUB]
    assert {None, "properties.routing.endpoints.eventHubs[0].connectionString"} == set(hubs)

"""Secrets: what a provider wants in a write and does not show again.

Sources: Azure Container Apps, REST reference (secrets of a container app are read without their values, which only
`listSecrets` has; a PUT of such a body gets `ContainerAppSecretInvalid`); Azure IoT Hub, `Get-AzIotHubRoutingEndpoint`
(connection strings of endpoints are shown with `SharedAccessKey=****`).
"""

import re
from collections.abc import Mapping

from local.cloud.arm.error import bad_request
from shared.domain.resource import Json

_CONTAINER_APP = "microsoft.app/containerapps"
_IOT_HUB = "microsoft.devices/iothubs"
_KEY = re.compile(r"(?<=SharedAccessKey=)[^;]+|(?<=AccountKey=)[^;]+")


def check_secrets(resource_type: str, given: Mapping[str, Json]) -> None:
    """Check the secrets of a write; ArmError 400 when one has neither a value nor a place in a key vault."""
    if resource_type.lower() != _CONTAINER_APP:
        return
    wrong = [str(each.get("name")) for each in _secrets(given.get("properties")) if not _is_whole(each)]
    if wrong:
        names = ", ".join(wrong)
        raise bad_request(
            "ContainerAppSecretInvalid",
            f"Invalid Request: Container app secret(s) with name(s) '{names}' are invalid: value or keyVaultUrl and "
            "identity should be provided.",
        )


def without_secrets(resource_type: str, properties: dict[str, Json]) -> dict[str, Json]:
    """Return properties as they are shown: values of secrets left out, keys in connection strings masked."""
    kind = resource_type.lower()
    if kind == _CONTAINER_APP and (secrets := _secrets(properties)):
        shown = [{name: part for name, part in each.items() if name != "value"} for each in secrets]
        return {**properties, "configuration": {**properties["configuration"], "secrets": shown}}
    return _masked(properties) if kind == _IOT_HUB else properties


def _secrets(properties: Json) -> list[dict[str, Json]]:
    configuration = properties.get("configuration") if isinstance(properties, Mapping) else None
    return (configuration.get("secrets") if isinstance(configuration, Mapping) else None) or []


def _is_whole(secret: Mapping[str, Json]) -> bool:
    return bool(secret.get("value") or (secret.get("keyVaultUrl") and secret.get("identity")))


def _masked(value: Json) -> Json:
    if isinstance(value, dict):
        return {
            name: _KEY.sub("****", part) if name == "connectionString" and isinstance(part, str) else _masked(part)
            for name, part in value.items()
        }
    return [_masked(each) for each in value] if isinstance(value, list) else value

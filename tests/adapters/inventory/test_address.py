"""Ids become addresses: names of any alphabet percent-encoded, and nothing that could reach anything else."""

from urllib.parse import quote

import pytest

from shared.adapters.azure.arm import checked
from shared.adapters.azure.inventory import ArmInventory
from shared.domain.error import InvalidInput
from tests.adapters.cloud import SCOPE, Cloud
from tests.adapters.inventory.conftest import STORAGE, TENANT


@pytest.mark.parametrize("group", ["rg-münchen", "グループ (1)", "rg-Ωμέγα", "rg.a~b"])
def test_names_beyond_ascii_are_asked_for_percent_encoded(cloud: Cloud, inventory: ArmInventory, group: str) -> None:
    resource_id = f"{SCOPE}/resourceGroups/{group}/providers/{STORAGE}/a"
    cloud.bodies[quote(resource_id, safe="/()~")] = {"id": resource_id, "name": "a", "type": STORAGE, "properties": {}}
    found = inventory.read(tenant=TENANT, resource_id=resource_id, wanted={})
    assert found is not None
    assert found.id == resource_id
    assert all(call.path.isascii() and "%25" not in call.path for call in cloud.calls)


@pytest.mark.parametrize(
    "part", ["a?b", "a#b", "a%2e", "a\\b", "a\nb", "../b", "/b", "a\u2028b", "a\uff0fb", "a\u200bb"]
)
def test_an_id_that_could_reach_something_else_is_refused(part: str) -> None:
    with pytest.raises(InvalidInput, match="is not a resource id"):
        checked(f"{SCOPE}/resourceGroups/{part}")

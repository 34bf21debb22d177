"""House rules look at the tags that an assignment names, whatever these are called."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.local.catalog import PackagedCatalog
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import Context
from shared.services.policy import effective_policy
from tests.catalog.conftest import FOLDER, SUBSCRIPTION

GROUP = {
    "id": f"{SUBSCRIPTION}/resourceGroups/rg-orders",
    "name": "rg-orders",
    "type": "Microsoft.Resources/subscriptions/resourceGroups",
    "location": "westeurope",
}
DISK = {
    "id": f"{GROUP['id']}/providers/Microsoft.Compute/disks/data",
    "name": "data",
    "type": "Microsoft.Compute/disks",
    "location": "westeurope",
}
OURS = {"owner": "ada", "environment": "production"}
THEIRS = {"Steward": "ada", "Stage": "production"}


@pytest.fixture
def judged(tmp_path: Path) -> Any:
    """Judge a resource by the house rules of an organization that says `Steward` and `Stage`: name -> state."""
    assignment = json.loads((FOLDER.parent / "local" / "assignments" / "house-rules.json").read_bytes())
    assignment["properties"]["scope"] = SUBSCRIPTION
    assignment["properties"]["parameters"] |= {"ownerTag": {"value": "Steward"}, "environmentTag": {"value": "Stage"}}
    (tmp_path / "house-rules.json").write_text(json.dumps(assignment))
    policies = effective_policy.packaged(PackagedCatalog(FOLDER, tmp_path))
    assert not policies.refused

    def judge(body: dict[str, Any], group_tags: dict[str, str]) -> dict[str, State]:
        context = Context(resource_group={**GROUP, "tags": group_tags}, subscription={"id": SUBSCRIPTION})
        found = policies.compiled.judge(Resource(body), context)
        rules = "northwind-house-rules"
        return {each.policy.name: verdict.state for each, verdict in found if str(each.assignment_id).endswith(rules)}

    return judge


@pytest.mark.parametrize(("tags", "state"), [(OURS, State.NON_COMPLIANT), (THEIRS, State.COMPLIANT)])
def test_the_owner_of_resources_and_of_groups_is_in_the_tag_that_is_assigned(
    judged: Any, tags: dict[str, str], state: State
) -> None:
    assert judged({**GROUP, "tags": tags}, tags)["resource-group-owner-tag"] == state
    assert judged({**DISK, "tags": tags}, tags)["resource-owner-tag"] == state


@pytest.mark.parametrize(
    ("tags", "group_tags", "state"),
    [
        (OURS, THEIRS, State.NON_COMPLIANT),
        (THEIRS, THEIRS, State.COMPLIANT),
        (OURS, OURS, State.COMPLIANT),
    ],
    ids=["only the group has it", "both have it", "neither has it"],
)
def test_the_environment_is_inherited_in_the_tag_that_is_assigned(
    judged: Any, tags: dict[str, str], group_tags: dict[str, str], state: State
) -> None:
    assert judged({**DISK, "tags": tags}, group_tags)["inherit-environment-tag"] == state

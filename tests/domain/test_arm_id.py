"""ARM ids taken apart, and names in any spelling."""

import pytest

from shared.domain.arm_id import (
    full_name_of,
    group_id_of,
    group_name_of,
    parent_of,
    resource_group_of,
    subscription_of,
    type_of,
)
from shared.domain.spelling import spelled

SUBSCRIPTION = "/subscriptions/S-1"
GROUP = f"{SUBSCRIPTION}/resourceGroups/Data"
SERVER = f"{GROUP}/providers/Microsoft.Sql/servers/Main"
DATABASE = f"{SERVER}/databases/Orders"
LOCK = f"{SERVER}/providers/Microsoft.Authorization/locks/keep"
MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/root"


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ("", ("tenant", None, None, None, "", "")),
        ("/", ("tenant", None, None, None, "", "")),
        (MANAGEMENT_GROUP, ("tenant", None, None, None)),
        (SUBSCRIPTION, ("s-1", None, None, None, "Microsoft.Resources/subscriptions", "")),
        (GROUP, ("s-1", "data", GROUP, None, "Microsoft.Resources/subscriptions/resourceGroups", "")),
        (SERVER, ("s-1", "data", GROUP, None, "Microsoft.Sql/servers", "Main")),
        (DATABASE, ("s-1", "data", GROUP, SERVER, "Microsoft.Sql/servers/databases", "Main/Orders")),
        (LOCK, ("s-1", "data", GROUP, SERVER, "Microsoft.Authorization/locks", "keep")),
    ],
)
def test_an_id_is_taken_apart(identity: str, expected: tuple[str | None, ...]) -> None:
    takers = (subscription_of, resource_group_of, group_id_of, parent_of, type_of, full_name_of)
    assert tuple(take(identity) for take in takers)[: len(expected)] == expected


def test_a_group_keeps_its_spelling_where_that_is_asked() -> None:
    assert group_name_of(DATABASE) == "Data"
    assert group_name_of(SUBSCRIPTION) is None


@pytest.mark.parametrize(("name", "found"), [("sku", "SKU"), ("SKU", "SKU"), ("kind", None), ("", None)])
def test_a_name_is_found_in_any_case(name: str, found: str | None) -> None:
    assert spelled(["name", "SKU"], name) == found

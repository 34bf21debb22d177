"""Resources are read from records, with the parts that could not be read."""

import pytest

from shared.domain.arm_id import parent_of, resource_group_of, subscription_of, type_of

SCOPE = "/subscriptions/S1"
ACCOUNT = f"{SCOPE}/resourceGroups/RG/providers/Microsoft.Storage/storageAccounts/a"


@pytest.mark.parametrize(
    ("resource_id", "kind", "parent"),
    [
        (ACCOUNT, "Microsoft.Storage/storageAccounts", None),
        (f"{ACCOUNT}/blobServices/default", "Microsoft.Storage/storageAccounts/blobServices", ACCOUNT),
        (
            f"{ACCOUNT}/providers/Microsoft.Insights/diagnosticSettings/d",
            "Microsoft.Insights/diagnosticSettings",
            ACCOUNT,
        ),
        (f"{SCOPE}/providers/Microsoft.Security/pricings/p", "Microsoft.Security/pricings", None),
        (SCOPE, "Microsoft.Resources/subscriptions", None),
        (f"{SCOPE}/resourceGroups/RG", "Microsoft.Resources/subscriptions/resourceGroups", None),
        ("/providers/Microsoft.Management/managementGroups/m", "Microsoft.Management/managementGroups", None),
        ("", "", None),
        ("/", "", None),
        (f"{SCOPE}/unknown", "", None),
    ],
)
def test_an_id_names_a_type_and_a_parent(resource_id: str, kind: str, parent: str | None) -> None:
    assert type_of(resource_id) == kind
    assert parent_of(resource_id) == parent


def test_an_id_names_where_it_is() -> None:
    assert (subscription_of(ACCOUNT), resource_group_of(ACCOUNT)) == ("s1", "rg")
    assert (subscription_of("/providers/x/y/z"), resource_group_of(SCOPE)) == ("tenant", None)

"""ARM paths are parsed into addresses."""

import pytest

from local.cloud.arm.address import Address, group_of, parse, subscription_of
from local.cloud.arm.error import ArmError

G = "/subscriptions/S/resourceGroups/Rg"


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/subscriptions/S", Address("/subscriptions/S", "Microsoft.Resources/subscriptions", "S", "")),
        (G + "/", Address(G, "Microsoft.Resources/resourceGroups", "Rg", "/subscriptions/S")),
        (f"{G}/providers/A.B/c/d", Address(f"{G}/providers/A.B/c/d", "A.B/c", "d", G)),
        (f"{G}/providers/A.B/c", Address(f"{G}/providers/A.B/c", "A.B/c", "", G)),
        (f"{G}/providers/A.B/c/d/e/f", Address(f"{G}/providers/A.B/c/d/e/f", "A.B/c/e", "f", f"{G}/providers/A.B/c/d")),
        (f"{G}/providers/A.B/c/d/e", Address(f"{G}/providers/A.B/c/d/e", "A.B/c/e", "", f"{G}/providers/A.B/c/d")),
        (
            f"{G}/PROVIDERS/A.B/c/d/providers/E.F/g/h",
            Address(f"{G}/PROVIDERS/A.B/c/d/providers/E.F/g/h", "E.F/g", "h", f"{G}/PROVIDERS/A.B/c/d"),
        ),
        ("/providers/A.B/c/d", Address("/providers/A.B/c/d", "A.B/c", "d", "")),
    ],
)
def test_a_path_is_parsed_into_id_type_name_and_scope(path: str, address: Address) -> None:
    assert parse(path) == address


@pytest.mark.parametrize(
    "path", ["/", "", "/subscriptions", "/subscriptions/S/other/x", "/providers/A.B", f"{G}/providers/A.B//d", "/x/y/z"]
)
def test_an_invalid_path_is_refused(path: str) -> None:
    with pytest.raises(ArmError):
        parse(path)


def test_an_address_has_subscription_and_group() -> None:
    address = parse(f"{G}/providers/A.B/c/d")
    assert (address.subscription, address.group, address.key) == (
        "s",
        "Rg",
        address.id.lower(),
    )
    assert (parse("/providers/A.B/c/d").subscription, parse("/providers/A.B/c/d").group) == ("", "")
    assert (subscription_of(address.key), group_of(address.key)) == ("s", "rg")
    assert (subscription_of("/providers/a"), group_of("/subscriptions/s")) == ("", "")

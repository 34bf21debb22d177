"""Tags that Azure takes, and the code with which it refuses the others."""

import re

import pytest

from shared.domain import tag

STORAGE = "Microsoft.Storage/storageAccounts"
NETWORK = "Microsoft.Network/virtualNetworks"


@pytest.mark.parametrize(
    ("tags", "resource_type"),
    [
        ({}, STORAGE),
        ({f"t{at}": "" for at in range(50)}, NETWORK),
        ({"n" * 512: "v" * 256}, NETWORK),
        ({"n" * 128: "v" * 256}, STORAGE),
        ({"cost center: 7 (a+b)": "<>%&\\?/"}, NETWORK),
        ({"hidden-link:/subscriptions/s/x": "Resource", "link:/x": "y", "hidden-title": "z"}, NETWORK),
        ({"my-azure": "x", "ms": "y"}, NETWORK),
    ],
)
def test_what_azure_takes(tags: dict[str, str], resource_type: str) -> None:
    assert tag.violation(tags, resource_type) is None


@pytest.mark.parametrize(
    ("tags", "resource_type", "code", "told"),
    [
        ({f"t{at}": "" for at in range(51)}, NETWORK, "InvalidTags", "count - '51'. Maximum .* '50'"),
        ({"n" * 513: ""}, NETWORK, "InvalidTagName", "'512'"),
        ({"n" * 129: ""}, STORAGE.lower(), "InvalidTagName", "'128'"),
        ({"n": "v" * 257}, NETWORK, "InvalidTagValueLength", "'256'"),
        *(({f"a{each}b": ""}, NETWORK, "InvalidTagNameCharacters", "reserved") for each in "<>%&\\?/\t\x7f"),
        *(({f"{each}-x": ""}, NETWORK, "InvalidTagName", "reserved for") for each in ("microsoft", "Azure", "WINDOWS")),
        ({" ": ""}, NETWORK, "InvalidTagName", "non-whitespace"),
        ({"Owner": "a", "owner": "b"}, NETWORK, "InvalidTags", "without case"),
    ],
)
def test_what_azure_refuses(tags: dict[str, str], resource_type: str, code: str, told: str) -> None:
    found = tag.violation(tags, resource_type)
    assert found is not None
    assert found.code == code
    assert re.search(told, found.message)


def test_a_tag_that_stays_as_it_is_is_not_looked_at() -> None:
    before = {"windows-team": "x"}
    assert tag.violation({**before, "owner": "ada"}, NETWORK, before) is None
    assert tag.violation({"windows-team": "y"}, NETWORK, before) is not None

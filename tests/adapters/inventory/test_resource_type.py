"""Resource types outside Resource Graph are read where they are listed."""

import pytest

from shared.adapters.azure.resource_type import ResourceTypes
from tests.adapters.inventory.conftest import BLOBS, CONTAINERS, PRICINGS, ROWS, SETTINGS, STORAGE

ROOT = "microsoft.resources/subscriptions"
TYPES = ResourceTypes([
    *ROWS,
    {"type": "Microsoft.Web/sites", "resourceGraph": True},
    {"type": "Microsoft.Web/sites/config", "resourceGraph": False, "list": "/config/web"},
    {"type": "A.B/c/d/e", "resourceGraph": False, "list": "/d/default/e"},
    {"type": "A.B/c", "resourceGraph": True},
])  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (STORAGE, ROOT),
        (BLOBS, STORAGE.lower()),
        (CONTAINERS, BLOBS.lower()),
        (SETTINGS, ROOT),
        ("Microsoft.Web/sites/config", "microsoft.web/sites"),
        ("A.B/c/d/e", "a.b/c"),
    ],
)
def test_the_parent_follows_from_the_list(kind: str, parent: str) -> None:
    assert TYPES.parent(kind) == parent


@pytest.mark.parametrize(
    ("parent", "kind", "path"),
    [
        (STORAGE, BLOBS.lower(), "/blobServices"),
        (BLOBS, CONTAINERS.lower(), "/containers"),
        (STORAGE, SETTINGS.lower(), f"/providers/{SETTINGS}"),
        (STORAGE, "Contoso.Made/up", "/providers/Contoso.Made/up"),
        (STORAGE, f"{STORAGE}/made", "/made"),
    ],
)
def test_the_list_path_of_a_type_follows_from_its_parent(parent: str, kind: str, path: str) -> None:
    assert TYPES.list_path(parent, kind) == path


def test_what_must_be_listed_to_reach_what_is_wanted() -> None:
    wanted = [CONTAINERS.lower(), PRICINGS.lower(), STORAGE.lower(), ROOT, f"{ROOT}/resourcegroups"]
    assert TYPES.listed_under(wanted) == {
        STORAGE.lower(): [BLOBS.lower()],
        BLOBS.lower(): [CONTAINERS.lower()],
        ROOT: [PRICINGS.lower()],
    }


def test_types_are_spelled_as_arm_does_where_known() -> None:
    assert TYPES[STORAGE.lower()].type == STORAGE
    assert TYPES["x.y/z"].type == "x.y/z"
    assert TYPES[STORAGE.upper()].type == STORAGE
    assert TYPES[BLOBS].action == f"{BLOBS}/read"


def test_of_children_that_resource_graph_lists_it_tells() -> None:
    types = ResourceTypes([*ROWS, {"type": f"{STORAGE}/listed", "resourceGraph": True}])
    listed, settings = f"{STORAGE}/listed".lower(), SETTINGS.lower()
    assert not types.is_untold(STORAGE, {STORAGE.lower(): frozenset({listed})}, {})
    assert types.is_untold(STORAGE, {STORAGE.lower(): frozenset({listed, settings})}, {})
    assert types.is_untold(STORAGE, {}, {STORAGE.lower(): [BLOBS.lower()]})
    assert not types.is_untold(STORAGE, {}, {})

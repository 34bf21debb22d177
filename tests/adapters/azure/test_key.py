"""Ids of documents in Cosmos DB: different ones stay different, and all of them fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure.key import group_names, indexing_policy, item_id, partition
from shared.domain.error import InvalidInput
from tests.adapters.documents.test_query import ids

long_ids = st.text(st.characters(exclude_characters="/\\?#", exclude_categories=["Cs"]), min_size=1, max_size=255)


@given(one=long_ids, other=long_ids)
def test_different_ids_stay_different_and_fit(one: str, other: str) -> None:
    assert (item_id(one) == item_id(other)) == (one == other)
    assert len(item_id(one).encode()) <= 1023
    assert set(item_id(one)).isdisjoint("/\\?#% ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("finding-1.2:a@b", "finding-1.2:a@b"),
        ("a b", "a=20b"),
        ("=20", "=3D20"),
        ("..", "=2E=2E"),
        ("..a", "..a"),
        ("ü", "=C3=BC"),
        ("%", "=25"),
    ],
)
def test_plain_ids_stay_readable(text: str, expected: str) -> None:
    assert item_id(text) == expected


@given(first=st.tuples(ids, ids), second=st.tuples(ids, ids))
def test_no_two_groups_share_a_partition(first: tuple[str, str], second: tuple[str, str]) -> None:
    (_, one), (_, other) = first, second
    assert (partition("t", "thing", one) == partition("t", "thing", other)) == (one == other)
    assert partition("t", "thing", one) not in {partition("t", "thing"), group_names("t", "thing")}


def test_the_parts_of_a_partition_key_have_no_slash_and_are_not_empty() -> None:
    for tenant, kind in (("t/thing", "x"), ("t", "thing/x"), ("", "thing"), ("t", "")):
        with pytest.raises(InvalidInput):
            partition(tenant, kind)


def test_only_what_is_asked_for_is_indexed() -> None:
    policy = indexing_policy({"finding": ("severity", "owner"), "scan": ("owner",)})
    assert [each["path"] for each in policy["includedPaths"]] == [
        "/pk/?",
        "/key/?",
        "/body/owner/?",
        "/body/owner/[]/?",
        "/body/severity/?",
        "/body/severity/[]/?",
    ]
    assert policy["excludedPaths"] == [{"path": "/*"}]
    assert [index[0]["path"] for index in policy["compositeIndexes"]] == ["/body/owner", "/body/severity"]

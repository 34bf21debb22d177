"""Contract of `Documents`: filters, order, pages, counts."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import InvalidInput
from shared.ports.documents import Documents, Query
from tests.adapters.documents import oracle

_examples = itertools.count()
THINGS: dict[str, dict[str, Any]] = {
    "a": {"colour": "red", "size": 3, "tags": ["x", "y"], "done": True},
    "b": {"colour": "red", "size": 1, "tags": [], "done": False},
    "c": {"colour": "blue", "size": 2, "tags": ["y"]},
    "d": {"colour": None, "size": 2, "tags": "y", "done": 1},
    "e": {"size": "2", "tags": {"y": "y"}, "done": "true"},
    "f": {"colour": "redder", "size": True, "done": None},
    "g": {"colour": ["red"], "size": 2.5, "tags": [["y"], 1, None]},
}
CASES: dict[str, tuple[Query, list[str]]] = {
    "all by id": (Query(), list("abcdefg")),
    "all by id, descending": (Query(descending=True), list("gfedcba")),
    "equal text": (Query(equals={"colour": "red"}), ["a", "b"]),
    "equal number is not text nor boolean": (Query(equals={"size": 2}), ["c", "d"]),
    "equal text is not number": (Query(equals={"size": "2"}), ["e"]),
    "equal boolean is not number nor text": (Query(equals={"done": True}), ["a"]),
    "equal number is not boolean": (Query(equals={"done": 1}), ["d"]),
    "equal fraction": (Query(equals={"size": 2.5}), ["g"]),
    "none is null or missing": (Query(equals={"colour": None}), ["d", "e"]),
    "one of several": (Query(equals={"colour": ("blue", "redder", "green")}), ["c", "f"]),
    "one of several or none": (Query(equals={"colour": ("blue", None)}), ["c", "d", "e"]),
    "one of nothing": (Query(equals={"colour": ()}), []),
    "several conditions": (Query(equals={"colour": "red", "size": 1}), ["b"]),
    "prefix": (Query(prefix={"colour": "red"}), ["a", "b", "f"]),
    "prefix of nothing is any text": (Query(prefix={"colour": ""}), ["a", "b", "c", "f"]),
    "contains": (Query(contains={"tags": "y"}), ["a", "c"]),
    "a part of a text": (Query(includes={"colour": "ed"}), ["a", "b", "f"]),
    "a part keeps its case": (Query(includes={"colour": "RED"}), []),
    "a part of nothing is any text": (Query(includes={"colour": ""}), ["a", "b", "c", "f"]),
    "wildcards in a part are letters": (Query(includes={"colour": "r%d"}), []),
    "a text from another on": (Query(at_least={"colour": "red"}), ["a", "b", "f"]),
    "a text from a number on is none": (Query(at_least={"size": "1"}), ["e"]),
    "after an id": (Query(after="c"), list("defg")),
    "after an id, descending": (Query(after="c", descending=True), list("gfed")),
    "by number and text": (Query(order="size"), ["b", "c", "d", "g", "a", "e"]),
    "by number and text, descending": (Query(order="size", descending=True), ["e", "a", "g", "d", "c", "b"]),
    "unindexed field": (Query(equals={"other": None, "colour": "blue"}), ["c"]),
    "like JSON": (Query(equals={"colour": '["red"]'}), []),
    "wildcards are letters": (Query(prefix={"colour": "%"}), []),
}


@pytest.fixture
def things(documents: Documents, tenant: str) -> Documents:
    documents.put_many(tenant=tenant, kind="thing", items=THINGS)
    return documents


def pages(documents: Documents, tenant: str, query: Query, limit: int) -> list[list[str]]:
    found, cursor = [], None
    while True:
        page = documents.query(tenant=tenant, kind="thing", query=query, limit=limit, cursor=cursor)
        found.append([item.id for item in page.items])
        if (cursor := page.cursor) is None:
            return found


@pytest.mark.parametrize("case", CASES)
def test_a_query_lists_what_matches_in_order(things: Documents, tenant: str, case: str) -> None:
    query, expected = CASES[case]
    assert pages(things, tenant, query, 1000) == [expected]
    assert oracle.listing(THINGS, query) == expected
    assert things.count(tenant=tenant, kind="thing", query=query) == {"": len(expected)}


@pytest.mark.parametrize("case", CASES)
def test_pages_add_up_to_the_whole_listing(things: Documents, tenant: str, case: str) -> None:
    query, expected = CASES[case]
    assert pages(things, tenant, query, 2) == [expected[at : at + 2] for at in range(0, len(expected), 2)] or [[]]


def test_a_page_that_is_exactly_full_is_the_last(things: Documents, tenant: str) -> None:
    assert pages(things, tenant, Query(), len(THINGS)) == [list(THINGS)]


def test_items_are_whole(things: Documents, tenant: str) -> None:
    (item,) = things.query(tenant=tenant, kind="thing", query=Query(equals={"colour": "blue"})).items
    assert item == things.get(tenant=tenant, kind="thing", id="c")


def test_a_change_moves_a_document_between_listings(things: Documents, tenant: str) -> None:
    things.put(tenant=tenant, kind="thing", id="a", body={"colour": "blue"})
    things.delete(tenant=tenant, kind="thing", id="c")
    assert pages(things, tenant, Query(equals={"colour": "red"}), 10) == [["b"]]
    assert pages(things, tenant, Query(equals={"colour": "blue"}), 10) == [["a"]]


def test_what_changes_between_pages_is_neither_repeated_nor_hides_the_rest(things: Documents, tenant: str) -> None:
    first = things.query(tenant=tenant, kind="thing", query=Query(), limit=3)
    things.delete(tenant=tenant, kind="thing", id="c")
    things.put(tenant=tenant, kind="thing", id="aa", body={})
    rest = things.query(tenant=tenant, kind="thing", query=Query(), limit=1000, cursor=first.cursor)
    assert [item.id for item in rest.items] == list("defg")


COUNTS: dict[str, dict[str, int]] = {
    "colour": {"red": 2, "blue": 1, "": 2, "redder": 1, '["red"]': 1},
    "done": {"true": 2, "false": 1, "": 3, "1": 1},
    "missing": {"": 7},
}


@pytest.mark.parametrize("field", COUNTS)
def test_documents_are_counted_by_field(things: Documents, tenant: str, field: str) -> None:
    assert things.count(tenant=tenant, kind="thing", query=Query(), by=field) == COUNTS[field]


def test_only_matching_documents_are_counted_by_field(things: Documents, tenant: str) -> None:
    query = Query(prefix={"colour": "r"})
    assert things.count(tenant=tenant, kind="thing", query=query, by="colour") == {"red": 2, "redder": 1}
    assert things.count(tenant=tenant, kind="thing", query=Query(equals={"size": 9}), by="colour") == {}


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_limits_out_of_bounds_are_refused(documents: Documents, tenant: str, limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        documents.query(tenant=tenant, kind="thing", query=Query(), limit=limit)


@pytest.mark.parametrize(
    "query",
    [
        Query(equals={"a.b": 1}),
        Query(equals={"a'b": 1}),
        Query(equals={"": 1}),
        Query(equals={"a": [1]}),
        Query(equals={"a": {"b": 1}}),
        Query(equals={"a": float("nan")}),
        Query(equals={"a": 2**80}),
        Query(equals={"a": tuple(range(2000))}),
        Query(equals={f"a{number}": 1 for number in range(40)}),
        Query(prefix={"a'": "x"}),
        Query(prefix={"a": 1}),  # type: ignore[dict-item] # on purpose
        Query(contains={"a": None}),  # type: ignore[dict-item] # on purpose
        Query(contains={"a": "\ud800"}),
        Query(includes={"a'": "x"}),
        Query(at_least={"a": 1}),  # type: ignore[dict-item] # on purpose
        Query(order="a DESC; --"),
        Query(after="a/b"),
    ],
)
def test_invalid_queries_are_rejected(documents: Documents, tenant: str, query: Query) -> None:
    with pytest.raises(InvalidInput):
        documents.query(tenant=tenant, kind="thing", query=query)
    with pytest.raises(InvalidInput):
        documents.count(tenant=tenant, kind="thing", query=query)


def test_an_order_the_cloud_has_no_index_for_is_refused(documents: Documents, tenant: str) -> None:
    if isinstance(documents, SqliteDocuments) and documents._indexes is None:
        pytest.skip("a store that knows of no indexes takes any order")
    with pytest.raises(InvalidInput, match="ordered by"):
        documents.query(tenant=tenant, kind="thing", query=Query(order="other"))


def test_counting_by_an_invalid_field_is_rejected(documents: Documents, tenant: str) -> None:
    with pytest.raises(InvalidInput):
        documents.count(tenant=tenant, kind="thing", query=Query(), by="a'b")


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3) | st.sampled_from(
    ["red", "blue", "re", "[", '["x"]', "{}", "true", "1", "%", "_", "\U0010ffff", "\ud7ff", "\ue000"]
)
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, 2.25, -0.0, 1e300]) | texts
inner = st.none() | st.booleans() | st.integers(-3, 3) | texts
bodies = st.dictionaries(
    st.sampled_from(["colour", "size", "tags", "done", "other"]),
    scalars | st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
)
ids = st.text(st.characters(exclude_characters="/\\?#", exclude_categories=["Cs"]), min_size=1, max_size=3)
fields = st.sampled_from(["colour", "size", "tags", "other"])
orders = st.sampled_from(["", "colour", "size", "tags"])
queries = st.builds(
    Query,
    equals=st.dictionaries(fields, scalars | st.lists(scalars, max_size=3).map(tuple), max_size=2),
    prefix=st.dictionaries(fields, texts, max_size=1),
    contains=st.dictionaries(fields, texts, max_size=1),
    includes=st.dictionaries(fields, texts, max_size=1),
    at_least=st.dictionaries(fields, texts, max_size=1),
    after=st.just("") | ids,
    order=orders,
    descending=st.booleans(),
) | st.builds(Query, order=orders, descending=st.booleans())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=st.dictionaries(ids, bodies, max_size=8), asked=st.lists(queries, min_size=1, max_size=4))
def test_every_query_means_what_the_port_says(
    documents: Documents, tenant: str, held: dict[str, Any], asked: list[Query]
) -> None:
    tenant = f"{tenant}-{next(_examples)}"
    documents.put_many(tenant=tenant, kind="thing", items=held)
    for query in asked:
        found = pages(documents, tenant, query, 3)
        assert [id_ for page in found for id_ in page] == oracle.listing(held, query)
        for by in (None, "colour"):
            assert documents.count(tenant=tenant, kind="thing", query=query, by=by) == oracle.count(held, query, by)

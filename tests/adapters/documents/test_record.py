"""Contract of `Documents`: single records, etags, bulk writes."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.error import AlreadyExists, InvalidInput, ItemsRejected, NotFound, Stale, TooLarge
from shared.ports.documents import Documents

ODD_IDS = [
    "a",
    "A",
    "storage.https",
    ".",
    "..",
    "%2F..%2F",
    "a b",
    " ",
    "a ",
    "'; DROP TABLE documents; --",
    '"quoted"',
    "=3A",
    ":",
    "ünï/cödé".replace("/", "-"),
    "\U0001f511",
    "e\u0301",
    "\u00e9",
    "\u0001\n\t",
    "x" * 255,
    "\U0001f511" * 255,
    "a;b&c+d,e@f$g",
    "\u00ff",
    "null",
]


def test_an_absent_document_is_none(documents: Documents, tenant: str) -> None:
    assert documents.get(tenant=tenant, kind="thing", id="nothing") is None
    assert documents.get_many(tenant=tenant, kind="thing", ids=["nothing", "nobody"]) == {}
    assert documents.get_many(tenant=tenant, kind="thing", ids=[]) == {}


def test_what_is_put_is_read(documents: Documents, tenant: str) -> None:
    body = {
        "text": "ü\u0000\n\U0001f511",
        "number": 1.5,
        "whole": 7,
        "none": None,
        "list": [1, "a", {"b": True}],
        "": {},
    }
    put = documents.put(tenant=tenant, kind="thing", id="a", body=body)
    got = documents.get(tenant=tenant, kind="thing", id="a")
    assert got == put
    assert got is not None
    assert (got.id, got.body) == ("a", body)


@pytest.mark.parametrize("odd", ODD_IDS)
def test_different_ids_are_different_documents(documents: Documents, tenant: str, odd: str) -> None:
    documents.put(tenant=tenant, kind="thing", id=odd, body={"n": 1})
    assert documents.get(tenant=tenant, kind="thing", id=odd + "x" if len(odd) < 255 else odd[:-1]) is None
    found = documents.get_many(tenant=tenant, kind="thing", ids=ODD_IDS)
    assert {id_: document.body for id_, document in found.items()} == {odd: {"n": 1}}
    documents.delete(tenant=tenant, kind="thing", id=odd)
    assert documents.get(tenant=tenant, kind="thing", id=odd) is None


@pytest.mark.parametrize("bad", ["", "x" * 256, "a/b", "a\\b", "a?b", "a#b", "\ud800"])
def test_invalid_ids_are_rejected(documents: Documents, tenant: str, bad: str) -> None:
    with pytest.raises(InvalidInput):
        documents.get(tenant=tenant, kind="thing", id=bad)
    with pytest.raises(InvalidInput):
        documents.put_many(tenant=tenant, kind="thing", items={bad: {}})
    with pytest.raises(InvalidInput):
        documents.create_all(tenant=tenant, kind="thing", group=bad, items={"a": {}})


@pytest.mark.parametrize("bad", ["", "a/b", "../x", "a b", "x" * 65, "ü", "a\n", "*"])
def test_invalid_tenant_names_are_rejected(documents: Documents, bad: str) -> None:
    with pytest.raises(InvalidInput):
        documents.get(tenant=bad, kind="thing", id="a")


@pytest.mark.parametrize("bad", ["", "Thing", "a/b", "a'b", 'a"b', "thing; --"])
def test_invalid_kinds_are_rejected(documents: Documents, tenant: str, bad: str) -> None:
    with pytest.raises(InvalidInput):
        documents.put(tenant=tenant, kind=bad, id="a", body={})


@pytest.mark.parametrize("bad", [{"a": object()}, {"a": {1, 2}}, {1: 2}, {"a": 2**70}, {"a": "\ud800"}])
def test_bodies_that_are_not_json_are_refused(documents: Documents, tenant: str, bad: Any) -> None:
    with pytest.raises(InvalidInput):
        documents.put(tenant=tenant, kind="thing", id="a", body=bad)


def test_a_body_over_the_limit_is_refused_and_one_below_kept(documents: Documents, tenant: str, largest: int) -> None:
    with pytest.raises(TooLarge, match="blob"):
        documents.put(tenant=tenant, kind="thing", id="a", body={"x": "y" * largest})
    documents.put(tenant=tenant, kind="thing", id="a", body={"x": "y" * (largest - 100)})
    got = documents.get(tenant=tenant, kind="thing", id="a")
    assert got is not None
    assert len(got.body["x"]) == largest - 100


@pytest.mark.parametrize("character", ["\u00fc", "\u6f22", "\U0001f511", "\u0001"])
def test_text_of_any_alphabet_is_counted_by_its_bytes(documents: Documents, tenant: str, character: str) -> None:
    size = len(character.encode()) if character.isprintable() else len("\\u0001")
    text = character * (1_990_000 // size)
    documents.put(tenant=tenant, kind="thing", id="a", body={"x": text})
    documents.create_all(tenant=tenant, kind="thing", group="g", items={"a": {"x": text}})
    got = documents.get(tenant=tenant, kind="thing", id="a")
    assert got is not None
    assert got.body["x"] == text


def test_a_rejected_item_does_not_keep_the_others_from_being_written(
    documents: Documents, tenant: str, largest: int
) -> None:
    items = {"a": {"n": 1}, "b": {"x": "y" * largest}, "c/d": {}, "e": {"f": object()}, "g": {"n": 2}}
    with pytest.raises(ItemsRejected) as caught:
        documents.put_many(tenant=tenant, kind="thing", items=items)
    assert {id_: type(why) for id_, why in caught.value.items.items()} == {
        "b": TooLarge,
        "c/d": InvalidInput,
        "e": InvalidInput,
    }
    assert documents.get_many(tenant=tenant, kind="thing", ids=["a", "b", "e", "g"]).keys() == {"a", "g"}


def test_what_exists_is_not_created_again(documents: Documents, tenant: str) -> None:
    documents.create(tenant=tenant, kind="thing", id="a", body={"n": 1})
    with pytest.raises(AlreadyExists, match="a"):
        documents.create(tenant=tenant, kind="thing", id="a", body={"n": 2})
    got = documents.get(tenant=tenant, kind="thing", id="a")
    assert got is not None
    assert got.body == {"n": 1}


def test_the_etag_changes_with_every_write_even_of_the_same_body(documents: Documents, tenant: str) -> None:
    etags = [documents.put(tenant=tenant, kind="thing", id="a", body={"n": 1}).etag for _ in range(3)]
    documents.put_many(tenant=tenant, kind="thing", items={"a": {"n": 1}})
    got = documents.get(tenant=tenant, kind="thing", id="a")
    assert got is not None
    etags.append(got.etag)
    documents.delete(tenant=tenant, kind="thing", id="a")
    etags.append(documents.create(tenant=tenant, kind="thing", id="a", body={"n": 1}).etag)
    assert len(set(etags)) == 5


def test_a_put_with_the_current_etag_replaces(documents: Documents, tenant: str) -> None:
    first = documents.put(tenant=tenant, kind="thing", id="a", body={"n": 1})
    second = documents.put(tenant=tenant, kind="thing", id="a", body={"n": 2}, if_match=first.etag)
    with pytest.raises(Stale, match="read it again"):
        documents.put(tenant=tenant, kind="thing", id="a", body={"n": 3}, if_match=first.etag)
    assert documents.get(tenant=tenant, kind="thing", id="a") == second


def test_a_put_with_an_etag_does_not_create(documents: Documents, tenant: str) -> None:
    with pytest.raises(NotFound):
        documents.put(tenant=tenant, kind="thing", id="a", body={"n": 1}, if_match="anything")
    assert documents.get(tenant=tenant, kind="thing", id="a") is None


def test_a_delete_on_condition_needs_the_current_etag(documents: Documents, tenant: str) -> None:
    first = documents.put(tenant=tenant, kind="thing", id="a", body={"n": 1})
    second = documents.put(tenant=tenant, kind="thing", id="a", body={"n": 2})
    with pytest.raises(Stale):
        documents.delete(tenant=tenant, kind="thing", id="a", if_match=first.etag)
    assert documents.get(tenant=tenant, kind="thing", id="a") == second
    documents.delete(tenant=tenant, kind="thing", id="a", if_match=second.etag)
    assert documents.get(tenant=tenant, kind="thing", id="a") is None
    documents.delete(tenant=tenant, kind="thing", id="a", if_match=second.etag)
    documents.delete(tenant=tenant, kind="thing", id="a")


def test_put_many_replaces_and_reads_back(documents: Documents, tenant: str) -> None:
    documents.put(tenant=tenant, kind="thing", id="2", body={"n": "old"})
    documents.put_many(tenant=tenant, kind="thing", items={str(n): {"n": n} for n in range(250)})
    documents.put_many(tenant=tenant, kind="thing", items={})
    found = documents.get_many(tenant=tenant, kind="thing", ids=[str(n) for n in range(260)])
    assert {id_: document.body["n"] for id_, document in found.items()} == {str(n): n for n in range(250)}


def test_put_many_never_overwrites_what_is_newer(documents: Documents, tenant: str) -> None:
    documents.put_many(tenant=tenant, kind="thing", items={"a": {"sequence": 5}, "b": {"sequence": 2}, "c": {"x": 1}})
    items = {name: {"sequence": 3} for name in "abcd"}
    documents.put_many(tenant=tenant, kind="thing", items=items, newer_by="sequence")
    documents.put_many(tenant=tenant, kind="thing", items={"b": {"sequence": 3, "x": 2}}, newer_by="sequence")
    found = documents.get_many(tenant=tenant, kind="thing", ids=list("abcd"))
    assert {id_: document.body for id_, document in found.items()} == {"a": {"sequence": 5}} | {
        name: {"sequence": 3} for name in "bcd"
    }
    with pytest.raises(InvalidInput):
        documents.put_many(tenant=tenant, kind="thing", items=items, newer_by="a'b")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_any_json_is_read_back_unchanged(documents: Documents, tenant: str, body: dict[str, Any]) -> None:
    documents.put(tenant=tenant, kind="thing", id="a", body=body)
    got = documents.get(tenant=tenant, kind="thing", id="a")
    assert got is not None
    assert json.dumps(whole(got.body), sort_keys=True) == json.dumps(whole(body), sort_keys=True)


def whole(value: Any) -> Any:
    """The value with every number a float and no negative zero: Cosmos DB has one kind of number."""
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return float(value) + 0.0 if isinstance(value, int | float) and not isinstance(value, bool) else value


def test_the_check_of_a_working_store_succeeds(documents: Documents) -> None:
    documents.check()
    documents.check()

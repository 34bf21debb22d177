"""Contract of `Documents`: nothing of another tenant can be reached by any id, filter or cursor."""

import base64
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.error import CortexError, InvalidInput
from shared.ports.documents import Documents, Query
from tests.adapters.documents.test_query import fields, ids, queries, texts

SECRET = "theirs alone"
_examples = itertools.count()


def everything(documents: Documents, tenant: str, id_: str, query: Query, cursor: str | None) -> list[Any]:
    """All that can be read with what somebody else may have chosen; refusals read nothing."""
    reads = [
        lambda: documents.get(tenant=tenant, kind="thing", id=id_),
        lambda: documents.get_many(tenant=tenant, kind="thing", ids=[id_]),
        lambda: documents.query(tenant=tenant, kind="thing", query=query, cursor=cursor),
        lambda: documents.count(tenant=tenant, kind="thing", query=query, by="owner"),
        lambda: documents.get_group(tenant=tenant, kind="thing", group=id_),
        lambda: documents.groups(tenant=tenant, kind="thing"),
    ]
    found = []
    for read in reads:
        try:
            found.append(read())
        except CortexError as refusal:
            found.append(str(refusal))
    return found


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), id_=ids, query=queries)
def test_nothing_of_another_tenant_is_read(
    documents: Documents, tenant: str, data: st.DataObject, id_: str, query: Query
) -> None:
    mine, theirs = f"{tenant}-{next(_examples)}-mine", f"{tenant}-{next(_examples)}-theirs"
    body = data.draw(st.dictionaries(fields, texts)) | {"owner": SECRET}
    documents.put_many(tenant=theirs, kind="thing", items={id_: body, "other": body})
    documents.create_all(tenant=theirs, kind="thing", group=id_, items={id_: body})
    cursor = documents.query(tenant=theirs, kind="thing", query=Query(), limit=1).cursor
    for given_cursor in (cursor, None):
        assert SECRET not in repr(everything(documents, mine, id_, query, given_cursor))
        assert SECRET not in repr(everything(documents, mine, theirs, query, given_cursor))
    assert SECRET in repr(everything(documents, theirs, id_, Query(), None))


@pytest.mark.parametrize(("one", "other"), [("a", "a-b"), ("t", "T"), ("t.thing", "t"), ("a_b", "a%b"), ("a", "a.")])
def test_tenants_with_similar_names_do_not_see_each_other(
    documents: Documents, tenant: str, one: str, other: str
) -> None:
    one, other = f"{tenant}{one}", f"{tenant}{other}"
    documents.put(tenant=one, kind="thing", id="x", body={"owner": SECRET})
    documents.create_all(tenant=one, kind="thing", group="x", items={"x": {"owner": SECRET}})
    assert SECRET not in repr(everything(documents, other, "x", Query(), None))


def test_writes_stay_in_the_tenant(documents: Documents, tenant: str) -> None:
    theirs = documents.put(tenant=f"{tenant}-theirs", kind="thing", id="x", body={"owner": SECRET})
    documents.put(tenant=tenant, kind="thing", id="x", body={"n": 1})
    documents.put_many(tenant=tenant, kind="thing", items={"x": {"n": 2}})
    documents.delete(tenant=tenant, kind="thing", id="x")
    with pytest.raises(CortexError):
        documents.put(tenant=tenant, kind="thing", id="x", body={}, if_match=theirs.etag)
    documents.delete(tenant=tenant, kind="thing", id="x", if_match=theirs.etag)
    assert documents.get(tenant=f"{tenant}-theirs", kind="thing", id="x") == theirs


def some_cursor(documents: Documents, tenant: str, kind: str, query: Query) -> str:
    documents.put_many(tenant=tenant, kind=kind, items={name: {"colour": "red", "size": 1} for name in "abc"})
    cursor = documents.query(tenant=tenant, kind=kind, query=query, limit=1).cursor
    assert cursor is not None
    return cursor


def test_a_cursor_fits_only_its_own_listing(documents: Documents, tenant: str) -> None:
    query = Query(equals={"colour": "red"}, order="size")
    cursor = some_cursor(documents, tenant, "thing", query)
    foreign = [
        some_cursor(documents, f"{tenant}-theirs", "thing", query),
        some_cursor(documents, tenant, "gadget", query),
        some_cursor(documents, tenant, "thing", Query(order="size")),
        some_cursor(documents, tenant, "thing", Query(equals={"colour": "red"}, order="size", descending=True)),
        some_cursor(documents, tenant, "thing", Query(equals={"colour": ("red",)}, order="size")),
        some_cursor(documents, tenant, "thing", Query(equals={"colour": "red"})),
    ]
    assert documents.query(tenant=tenant, kind="thing", query=query, cursor=cursor).items
    for other in foreign:
        with pytest.raises(InvalidInput, match="cursor"):
            documents.query(tenant=tenant, kind="thing", query=query, cursor=other)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cursor_that_was_changed_is_refused(documents: Documents, tenant: str, data: st.DataObject) -> None:
    cursor = some_cursor(documents, tenant, "thing", Query(order="size"))
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    forged = data.draw(
        st.binary(max_size=40).map(lambda noise: base64.urlsafe_b64encode(noise).decode())
        | st.text(max_size=40)
        | st.integers(0, 15).map(lambda at: flipped(raw, at))
        | st.sampled_from([cursor[:10], cursor + "AAAA", "A" * 20_000, ""])
    )
    if forged.rstrip("=") != cursor:
        with pytest.raises(InvalidInput, match="cursor"):
            documents.query(tenant=tenant, kind="thing", query=Query(order="size"), cursor=forged)


def flipped(raw: bytearray, at: int) -> str:
    changed = bytearray(raw)
    changed[at] ^= 1
    return base64.urlsafe_b64encode(changed).decode().rstrip("=")

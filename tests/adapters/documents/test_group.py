"""Contract of `Documents`: documents created together, and read as a stream."""

import pytest

from shared.domain.error import AlreadyExists, InvalidInput, TooLarge
from shared.ports.documents import Documents, Query


def event_ids(documents: Documents, tenant: str, group: str, **page: object) -> list[str]:
    return [item.id for item in documents.get_group(tenant=tenant, kind="event", group=group, **page)]  # type: ignore[arg-type] # after and limit


def test_created_together_and_read_in_order(documents: Documents, tenant: str) -> None:
    documents.create_all(tenant=tenant, kind="event", group="scan:1", items={"002": {"n": 2}, "001": {"n": 1}})
    documents.create_all(tenant=tenant, kind="event", group="scan:1", items={"003": {"n": 3}})
    items = documents.get_group(tenant=tenant, kind="event", group="scan:1")
    assert [(item.id, item.body) for item in items] == [("001", {"n": 1}), ("002", {"n": 2}), ("003", {"n": 3})]
    assert len({item.etag for item in items}) == 3
    assert event_ids(documents, tenant, "scan:1", after="001") == ["002", "003"]
    assert event_ids(documents, tenant, "scan:1", after="001", limit=1) == ["002"]
    assert event_ids(documents, tenant, "scan:1", after="003") == []


def test_documents_are_created_together_or_not_at_all(documents: Documents, tenant: str) -> None:
    documents.create_all(tenant=tenant, kind="event", group="g", items={"b": {"n": 1}})
    for items in ({"a": {}, "b": {}}, {"b": {}, "c": {}}, {"b": {}}):
        with pytest.raises(AlreadyExists):
            documents.create_all(tenant=tenant, kind="event", group="g", items=items)
    (item,) = documents.get_group(tenant=tenant, kind="event", group="g")
    assert (item.id, item.body) == ("b", {"n": 1})


def test_a_group_holds_neither_other_groups_nor_single_documents(documents: Documents, tenant: str) -> None:
    documents.put(tenant=tenant, kind="event", id="1", body={"of": "nothing"})
    for group in ("g", "h"):
        documents.create_all(tenant=tenant, kind="event", group=group, items={"1": {"of": group}})
        (item,) = documents.get_group(tenant=tenant, kind="event", group=group)
        assert item.body == {"of": group}
    (single,) = documents.query(tenant=tenant, kind="event", query=Query()).items
    assert single.body == {"of": "nothing"}
    assert documents.count(tenant=tenant, kind="event", query=Query()) == {"": 1}


def test_groups_are_listed(documents: Documents, tenant: str) -> None:
    names = ["z", "a", "scan:1", "ü", "a b"]
    for name in names:
        documents.create_all(tenant=tenant, kind="event", group=name, items={"1": {}})
        documents.create_all(tenant=tenant, kind="event", group=name, items={"2": {}})
    documents.create_all(tenant=tenant, kind="other", group="elsewhere", items={"1": {}})
    assert list(documents.groups(tenant=tenant, kind="event")) == sorted(names)
    assert list(documents.groups(tenant=tenant, kind="thing")) == []
    assert documents.query(tenant=tenant, kind="event", query=Query()).items == []


def test_a_group_is_bounded_in_items_and_bytes(documents: Documents, tenant: str, largest: int) -> None:
    documents.create_all(tenant=tenant, kind="event", group="g", items={f"{n:03}": {"n": n} for n in range(100)})
    assert len(documents.get_group(tenant=tenant, kind="event", group="g")) == 100
    with pytest.raises(TooLarge, match="100"):
        documents.create_all(tenant=tenant, kind="event", group="h", items={str(n): {} for n in range(101)})
    large = {n: {"x": "y" * 10**6} for n in "abc"}
    if largest > 3 * 10**6:
        documents.create_all(tenant=tenant, kind="event", group="i", items=large)
        assert {each.id: each.body for each in documents.get_group(tenant=tenant, kind="event", group="i")} == large
    else:
        with pytest.raises(TooLarge, match="together"):
            documents.create_all(tenant=tenant, kind="event", group="h", items=large)
    with pytest.raises(InvalidInput):
        documents.get_group(tenant=tenant, kind="event", group="g", limit=1001)
    assert event_ids(documents, tenant, "h") == []

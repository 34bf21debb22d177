"""The fake stores show what a process sees at session consistency."""

import pytest

from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import AlreadyExists, Stale
from shared.ports.documents import Query
from tests.fakes.stale_documents import StaleReads, UnseenWrites

WHERE = {"tenant": "t", "kind": "thing", "id": "a"}


def test_a_reader_sees_what_was_before_for_a_while(documents: SqliteDocuments) -> None:
    stale = StaleReads(documents, lag=2)
    first = stale.create(**WHERE, body={"n": 1})
    assert [stale.get(**WHERE) for _ in range(3)] == [None, None, first]
    stale.put_many(tenant="t", kind="thing", items={"a": {"n": 2}})
    seen = [stale.get_many(tenant="t", kind="thing", ids=["a"])["a"].body for _ in range(3)]
    assert seen == [{"n": 1}, {"n": 1}, {"n": 2}]
    stale.delete(**WHERE)
    assert [stale.get(**WHERE) is None for _ in range(3)] == [False, False, True]


def test_writes_on_condition_are_judged_by_the_truth(documents: SqliteDocuments) -> None:
    stale = StaleReads(documents)
    first = stale.create(**WHERE, body={"n": 1})
    second = stale.put(**WHERE, body={"n": 2}, if_match=first.etag)
    seen = stale.get(**WHERE)
    assert seen == first
    with pytest.raises(Stale):
        stale.put(**WHERE, body={"n": 3}, if_match=first.etag)
    assert stale.get(**WHERE) == second


def test_a_process_that_has_not_seen_a_write_sees_all_from_its_own_first_one_on(documents: SqliteDocuments) -> None:
    documents.create(**WHERE, body={"n": 1})
    documents.create_all(tenant="t", kind="thing", group="g", items={"1": {}})
    other = UnseenWrites(documents)

    def seen() -> tuple[bool, int, int, int]:
        found = other.get(**WHERE) is not None
        page = other.query(tenant="t", kind="thing", query=Query())
        group = other.get_group(tenant="t", kind="thing", group="g")
        return found, len(page.items), len(group), other.count(tenant="t", kind="thing", query=Query())[""]

    assert seen() == (False, 0, 0, 0)
    with pytest.raises(AlreadyExists):
        other.create(**WHERE, body={"n": 2})
    assert seen() == (True, 1, 1, 1)

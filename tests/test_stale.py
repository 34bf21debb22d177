import pytest

from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import Stale
from tests.stale import StaleReads

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

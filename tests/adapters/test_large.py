"""What only the documents of any size promise: short members to filter by, one blob for each, none left behind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.large import LargeDocuments
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.error import AlreadyExists, Damaged, Stale
from shared.ports.documents import Query

WHERE = {"tenant": "t", "kind": "thing"}
MUCH = ["x" * 1000] * 400


@dataclass
class Kept:
    """A store and what lies behind it."""

    documents: LargeDocuments
    items: SqliteDocuments
    blobs: FileBlobs

    def names(self) -> list[str]:
        return self.blobs.names(tenant="t", prefix="document/")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    blobs = FileBlobs(tmp_path / "blobs")
    with SqliteDocuments(tmp_path / "documents.db", indexes={"thing": ("size", "colour")}) as items:
        yield Kept(LargeDocuments(items, blobs), items, blobs)


def body(size: int, **more: Any) -> dict[str, Any]:
    return {"size": size, "colour": "red", "much": MUCH, **more}


def test_large_bodies_are_filtered_ordered_and_counted_by_their_short_members(kept: Kept) -> None:
    kept.documents.put_many(**WHERE, items={str(n): body(n) for n in range(5)})
    query = Query(equals={"colour": "red"}, order="size", descending=True)
    first = kept.documents.query(**WHERE, query=query, limit=3)
    rest = kept.documents.query(**WHERE, query=query, limit=3, cursor=first.cursor)
    assert [each.body for each in (*first.items, *rest.items)] == [body(n) for n in (4, 3, 2, 1, 0)]
    assert kept.documents.count(**WHERE, query=query, by="colour") == {"red": 5}
    item = kept.items.get(**WHERE, id="1")
    assert item is not None
    assert item.body.keys() == {"size", "colour", "~blob"}


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.put(**WHERE, id="a", body=body(2)),
        lambda store: store.put_many(**WHERE, items={"a": body(2)}),
        lambda store: store.put_many(**WHERE, items={"a": body(2)}, newer_by="size"),
        lambda store: store.put(**WHERE, id="a", body=body(2), if_match=store.get(**WHERE, id="a").etag),
    ],
)
def test_a_write_leaves_one_blob(kept: Kept, write: Callable[[LargeDocuments], object]) -> None:
    kept.documents.create(**WHERE, id="a", body=body(1))
    write(kept.documents)
    found = kept.documents.get(**WHERE, id="a")
    assert found is not None
    assert found.body == body(2)
    assert len(kept.names()) == 1
    kept.documents.delete(**WHERE, id="a")
    assert kept.names() == []


def test_a_write_that_is_refused_leaves_what_was_there(kept: Kept) -> None:
    kept.documents.create(**WHERE, id="a", body=body(3))
    with pytest.raises(AlreadyExists):
        kept.documents.create(**WHERE, id="a", body=body(4))
    with pytest.raises(Stale):
        kept.documents.put(**WHERE, id="a", body=body(4), if_match="old")
    kept.documents.put_many(**WHERE, items={"a": body(2)}, newer_by="size")
    found = kept.documents.get(**WHERE, id="a")
    assert found is not None
    assert found.body == body(3)
    kept.documents.create_all(**WHERE, group="g", items={"1": body(1)})
    with pytest.raises(AlreadyExists):
        kept.documents.create_all(**WHERE, group="g", items={"1": body(2)})
    assert len(kept.names()) == 2


def test_a_reader_whose_blob_is_replaced_reads_again(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.documents.create(**WHERE, id="a", body=body(1))
    stale = kept.items.get(**WHERE, id="a")
    kept.documents.put(**WHERE, id="a", body=body(2))
    read = kept.items.get
    answers = iter([stale])
    monkeypatch.setattr(kept.items, "get", lambda **given: next(answers, None) or read(**given))
    found = kept.documents.get(**WHERE, id="a")
    assert found is not None
    assert found.body == body(2)


def test_a_lost_blob_is_damage(kept: Kept) -> None:
    kept.documents.create(**WHERE, id="a", body=body(1))
    kept.blobs.delete(tenant="t", name=kept.names()[0])
    with pytest.raises(Damaged, match="gone"):
        kept.documents.get(**WHERE, id="a")


def test_members_that_nest_too_deeply_for_an_item_are_kept_in_the_blob(kept: Kept) -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    kept.documents.put(**WHERE, id="a", body=body(1, deep=deep))
    found = kept.documents.get(**WHERE, id="a")
    assert found is not None
    assert found.body == body(1, deep=deep)

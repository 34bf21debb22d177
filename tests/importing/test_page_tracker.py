"""Pages of lists: the first ones alone are not the list."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from shared.importing.record_scanner import RecordScanner

GRAPH = {"count": 1, "facets": []}
TABLE = {"columns": [{"name": "id"}], "rows": [["a"]]}
A, B, LAST = ({"data": [{"id": "a"}], "total_records": 3, "skip_token": token} for token in ("x", "y", None))


def missing(*documents: Any, size: int = 7) -> str:
    text = "\n".join(json.dumps(each) for each in documents).encode()
    scanner = RecordScanner(iter([text[at : at + size] for at in range(0, len(text), size)]))
    assert all(not piece.reason for piece in scanner)
    return scanner.pages.missing


@pytest.mark.parametrize(
    "documents",
    [
        [[{"id": "a"}]],
        [{"id": "a", "nextLink": "x", "totalRecords": 9}],
        [{"value": [{"id": "a"}]}],
        [{"value": [{"id": "a", "nextLink": "x"}], "nextLink": None}],
        [{"value": [{"id": "a"}], "nextLink": ""}],
        [{"value": [{"id": "a"}], "nextLink": "x"}, {"value": [{"id": "b"}]}],
        [{"value": [{"id": "a"}], "more": {"nextLink": "x"}}],
        [{**GRAPH, "data": [{"id": "a"}], "totalRecords": 1, "resultTruncated": "false"}],
        [{**GRAPH, "data": TABLE, "totalRecords": 1}],
        [A, B, LAST],
        [{"resources": [{"type": "t"}], "nextLink": "x"}],
        [{"value": [], "note": "x" * 3_000_000}],
    ],
)
def test_a_list_to_its_last_page_is_whole(documents: Sequence[Any]) -> None:
    assert missing(*documents, size=1 << 16) == ""


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([{"nextLink": "x", "value": [{"id": "a"}]}], "1 record, and nextLink"),
        ([{"value": [], "nextLink": "x"}], "0 records, and nextLink"),
        ([{"value": [{"id": "a"}], "nextLink": "x"}] * 2, "the first 2 pages of a list: 2 records"),
        ([A], "1 of 3 records, and skip_token"),
        ([A, B], "the first 2 pages of a list: 2 of 3 records"),
        ([A, {"value": [{"id": "a"}]}], "1 of 3 records, and skip_token"),
        ([{"value": [{"id": "a"}], "nextLink": "x"}, A, B, LAST], "1 record, and nextLink"),
        ([{**GRAPH, "data": TABLE, "totalRecords": 2}], "1 of 2 records;"),
        ([{**GRAPH, "data": TABLE, "$skipToken": "x"}], "1 record, and $skipToken"),
        ([{**GRAPH, "totalRecords": 9, "data": TABLE}], "1 of 9 records;"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 16])
def test_pages_that_are_missing_are_reported(documents: Sequence[Any], said: str, size: int) -> None:
    assert said in missing(*documents, size=size)

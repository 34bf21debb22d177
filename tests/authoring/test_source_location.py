"""Paths lead to lines, also in broken texts and for paths that are not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.authoring.source_location import SourceLocation, SourceLocations

TEXT = """{
  "name": "p", "Properties": {
    "a": [
      1, {"b": "} , : [", "c": []},
      "\\"x"
    ]
  }
}
"""


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ("$", 1, 1),
        ("$.name", 2, 3),
        ("$.properties", 2, 16),
        ("$.properties.a[0]", 4, 7),
        ("$.properties.a[1].B", 4, 11),
        ("$.properties.a[1].c", 4, 27),
        ("$.properties.a[2]", 5, 7),
        ("$.properties.a[9].x", 3, 5),
        ("$.nothing.here", 1, 1),
    ],
)
def test_a_path_leads_to_its_line(path: str, line: int, column: int) -> None:
    assert SourceLocations(TEXT).find(path) == SourceLocation(line, column)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [('{\n "a": 1,\n "b": }', 3, 7), ("// why\n[1, /* so */ 2\n", 3, 1), ('{"a": "x\ny", "b": 1,}', 1, 1)],
)
def test_the_whole_of_a_broken_text_is_where_it_breaks_off(text: str, line: int, column: int) -> None:
    assert SourceLocations(text).find("$") == SourceLocation(line, column)


@given(st.text(alphabet='{}[],:"a1 \n\\', max_size=80))
def test_any_text_has_locations(text: str) -> None:
    found = SourceLocations(text).find("$.a[1].b")
    assert found.line >= 1
    assert found.column >= 1


def test_depth_is_no_crash() -> None:
    assert SourceLocations("[" * 100_000).find("$[0][0]").line == 1

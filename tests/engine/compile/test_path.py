"""Reading property paths: spelling, what is missing, what was not read, and the places of members."""

from typing import Any

import pytest

from shared.engine.compile.path import (
    array_paths,
    collector,
    indexed_path,
    member_indexes,
    path_segments,
    split_path,
    value_reader,
)
from shared.engine.unknown import Partial, Unknown

GAP = Unknown("p", "forbidden")


ABSENT: list[Any] = [None, "text", 1, [1], {}]


def nest(keys: list[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_values_are_read_in_any_spelling(depth: int) -> None:
    keys = [f"key{at}" for at in range(depth)]
    read = value_reader(tuple(keys))
    assert read(nest(keys, 7)) == 7
    assert read(nest([key.upper() for key in keys], 7)) == 7
    assert read(nest(keys, value=False)) is False
    assert read({"other": 1, "kex0": 2}) is None
    assert read({"key0": None, "KEY0": nest(keys[1:], 7)}) == 7


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_what_is_not_there_reads_as_none(depth: int) -> None:
    keys = [f"key{at}" for at in range(depth)]
    read = value_reader(tuple(keys))
    for level in range(depth):
        for other in ABSENT:
            assert read(nest(keys[:level], other)) is None


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_what_was_not_read_stays_unknown(depth: int) -> None:
    keys = [f"key{at}" for at in range(depth)]
    read = value_reader(tuple(keys))
    for level in range(depth):
        assert read(nest(keys[:level], GAP)) is GAP
        assert read(nest(keys[:level], Partial({}, GAP))) is GAP
        assert read(nest(keys[:level], Partial(nest(keys[level:], 7), GAP))) == 7


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_of_several_spellings_the_exact_one_is_read(depth: int) -> None:
    keys = [f"key{at}" for at in range(depth)]
    read = value_reader(tuple(keys))
    for level in range(depth):
        inner = {keys[level].upper(): nest(keys[level + 1 :], 8), keys[level]: nest(keys[level + 1 :], 7)}
        assert read(nest(keys[:level], inner)) == 7


def test_steps_of_a_path() -> None:
    assert split_path("") == ()
    assert split_path("a.b[*].c") == ("a", "b[*]", "c")


def test_no_keys_read_the_value_itself() -> None:
    assert value_reader(())(GAP) is GAP


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        ("a[*]", {"a": [1, 2]}, [1, 2]),
        ("a[*].b", {"a": [{"b": 1}, {}, "x"]}, [1, None, None]),
        ("a[*].b[*]", {"a": [{"b": [1, 2]}, {}, {"b": [3]}]}, [1, 2, 3]),
        ("a[*].b[*].c", {"a": [{"b": [{"c": 1}]}, {"b": [{}]}]}, [1, None]),
        ("a[*]", {"a": "x"}, []),
        ("a[*]", {"a": GAP}, [GAP]),
        ("a[*].b", {"a": GAP}, [GAP]),
        ("a[*]", {"a": Partial({}, GAP)}, [GAP]),
        ("a[*].b[*]", {"a": [{"b": GAP}, {"b": [1]}]}, [GAP, 1]),
        ("a", {"a": 1}, [1]),
    ],
)
def test_stars_collect_members(path: str, body: Any, found: Any) -> None:
    assert collector(path)(body) == found


def test_paths_have_arrays_and_segments() -> None:
    assert array_paths("a[*].b[*].c") == ("a[*]", "a[*].b[*]")
    assert path_segments("a.b[*].c[*]") == (("a", "b"), ("c",), ())


def test_members_are_placed_in_their_own_array() -> None:
    outer = member_indexes("A[*]", (2,), {})
    both = member_indexes("a[*].b[*]", (5,), outer)
    assert both == {"a[*]": 2, "a[*].b[*]": 5}
    assert indexed_path("a[*].B[*].c[*]", both) == "a[2].B[5].c[*]"
    assert indexed_path("z[*].a[*]", both) == "z[*].a[*]"
    assert member_indexes("a[*].b[*]", (1, 3), {}) == {"a[*]": 1, "a[*].b[*]": 3}
    assert member_indexes("a[*]", (0,), outer) == outer
    assert member_indexes(None, (1,), outer) == outer

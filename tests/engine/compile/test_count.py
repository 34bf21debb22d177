"""Counts: what they count, in which order of levels, where they stop, and what they tell of themselves."""

from typing import Any

import pytest

from shared.domain.resource import Resource, Unread
from shared.engine import AliasCatalog, Context, EvaluationError
from shared.engine.compile.clause import CompiledClause
from shared.engine.compile.compiler import compile_node
from shared.engine.compile.count import turning_points
from shared.engine.compile.scope import CompileScope
from shared.engine.context import Frame
from shared.engine.language.parser import parse_condition
from shared.engine.unknown import Partial, Unknown

GAP = Unknown("p", "forbidden")
ALIASES = AliasCatalog.from_rows(
    [
        {"name": name, "path": path, "types": types}
        for name, path, types in [
            ("T/list[*]", "properties.list[*]", []),
            ("T/num", "properties.num", []),
            ("T/a[*]", "properties.a[*]", []),
            ("T/a[*].b[*]", "properties.a[*].b[*]", []),
            ("T/a[*].b[*].c", "properties.a[*].b[*].c", []),
            ("T/a[*].b[*].d[*]", "properties.a[*].b[*].d[*]", []),
            ("T/deep[*].inner[*]", "properties.deep[*].inner[*]", []),
            ("T/w[*].x[*].y[*]", "properties.w[*].x[*].y[*]", []),
            ("T/flat[*]", "properties.outer[*].flat[*]", []),
            ("T/bare[*]", "properties.bare", []),
            ("T/tail[*].end", "properties.tail[*].end", []),
            ("T/typed[*]", "properties.one[*]", ["T.One/a"]),
            ("T/typed[*]", "properties.two[*]", ["T.Two/b"]),
        ]
    ]
    + [
        {
            "name": "T/dated[*]",
            "path": "properties.new[*]",
            "types": [],
            "paths": [
                {"path": "properties.old[*]", "apiVersions": ["2018-01-01"]},
                {"path": "properties.new[*]", "apiVersions": ["2022-01-01"]},
            ],
        }
    ]
)


def clause(count: Any, of: str | None = None, at: str | None = None, **right: Any) -> CompiledClause:
    rule = {"count": count, **(right or {"greaterOrEquals": 1})}
    return compile_node(parse_condition(rule, "$.if"), CompileScope(ALIASES, {}, of, at))


def frame(context: Context | None = None, unread: Any = None, **properties: Any) -> Frame:
    return Frame(Resource({"name": "n", "properties": properties}, unread=unread or {}), context or Context())


def answer(found: CompiledClause, at: Frame) -> bool | None:
    return found.test(at.body, at)


def number(found: CompiledClause, at: Frame) -> Any:
    assert found.observe is not None
    return found.observe(at.body, at)


@pytest.mark.parametrize(
    ("field", "of", "at", "resolved"),
    [
        ("T/list[*]", None, None, "properties.list[*]"),
        ("T/bare[*]", None, None, "properties.bare[*]"),
        ("T/tail[*].end", None, None, "properties.tail[*]"),
        ("T/a[*].b[*]", None, None, "properties.a[*].b[*]"),
        ("T/a[*].b[*].c", None, None, "properties.a[*].b[*]"),
        ("T/flat[*]", None, None, "properties.outer[*].flat[*]"),
        ("T/typed[*]", "t.one/a", None, "properties.one[*]"),
        ("T/typed[*]", "t.two/b", None, "properties.two[*]"),
        ("T/typed[*]", "t.three/c", None, "[*]"),
        ("T/dated[*]", "t.one/a", "2018-01-01", "properties.old[*]"),
        ("T/dated[*]", "t.one/a", "2022-01-01", "properties.new[*]"),
    ],
)
def test_the_array_is_that_of_the_alias(field: str, of: str | None, at: str | None, resolved: str) -> None:
    found = clause({"field": field}, of=of, at=at)
    assert (found.kind, found.path, found.field, found.resolved) == ("count", "$.if", field, resolved)
    assert found.operator == "greaterOrEquals"


def test_the_array_of_another_type_has_no_members() -> None:
    found = clause({"field": "T/typed[*]"}, of="t.three/c")
    assert number(found, frame(one=[1], two=[1])) == 0


def test_an_unknown_alias_is_named() -> None:
    found = clause({"field": "T/nowhere[*]"}, equals=2)
    assert (found.kind, found.path, found.field, found.operator) == ("count", "$.if", "T/nowhere[*]", "equals")
    assert answer(found, frame()) is None
    assert number(found, frame()) == Unknown("alias T/nowhere[*]", "unknownAlias")
    assert found.expect is not None
    assert found.expect({}, frame()) == 2


def test_counts_of_values_are_called_by_what_they_count() -> None:
    assert clause({"value": [1, 2], "name": "each"}).field == "[1, 2]"
    assert clause({"value": "[parameters('list')]"}).field == "[parameters('list')]"


@pytest.mark.parametrize(
    ("count", "right", "levels"),
    [
        ({"field": "T/list[*]"}, {"equals": 2}, ((None, ("properties", "list"), 0),)),
        (
            {"field": "T/a[*].b[*]"},
            {"in": [1, 2]},
            ((None, ("properties", "a"), 0), (0, ("b",), 1)),
        ),
    ],
)
def test_a_count_with_a_constant_can_be_fused(count: Any, right: Any, levels: Any) -> None:
    plain = clause(count, **right).plain
    assert plain is not None
    assert (plain.expected, plain.levels) == (next(iter(right.values())), levels)
    assert (plain.check(2), plain.check(3)) == (True, False)


@pytest.mark.parametrize(
    ("count", "right"),
    [
        ({"field": "T/list[*]"}, {"equals": "[field('T/num')]"}),
        ({"field": "T/list[*]"}, {"in": "[concat('a', 'b')]"}),
        ({"value": [1]}, {"equals": 1}),
        ({"field": "T/nowhere[*]"}, {"equals": 1}),
    ],
)
def test_other_counts_cannot_be_fused(count: Any, right: Any) -> None:
    assert clause(count, **right).plain is None


def test_a_right_side_of_a_wrong_kind_fails_when_it_is_evaluated() -> None:
    found = clause({"field": "T/list[*]"}, **{"in": "[concat('a', 'b')]"})
    with pytest.raises(EvaluationError, match="must be a list, found string"):
        answer(found, frame(list=[1]))


def equal(value: str, wanted: Any) -> Any:
    return {"value": value, "equals": wanted}


@pytest.mark.parametrize(
    ("count", "properties", "wanted"),
    [
        ({"field": "T/list[*]"}, {"list": [1, 2, 3]}, 3),
        ({"field": "T/list[*]"}, {"list": "text"}, 0),
        ({"field": "T/list[*]"}, {}, 0),
        ({"field": "T/list[*]", "where": equal("[current()]", 1)}, {"list": [1, 2, 1]}, 2),
        ({"field": "T/list[*]", "where": equal("[current('T/list[*]')]", 1)}, {"list": [1, 2, 1]}, 2),
        ({"field": "T/list[*]", "where": {"field": "name", "equals": "n"}}, {"list": [1, 2]}, 2),
        ({"field": "T/a[*].b[*]"}, {"a": [{"b": [1, 2]}, {}, {"b": [3]}]}, 3),
        ({"field": "T/a[*].b[*]", "where": {"field": "name", "equals": "n"}}, {"a": [{"b": [1, 2]}]}, 2),
        ({"field": "T/a[*].b[*]", "where": equal("[current('T/a[*]').x]", 1)}, {"a": [{"x": 1, "b": [1, 2]}]}, 2),
        (
            {"field": "T/deep[*].inner[*]", "where": equal("[current('T/deep[*]').x]", 1)},
            {"deep": [{"x": 1, "inner": [1, 2]}, {"x": 2, "inner": [1]}]},
            2,
        ),
        (
            {"field": "T/deep[*].inner[*]", "where": equal("[current('T/deep[*].inner[*]')]", 1)},
            {"deep": [{"inner": [1, 2]}, {"inner": [1]}]},
            2,
        ),
        ({"field": "T/bare[*]"}, {"bare": [1, 2]}, 2),
        (
            {"field": "T/w[*].x[*].y[*]", "where": equal("[current('T/w[*].x[*]').z]", 1)},
            {"w": [{"x": [{"z": 1, "y": [1, 2]}, {"z": 2, "y": [3]}]}]},
            2,
        ),
        ({"field": "T/flat[*]", "where": equal("[current('T/flat[*]')]", 1)}, {"outer": [{"flat": [1, 2, 1]}]}, 2),
        ({"value": [1, 2, 1], "where": equal("[current()]", 1)}, {}, 2),
        ({"value": [1, 2, 1], "name": "x", "where": equal("[current('X')]", 1)}, {}, 2),
        ({"value": "[field('T/list[*]')]"}, {"list": [1, 2]}, 2),
        ({"value": "[split(resourceGroup().name, '-')]"}, {}, 3),
        ({"value": "[null()]"}, {}, 0),
    ],
)
def test_members_that_meet_the_condition_are_counted(count: Any, properties: Any, wanted: int) -> None:
    group = Context(resource_group={"name": "a-b-c"})
    at = frame(group, **properties)
    for right, holds in (({"equals": wanted}, True), ({"greater": wanted}, False), ({"less": wanted + 1}, True)):
        found = clause(count, **right)
        assert number(found, at) == wanted
        assert answer(found, at) is holds


def inside(inner: Any, of: str = "T/a[*]", **right: Any) -> Any:
    return {"field": of, "where": {"count": inner, **(right or {"equals": 1})}}


@pytest.mark.parametrize(
    ("count", "properties", "wanted"),
    [
        (inside({"field": "T/a[*].b[*]"}, equals=2), {"a": [{"b": [1, 2]}, {"b": [1]}, {"b": [3, 4]}]}, 2),
        (inside({"field": "T/a[*]", "where": equal("[current('T/a[*]').x]", 1)}), {"a": [{"x": 1}, {"x": 2}]}, 1),
        (inside({"field": "T/a[*]", "where": equal("[current().x]", 1)}), {"a": [{"x": 1}, {"x": 2}, {"x": 1}]}, 2),
        (inside({"field": "T/a[*]"}), {"a": [{}, {}]}, 2),
        (inside({"field": "T/a[*].b[*].d[*]"}, equals=2), {"a": [{"b": [{"d": [1]}, {"d": [2]}]}, {"b": []}]}, 1),
        (inside({"field": "T/list[*]"}, equals=3), {"a": [{}, {}], "list": [1, 2, 3]}, 2),
        (inside({"field": "T/a[*].b[*]", "where": equal("[current('T/a[*]').x]", 1)}), {"a": [{"x": 1, "b": [0]}]}, 1),
    ],
)
def test_a_count_inside_another_counts_below_its_member(count: Any, properties: Any, wanted: int) -> None:
    assert number(clause(count), frame(**properties)) == wanted


FAILS_AT_ZERO = {"value": "[div(1, current())]", "equals": 1}
NESTED_FAILS_AT_ZERO = {"value": "[div(1, current('T/a[*].b[*]'))]", "equals": 1}


@pytest.mark.parametrize(
    ("right", "members", "holds"),
    [
        ({"greaterOrEquals": 1}, [1, 1, 0], True),
        ({"greater": 1}, [1, 1, 0], True),
        ({"equals": 1}, [1, 1, 0], False),
        ({"notEquals": 1}, [1, 1, 0], True),
        ({"lessOrEquals": 0}, [1, 0], False),
    ],
)
def test_counting_stops_where_more_members_change_nothing(right: Any, members: list[int], holds: bool) -> None:  # noqa: FBT001 - a table
    one = clause({"field": "T/list[*]", "where": FAILS_AT_ZERO}, **right)
    assert answer(one, frame(list=members)) is holds
    two = clause({"field": "T/a[*].b[*]", "where": NESTED_FAILS_AT_ZERO}, **right)
    assert answer(two, frame(a=[{"b": [each]} for each in members])) is holds


@pytest.mark.parametrize("right", [{"greaterOrEquals": 2}, {"equals": 2}, {"in": ["3", 1]}])
def test_counting_goes_on_while_more_members_can_change_the_answer(right: Any) -> None:
    found = clause({"field": "T/list[*]", "where": FAILS_AT_ZERO}, **right)
    with pytest.raises(EvaluationError, match="division by zero"):
        answer(found, frame(list=[1, 1, 0] if "in" in right else [1, 0, 1]))


@pytest.mark.parametrize(("operator", "expected"), [("contains", 1), ("like", "1*"), ("match", "1.")])
def test_operators_on_text_look_at_the_digits_of_the_whole_count(operator: str, expected: Any) -> None:
    found = clause({"field": "T/list[*]"}, **{operator: expected})
    assert answer(found, frame(list=[0] * 12)) is True
    assert answer(found, frame(list=[0] * 2)) is False


def test_numbers_written_as_text_are_counted_to() -> None:
    found = clause({"field": "T/list[*]"}, **{"in": ["3", 1]})
    assert [answer(found, frame(list=[0] * size)) for size in range(5)] == [False, True, False, True, False]


@pytest.mark.parametrize(
    ("properties", "low", "high"),
    [
        ({"list": [1, GAP]}, 1, "2"),
        ({"list": [2, GAP, GAP]}, 0, "2"),
        ({"list": GAP}, 0, "any number"),
        ({"list": Partial({}, GAP)}, 0, "any number"),
    ],
)
def test_what_was_not_read_leaves_a_range(properties: Any, low: int, high: str) -> None:
    found = clause({"field": "T/list[*]", "where": equal("[current()]", 1)})
    assert number(found, frame(**properties)) == Unknown(f"count between {low} and {high}", "notCollected")


@pytest.mark.parametrize("gap", [GAP, Partial({}, GAP)])
def test_levels_that_were_not_read_leave_a_range(gap: Any) -> None:
    found = clause({"field": "T/a[*].b[*]"})
    assert number(found, frame(a=gap)) == Unknown("count between 0 and any number", "notCollected")
    assert number(found, frame(a=[{"b": [1]}, {"b": gap}])) == Unknown("count between 1 and any number", "notCollected")
    assert answer(found, frame(a=[{"b": [1]}, {"b": gap}])) is True


RANGE = [1, GAP, GAP]


@pytest.mark.parametrize(
    ("right", "holds"),
    [
        ({"equals": 0}, False),
        ({"equals": 1}, None),
        ({"equals": 2}, None),
        ({"equals": 3}, None),
        ({"equals": 4}, False),
        ({"notEquals": 2}, None),
        ({"notEquals": 4}, True),
        ({"greaterOrEquals": 1}, True),
        ({"greater": 1}, None),
        ({"greater": 3}, False),
        ({"less": 4}, True),
        ({"less": 3}, None),
        ({"less": 1}, False),
        ({"in": [0, 4]}, False),
        ({"in": [0, 2]}, None),
        ({"in": [1, 2, 3]}, True),
        ({"equals": "2"}, None),
        ({"notEquals": "2"}, None),
        ({"equals": "4"}, False),
        ({"in": ["2", 7]}, None),
        ({"contains": 2}, None),
        ({"notLike": "2"}, None),
        ({"exists": True}, True),
    ],
)
def test_a_range_answers_where_all_of_it_does(right: Any, holds: bool | None) -> None:  # noqa: FBT001 - a table
    where = equal("[current()]", 1)
    assert answer(clause({"field": "T/list[*]", "where": where}, **right), frame(list=RANGE)) is holds
    operator, expected = next(iter(right.items()))
    late = {operator: "[field('T/num')]"}
    found = clause({"field": "T/list[*]", "where": where}, **late)
    assert answer(found, frame(list=RANGE, num=expected)) is holds


def test_a_right_side_that_was_not_read_leaves_the_answer_open() -> None:
    found = clause({"field": "T/list[*]"}, equals="[field('T/num')]")
    assert answer(found, frame(unread={"properties.num": Unread("forbidden")}, list=[1])) is None


def test_a_walk_stands_at_every_member_in_turn() -> None:
    at = frame(a=[{"b": [1, 2]}, {}, {"b": [3]}])
    found = clause({"field": "T/a[*].b[*]"})
    seen: list[Any] = []
    assert found.each is not None
    found.each(at.body, at, lambda indexes: seen.append((indexes, at.slots[1])))
    assert seen == [((0, 0), 1), ((0, 1), 2), ((2, 0), 3)]


def test_a_value_count_needs_a_list() -> None:
    with pytest.raises(EvaluationError) as failed:
        answer(clause({"value": "[concat('a', 'b')]"}), frame())
    assert str(failed.value) == "a count needs a list, found string"


@pytest.mark.parametrize(
    ("expected", "numbers"),
    [
        (3, [2, 3, 4]),
        (1.5, [0, 1, 2]),
        ([1, 5], [0, 1, 2, 4, 5, 6]),
        ("3", [2, 3, 4]),
        ("x", []),
        (True, []),
        (1 << 50, []),
        (None, []),
    ],
)
def test_answers_change_around_numbers(expected: Any, numbers: list[int]) -> None:
    assert turning_points(expected) == numbers

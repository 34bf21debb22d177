"""Operators value by value: what was not read, single characters of patterns, and what a right side may not be."""

from typing import Any

import pytest

from shared.engine import EvaluationError
from shared.engine.language.comparison import OPERATORS, matches_pattern, matches_wildcard, operator_check
from shared.engine.unknown import Partial, Unknown

GAP = Unknown("p", "forbidden")
UNREAD: list[Any] = [GAP, Partial({}, GAP), {"a": GAP}]
ANSWERS = {
    "equals": "x",
    "like": "x*",
    "match": "x",
    "matchInsensitively": "x",
    "contains": "x",
    "in": ["x"],
    "containsKey": "x",
    "less": 1,
    "lessOrEquals": 1,
    "greater": 1,
    "greaterOrEquals": 1,
}
NEGATED = [name for name in OPERATORS if name.startswith("not")]


@pytest.mark.parametrize("value", UNREAD, ids=["all", "some", "inside"])
@pytest.mark.parametrize("operator", ANSWERS)
def test_what_was_not_read_answers_neither_yes_nor_no(operator: str, value: Any) -> None:
    known = operator == "containsKey" and type(value) is dict  # all keys of this object are known
    assert operator_check(operator, ANSWERS[operator])(value) is (False if known else None)


@pytest.mark.parametrize("operator", NEGATED)
def test_a_negation_of_what_was_not_read_is_not_known_either(operator: str) -> None:
    positive = operator[3].lower() + operator[4:]
    assert operator_check(operator, ANSWERS[positive])(GAP) is None


@pytest.mark.parametrize("operator", [name for name in OPERATORS if name != "exists"])
def test_a_right_side_that_was_not_read_makes_the_answer_unknown(operator: str) -> None:
    assert operator_check(operator, GAP)("x") is None
    assert operator_check(operator, Partial({}, GAP) if operator not in {"in", "notIn"} else [GAP])("x") is None


@pytest.mark.parametrize(
    ("operator", "right", "left", "answer"),
    [
        ("contains", "x", ["x", GAP], True),
        ("contains", "x", ["y", GAP], None),
        ("notContains", "x", ["y", GAP], None),
        ("notContains", "x", ["x", GAP], False),
        ("in", ["x", GAP], "x", True),
        ("in", ["x", GAP], "y", None),
        ("notIn", ["x", GAP], "x", False),
        ("notIn", ["x", GAP], "y", None),
        ("in", [1, GAP], 1, True),
        ("in", [1, GAP], 2, None),
        ("containsKey", "a", Partial({"A": 1}, GAP), True),
        ("containsKey", "b", Partial({"A": 1}, GAP), None),
        ("exists", True, GAP, None),
        ("exists", True, Partial({}, GAP), True),
        ("exists", False, Partial({}, GAP), False),
        ("equals", "x", [GAP], None),
        ("equals", 1, [GAP], None),
        ("equals", [1], [GAP], None),
    ],
)
def test_members_that_were_read_can_decide(operator: str, right: Any, left: Any, *, answer: bool | None) -> None:
    assert operator_check(operator, right)(left) is answer


@pytest.mark.parametrize(
    ("operator", "right", "left", "answer"),
    [
        ("like", 1, 1, True),
        ("like", 1, "1", True),
        ("like", "tru*", True, True),
        ("like", None, "null", False),
        ("like", None, "", True),
        ("match", 12, "12", True),
        ("match", "##", 12, True),
        ("match", "?", True, False),
        ("match", "####", True, False),
        ("contains", 2, "123", True),
        ("contains", "2", 123, True),
        ("contains", True, "untrue", True),
        ("contains", "a", {"a": 1}, False),
        ("contains", "null", None, False),
        ("like", "null", None, False),
        ("like", "*", ["a"], False),
        ("containsKey", 1, {"1": 0}, True),
        ("less", 1, None, False),
        ("greater", 1, None, False),
        ("in", ["A", 1, None], "a", True),
        ("in", ["A", 1, None], "1", True),
        ("in", ["A", 1, None], "", True),
        ("in", ["A", 1, None], None, True),
        ("in", ["A", 1, None], True, False),
        ("notIn", ["A"], None, True),
        ("equals", "", None, True),
        ("notEquals", "", None, False),
        ("equals", "A", "a", True),
        ("notEquals", "A", "a", False),
        ("notEquals", "A", 1, True),
        ("notEquals", 1, "1", False),
        ("exists", "TRUE", 0, True),
        ("exists", "False", None, True),
    ],
)
def test_values_of_several_kinds(operator: str, right: Any, left: Any, *, answer: bool) -> None:
    assert operator_check(operator, right)(left) is answer


@pytest.mark.parametrize("length", [255, 256, 257, 1000])
def test_long_texts_compare_like_short_ones(length: int) -> None:
    check = operator_check("equals", "x" * length)
    assert (check("X" * length), check("x" * (length - 1))) == (True, False)


@pytest.mark.parametrize(
    ("value", "pieces", "answer"),
    [
        ("ab", ["a", "", "b"], True),
        ("ab", ["ab", "b"], False),
        ("aXbXc", ["a", "b", "c"], True),
        ("abb", ["a", "b", "b"], True),
        ("ab", ["a", "b", "b"], False),
        ("acbc", ["a", "b", "c", "c"], False),
        ("axxb", ["a", "x", "x", "b"], True),
        ("axb", ["a", "x", "x", "b"], False),
        ("a", ["a"], True),
        ("aa", ["a"], False),
    ],
)
def test_pieces_come_in_order_without_sharing_characters(value: str, pieces: list[str], *, answer: bool) -> None:
    assert matches_wildcard(value, pieces) is answer


def test_marks_of_a_pattern_stand_for_one_character_each() -> None:
    assert [each for each in "/0123456789:aZä" if matches_pattern(each, "#")] == list("0123456789")
    assert [each for each in "@AZ[`az{0ä" if matches_pattern(each, "?")] == list("AZazä")
    assert [each for each in "#?.a " if matches_pattern(each, ".")] == list("#?.a ")
    assert [each for each in "abA" if matches_pattern(each, "a")] == ["a"]
    assert not matches_pattern("ab", "a")


LISTS, FLAGS = "expected a list", "expected true or false"
SCALARS, TEXTS = "expected a string, number or boolean", "expected a string"
REFUSED = {
    LISTS: ("in notIn", [None, "a", 1, True, {}]),
    FLAGS: ("exists", [None, "a", 1, [], {}]),
    SCALARS: ("less lessOrEquals greater greaterOrEquals", [[], {}]),
    TEXTS: (
        "like notLike match notMatch matchInsensitively notMatchInsensitively containsKey notContainsKey",
        [True, [], {}],
    ),
}
RIGHT_SIDES: list[Any] = [None, "a", "true", 1, 1.5, True, False, [], ["a"], {}]


@pytest.mark.parametrize("message", REFUSED)
def test_a_right_side_of_a_wrong_kind_is_refused_with_what_is_expected(message: str) -> None:
    operators, wrong = REFUSED[message]
    for operator in operators.split():
        refuses = OPERATORS[operator].refuses
        assert [refuses(each) for each in wrong] == [message] * len(wrong)
        assert {refuses(each) for each in RIGHT_SIDES} == {None, message}


@pytest.mark.parametrize("operator", ["equals", "notEquals", "contains", "notContains"])
def test_equality_and_containment_take_any_right_side(operator: str) -> None:
    assert {OPERATORS[operator].refuses(each) for each in RIGHT_SIDES} == {None}


@pytest.mark.parametrize(
    ("operator", "right", "message"),
    [
        ("in", "a", "the right side of in must be a list, found string"),
        ("like", ["a"], "the right side must be a string, found array"),
        ("notIn", None, "the right side of in must be a list, found null"),
        ("exists", 1, "the right side of exists must be true or false, found 1"),
        ("exists", "x" * 50, f"the right side of exists must be true or false, found {'x' * 40}"),
    ],
)
def test_a_computed_right_side_of_a_wrong_kind_fails(operator: str, right: Any, message: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        operator_check(operator, right)
    assert str(failed.value) == message


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ("a", 1, "cannot order string a and number 1: the types differ"),
        (True, "x" * 70, f"cannot order boolean true and string {'x' * 60}: the types differ"),
        ([1], 1, "cannot order array [1] and number 1: the types differ"),
    ],
)
def test_values_of_different_types_have_no_order(left: Any, right: Any, message: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        operator_check("less", right)(left)
    assert str(failed.value) == message

"""How many arguments each function takes, and what kinds of values are to the language."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.engine import EvaluationError, InvalidDefinition, evaluate_expression
from shared.engine.functions import FUNCTIONS, call_function
from shared.engine.language.operand import POLICY_FUNCTIONS, parse_operand
from shared.engine.unknown import Partial, Unknown
from shared.engine.value import (
    RESULT_CHARACTERS,
    check_text_length,
    compare,
    expect_text,
    flag_of,
    hashable,
    kind,
    loosely_equal,
    number_of,
    strictly_equal,
    text,
)

ANY = None
ONE = (
    "toLower toUpper trim base64 base64ToString base64ToJson json string uriComponent uriComponentToString dataUri "
    "dataUriToString int float length empty first last array items objectKeys bool not dateTimeFromEpoch "
    "dateTimeToEpoch parseCidr shallowMerge flatten"
)
TWO = (
    "split join indexOf lastIndexOf startsWith endsWith uri add sub mul div mod range contains take skip indexFromEnd "
    "tryIndexFromEnd equals less lessOrEquals greater greaterOrEquals addDays ipRangeContains cidrHost"
)
CONTEXT = "parameters field current resourceGroup subscription requestContext policy utcNow"
ARITY = {
    (0, 0): "true false null",
    (1, 1): ONE,
    (2, 2): TWO,
    (3, 3): "replace if cidrSubnet",
    (2, 3): "padLeft substring dateTimeAdd",
    (1, ANY): "concat uniqueString guid format min max coalesce",
    (2, ANY): "intersection union tryGet and or",
    (0, ANY): "createArray createObject",
}
ROWS = [(*arity, name) for arity, names in ARITY.items() for name in names.split()]


@pytest.mark.parametrize(("least", "most", "name"), ROWS)
def test_functions_take_the_documented_number_of_arguments(least: int, most: int | None, name: str) -> None:
    for number in range(least, (most if most is not None else least + 3) + 1):
        parse_operand(f"[{name}({', '.join(['1'] * number)})]", "$")
    wrong = [number for number in (least - 1, *([most + 1] if most is not None else [])) if number >= 0]
    for number in wrong:
        with pytest.raises(InvalidDefinition, match=f"{name}\\(\\) takes"):
            parse_operand(f"[{name}({', '.join(['1'] * number)})]", "$")


def test_the_table_of_functions_is_complete() -> None:
    assert {each.name for each in FUNCTIONS.values()} == {name for names in ARITY.values() for name in names.split()}
    assert {name for name, _, _ in POLICY_FUNCTIONS.values()} == set(CONTEXT.split())


@pytest.mark.parametrize(
    ("value", "name", "shown"),
    [
        (None, "null", "null"),
        (True, "boolean", "true"),
        ("a", "string", "a"),
        (1, "number", "1"),
        (1.5, "number", "1.5"),
        (2.0, "number", "2"),
        (1e15, "number", "1000000000000000.0"),
        ([1, "ü"], "array", '[1,"ü"]'),
        ({"a": None}, "object", '{"a":null}'),
    ],
)
def test_kinds_and_texts(value: Any, name: str, shown: str) -> None:
    assert (kind(value), text(value)) == (name, shown)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1", 1),
        ("-1", -1),
        ("+1", 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("0x1", None),
        ("", None),
        ("a", None),
        ("1a", None),
        ("nan", None),
        ("inf", None),
        ("-nan", None),
        ("-inf", None),
        ("1e999", None),
        ("9" * 40, int("9" * 40)),
        ("9" * 41, None),
    ],
)
def test_numbers_written_as_text(written: str, number: Any) -> None:
    assert number_of(written) == number


PAIRS = [
    (1, 1.0, True),
    (1, True, False),
    ("a", "A", False),
    ([1, 2], [1], False),
    ([1], [1.0], True),
    ({"a": 1}, {"a": 1.0}, True),
    ({"a": 1}, {"A": 1}, False),
    ({"a": 1}, {"a": 1, "b": 1}, False),
    ({"a": 1}, {"a": 2}, False),
    (None, "", False),
    ([], {}, False),
    ([1, 2], [1, 3], False),
    ("1", 1, False),
]


@pytest.mark.parametrize(("left", "right", "equal"), PAIRS)
def test_exact_equality_and_its_hash_agree(left: Any, right: Any, *, equal: bool) -> None:
    assert strictly_equal(left, right) is equal
    assert (hashable(left) == hashable(right)) is equal


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [(None, "", True), ("", None, True), (None, None, True), (None, 0, False), (0, None, False), ([1], [1, 2], False)],
)
def test_operators_hold_null_and_empty_text_equal(left: Any, right: Any, *, equal: bool) -> None:
    assert loosely_equal(left, right) is equal


@pytest.mark.parametrize(
    ("left", "right", "sign"),
    [
        ("2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01:00", 0),
        ("2024-01-01T00:00:00Z", "2024-01-01", 1),
        ("2024-01-01", "2024-01-01T00:00:00Z", -1),
        ("2024-01-01T00:00:00", "2024-01-01T00:00:00Z", -1),
        ("2024-01-01T00:00:00", "2024-01-01", 1),
        ("éa", "ea", 1),
        ("éa", "eb", -1),
        ("É", "é", 0),
        ("2024-01-01", "2024-01-01T00:00:00", -1),
        ("2024-13-01T00:00:00Z", "2024-01-01T00:00:00Z", 1),
        (1, 1.5, -1),
    ],
)
def test_order_of_times_and_numbers(left: Any, right: Any, sign: int) -> None:
    assert compare(left, right) == sign


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), (False, False), ("TRUE", True), ("False", False), ("", None), ("1", None), (1, None), (None, None)],
)
def test_flags_may_be_written_as_text(value: Any, flag: Any) -> None:
    assert flag_of(value) is flag


def test_text_has_a_largest_size() -> None:
    assert len(check_text_length("x" * RESULT_CHARACTERS)) == RESULT_CHARACTERS
    with pytest.raises(EvaluationError, match=f"^the result has more than {RESULT_CHARACTERS} characters$"):
        check_text_length("x" * (RESULT_CHARACTERS + 1))


def test_a_value_that_was_not_read_in_full_is_not_shown() -> None:
    gap = Unknown("p", "forbidden")
    for value, named in ((Partial({}, gap), "object"), ([gap], "array")):
        with pytest.raises(EvaluationError, match=f"^expected a string, found {named} that was not read in full$"):
            expect_text(value)


def test_a_literal_expression_is_computed() -> None:
    assert evaluate_expression("[concat('a', string(add(1, 2)))]") == "a3"
    assert evaluate_expression("plain") == "plain"


MESSAGES = [
    ("length(1)", "length(): expected a string, an array or an object, found number"),
    ("union(createArray(), createObject())", "union(): expected arrays only or objects only"),
    ("intersection(createArray(), createObject())", "intersection(): expected arrays only or objects only"),
    ("createObject('a')", "createObject(): expected an even number of arguments, found 1"),
    ("items('x')", "items(): expected an object, found string"),
    ("first(1)", "first(): expected an array, found number 1"),
    ("skip('x', 'y')", "skip(): expected an integer, found string y"),
    ("createArray(1)[3]", "index 3 is outside an array of 1"),
    ("addDays('x', 1)", "addDays(): 'x' is not an ISO 8601 time"),
    ("dateTimeAdd('2024-01-01T00:00:00Z', 'x')", "dateTimeAdd(): 'x' is not an ISO 8601 duration"),
    ("less('a', 1)", "less(): cannot order string and number"),
    ("bool(createArray())", "bool(): cannot make a boolean from a value of type array"),
    ("ipRangeContains('x', '10.0.0.1')", "ipRangeContains(): 'x' is no address or range"),
    ("ipRangeContains('10.0.0.0/8', '::1')", "ipRangeContains(): cannot compare IPv4 and IPv6"),
    ("add(9223372036854775807, 1)", "add(): the result does not fit in 64 bits"),
    ("div(1, 0)", "div(): division by zero"),
    ("int(createArray())", "int(): cannot make a number from a value of type array"),
    ("int('x')", "int(): invalid literal for int() with base 10"),
    ("min('a', 'b')", "min(): expected numbers"),
    ("range(1, 10001)", "range(): the count must be between 0 and 10000"),
    ("range(9223372036854775807, 5)", "range(): the last number exceeds maximum of 2147483647"),
    ("concat('a', createArray())", "concat(): expected strings, or arrays only"),
    ("replace('a', '', 'b')", "replace(): the text to replace is empty"),
    ("padLeft('a', 3, 'xx')", "padLeft(): the padding must be one character"),
    ("padLeft('a', 10001)", "padLeft(): the width must be between 0 and 10000"),
    ("padLeft(true(), 3)", "padLeft(): expected a string or an integer"),
    ("join(createArray(createArray()), ',')", "join(): expected an array of strings"),
    ("substring('abc', 2, 5)", "substring(): 2..7 is outside a string of 3 characters"),
    ("base64ToString('!')", "base64ToString(): not base64 of UTF-8 text: "),
    ("json('{')", "json(): not JSON: "),
    ("uri('x', 'y')", "uri(): 'x' is not an absolute address"),
    ("dataUriToString('x')", "dataUriToString(): not a data address"),
    ("format('{1}', 1)", "format(): cannot fill '{1}' with 1 arguments"),
    ("format('{0:D2x}', 1)", "format(): unknown number format 'D2x'"),
    ("format('{0:Q2}', 1)", "format(): unknown number format 'Q2'"),
    ("format('{0:D}', 1.5)", "format(): 'D' formats integers, found 1.5"),
    ("toLower(1)", "toLower(): expected a string, found number 1"),
    ("not(1)", "not(): expected a boolean, found number 1"),
    ("join('x', ',')", "join(): expected an array, found string x"),
    ("take('x', 'y')", "take(): expected an integer, found string y"),
    ("substring('abc', true())", "substring(): expected an integer, found boolean true"),
    ("toLower(createArray(1, 'a'))", 'toLower(): expected a string, found array [1,"a"]'),
    ("json('NaN')", "json(): not JSON: NaN"),
    (f"json('{'1' * 5000}')", "json(): 1111111111111111111111111111111111111111 is beyond what a double holds"),
    ("json('1e999')", "json(): 1e999 is beyond what a double holds"),
    ("json('[\"\\ud800\"]')", "json(): half a surrogate pair"),
    (f"int('{'1' * 5000}')", "int(): the number has more than 400 characters"),
    (f"int('{'1' * 41}')", "int(): the result does not fit in 64 bits"),
    ("int('1e300')", "int(): "),
    (f"float('{'1' * 401}')", "float(): the number has more than 400 characters"),
    ("float('1e999')", "float(): '1e999' is no finite number"),
    ("float('NaN')", "float(): 'NaN' is no finite number"),
]


@pytest.mark.parametrize(("expression", "message"), MESSAGES)
def test_failures_say_what_was_wrong(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        evaluate_expression(f"[{expression}]")
    assert str(failed.value).startswith(message)


LONG = "x" * 100
EXACT = [
    ("shallowMerge(createArray(1))", "shallowMerge(): expected an array of objects, found number"),
    (f"parseCidr('{LONG}')", f"parseCidr(): '{LONG[:50]}' is not in CIDR notation"),
    ("cidrSubnet('10.0.0.0/24', 23, 0)", "cidrSubnet(): a block of /24 has none of /23"),
    ("cidrSubnet('10.0.0.0/24', 25, 2)", "cidrSubnet(): there is no block 2 of /25 in 10.0.0.0/24"),
    ("cidrHost('10.0.0.0/30', 2)", "cidrHost(): there is no host 2 in 10.0.0.0/30"),
    ("json(null())", "json(): expected a string, found null null"),
    ("dateTimeAdd('2024-01-01T00:00:00Z', 'P1D', 'x')", "dateTimeAdd(): unknown date format 'x'"),
    ("indexFromEnd(createArray(1), 2)", "indexFromEnd(): position 2 is out of bounds of an array of 1"),
    (f"uri('{LONG}', 'y')", f"uri(): '{LONG[:80]}' is not an absolute address"),
    (f"addDays('{LONG}', 1)", f"addDays(): '{LONG[:40]}' is not an ISO 8601 time"),
    (
        f"dateTimeAdd('2024-01-01T00:00:00Z', '{LONG}')",
        f"dateTimeAdd(): '{LONG[:40]}' is not an ISO 8601 duration",
    ),
    (f"ipRangeContains('{LONG}', '::1')", f"ipRangeContains(): '{LONG[:50]}' is no address or range"),
    (
        "ipRangeContains('10.0.0.9-10.0.0.1', '10.0.0.2')",
        "ipRangeContains(): the range '10.0.0.9-10.0.0.1' is empty",
    ),
    (f"format('{{0:{LONG}}}', 1)", f"format(): unknown number format '{LONG[:20]}'"),
    (f"toLower(createArray('{LONG}'))", f'toLower(): expected a string, found array ["{LONG[:58]}'),
]


@pytest.mark.parametrize(("expression", "message"), EXACT)
def test_failures_show_a_part_of_what_was_wrong(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        evaluate_expression(f"[{expression}]")
    assert str(failed.value) == message


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
def test_times_do_not_depend_on_where_the_machine_stands() -> None:
    assert evaluate_expression("[dateTimeFromEpoch(0)]") == "1970-01-01T00:00:00Z"
    assert evaluate_expression("[dateTimeToEpoch('1970-01-01T00:00:00')]") == 0
    noon = "[dateTimeAdd('2024-01-01T12:00:00+02:00', 'PT0S', 'R')]"
    assert evaluate_expression(noon) == "Mon, 01 Jan 2024 10:00:00 GMT"


VALUES = [
    ("coalesce(null(), 'a', 'b')", "a"),
    ("coalesce(null(), null())", None),
    ("and(true(), true(), false())", False),
    ("and(true(), true())", True),
    ("or(false(), false())", False),
    ("or(false(), true())", True),
    ("if(false(), 1, 2)", 2),
    ("less(null(), 'a')", True),
    ("div(0, -5)", 0),
    ("int(' -9223372036854775808 ')", -(2**63)),
    ('json(\'{"a": 1, "a": 2}\')', {"a": 2}),
    ("-9223372036854775808", -(2**63)),
    ("div(-7, 2)", -3),
    ("div(7, -2)", -3),
    ("intersection(createArray(3, 1, 2), createArray(2, 3))", [3, 2]),
    ("dateTimeFromEpoch(0)", "1970-01-01T00:00:00Z"),
    ("dateTimeAdd('2024-02-29T13:05:06Z', 'P1Y', 'r')", "Fri, 28 Feb 2025 13:05:06 GMT"),
    ("dateTimeAdd('2020-01-01T00:00:00.0000001Z', 'P1D', 'o')", "2020-01-02T00:00:00.0000001Z"),
    ("dateTimeAdd('2020-01-01T00:00:00.0000000Z', 'PT0.0000009S')", "2020-01-01T00:00:00.0000009Z"),
    ("dateTimeAdd('2020-01-01T00:00:00.0000000Z', '-PT0.0000001S')", "2019-12-31T23:59:59.9999999Z"),
    ("dateTimeAdd('1900-01-01T00:00:00.0000000Z', 'P100YT0.0000001S')", "1999-12-08T00:00:00.0000001Z"),
    ("dateTimeAdd('2020-01-01T00:00:00.0000001Z', 'PT0S', 'HH:mm:ss.FFFFFFF')", "00:00:00.0000001"),
    ("addDays('2020-01-01T00:00:00.0000001Z', 1)", "2020-01-02T00:00:00.0000001Z"),
    ("less('2020-01-01T00:00:00.0000001Z', '2020-01-01T00:00:00.0000002Z')", True),
    ("less('2020-01-01T00:00:00.0000001Z', '2020-01-01T00:00:00.0000001+00:00')", False),
]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_functions_give_the_same_in_a_template(expression: str, value: Any) -> None:
    found = evaluate_expression(f"[{expression}]")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("call", ["and(true(), 'x')", "or(false(), 'x')"])
def test_logic_takes_booleans_only(call: str) -> None:
    with pytest.raises(EvaluationError, match="expected a boolean"):
        evaluate_expression(f"[{call}]")


@pytest.mark.parametrize("name", ["take", "skip"])
def test_parts_are_of_strings_and_arrays(name: str) -> None:
    with pytest.raises(EvaluationError, match="expected an array"):
        evaluate_expression(f"[{name}(createObject('a', 1), 1)]")


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("if", [True, 1, 2], 1),
        ("if", [False, 1, 2], 2),
        ("coalesce", [None, 1, 2], 1),
        ("coalesce", [None], None),
        ("and", [True, False], False),
        ("and", [True, True], True),
        ("or", [False, True], True),
        ("or", [False, False], False),
    ],
)
def test_logic_on_values_that_are_known(name: str, arguments: list[Any], value: Any) -> None:
    assert call_function(FUNCTIONS[name], arguments) is value

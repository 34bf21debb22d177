"""A reference interpreter: the language walked naively over its JSON, in code of its own, to compare the engine with.

It knows the aliases of tables/aliases.yaml, three values, and the few functions that the generator uses.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from shared.engine.language.expression import FunctionCall, Literal, MemberAccess, parse_expression

TABLE = yaml.safe_load((Path(__file__).parent / "tables" / "aliases.yaml").read_text("utf-8"))
PATHS = {name.lower(): path for name, path in TABLE["paths"].items()}
ABSENT = None


class Failure(Exception):
    """The evaluation fails."""


class Hidden:
    """What was not read."""


HIDDEN = Hidden()


def child(node: Any, key: str) -> Any:
    if isinstance(node, Hidden):
        return node
    if not isinstance(node, dict):
        return ABSENT
    for exact in (True, False):
        for name, value in node.items():
            if (name == key if exact else name.lower() == key.lower()) and value is not None and name != "$rest":
                return value
    return HIDDEN if "$rest" in node else ABSENT


def hide(body: Any, path: str) -> Any:
    """The body with a path not read: its known members stay, the rest is hidden."""
    keys = path.split(".") if path else []
    if not keys:
        return {**body, "$rest": HIDDEN} if isinstance(body, dict) else HIDDEN
    known = dict(body) if isinstance(body, dict) else {}
    name = next((each for each in known if each.lower() == keys[0].lower()), keys[0])
    known[name] = hide(known.get(name), ".".join(keys[1:]))
    return known


def has_hidden(value: Any) -> bool:
    if isinstance(value, Hidden):
        return True
    if isinstance(value, dict):
        return "$rest" in value or any(map(has_hidden, value.values()))
    return isinstance(value, list) and any(map(has_hidden, value))


def walk(nodes: list[Any], steps: list[str]) -> list[Any]:
    for step in steps:
        if step.endswith("[*]"):
            arrays = [child(node, step[:-3]) for node in nodes]
            nodes = [each for array in arrays for each in spread(array)]
        else:
            nodes = [child(node, step) for node in nodes]
    return nodes


def spread(array: Any) -> list[Any]:
    if isinstance(array, Hidden) or (isinstance(array, dict) and "$rest" in array):
        return [HIDDEN]
    return array if isinstance(array, list) else []


Bound = dict[str, Any]


def select(name: str, body: Any, bound: Bound) -> tuple[list[Any], bool]:
    """The selected values, and whether they are a collection."""
    low = name.lower()
    if low.startswith("tags."):
        return [child(child(body, "tags"), name[5:])], False
    if low not in PATHS:
        return [child(body, name)], False
    path = PATHS[low]
    for prefix in sorted(bound, key=len, reverse=True):
        if path == prefix:
            return [bound[prefix]], False
        if path.startswith(prefix + "."):
            rest = path[len(prefix) + 1 :]
            return walk([bound[prefix]], rest.split(".")), "[*]" in rest
    return walk([body], path.split(".")), "[*]" in path


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:  # noqa: C901 - naive on purpose
    if left is None:
        left = ""
    if right is None:
        right = ""
    if isinstance(left, bool) and isinstance(right, str):
        left = str(left)
    if isinstance(right, bool) and isinstance(left, str):
        right = str(right)
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if (is_number(left) and isinstance(right, str)) or (is_number(right) and isinstance(left, str)):
        try:
            return float(left) == float(right)
        except ValueError:
            return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        one, two = ({key.lower(): value for key, value in each.items()} for each in (left, right))
        return set(one) == set(two) and all(equal(one[key], two[key]) for key in one)
    return (type(left) is type(right) and left == right) or (is_number(left) and is_number(right) and left == right)


def text(value: Any) -> str:
    return str(value).lower() if not isinstance(value, str) else value.lower()


def glob(value: str, pattern: str) -> bool:
    """By dynamic programming over both texts."""
    reach = {0}
    for mark in pattern:
        reach = (
            set(range(min(reach, default=len(value) + 1), len(value) + 1))
            if mark == "*"
            else {at + 1 for at in reach if at < len(value) and value[at] == mark}
        )
    return len(value) in reach


def positive(operator: str, value: Any, expected: Any) -> bool | None:
    if operator == "exists":
        return None if isinstance(value, Hidden) else (value is not None) == (str(expected).lower() == "true")
    if operator == "containsKey":
        if isinstance(value, dict) and any(key.lower() == expected.lower() for key in value if key != "$rest"):
            return True
        return None if isinstance(value, Hidden) or (isinstance(value, dict) and "$rest" in value) else False
    if isinstance(value, list) and operator == "contains":
        found = [None if has_hidden(each) else equal(each, expected) for each in value]
        return True if True in found else None if None in found else False
    if has_hidden(value):
        return None
    return TESTS[operator](value, expected)


SIGNS = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"


def ordered(accept: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    def test(value: Any, expected: Any) -> bool:
        if value is None:
            return False
        if isinstance(value, str) and isinstance(expected, str):
            value, expected = ([SIGNS.find(each) for each in side.lower()] for side in (value, expected))
        elif not (is_number(value) and is_number(expected)):
            raise Failure
        return accept((value > expected) - (value < expected))

    return test


TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": equal,
    "in": lambda value, expected: any(equal(value, each) for each in expected),
    "like": lambda value, expected: (
        value is not None and not isinstance(value, list | dict) and glob(text(value), expected.lower())
    ),
    "contains": lambda value, expected: (
        value is not None and not isinstance(value, dict) and text(expected) in text(value)
    ),
    "less": ordered(lambda sign: sign < 0),
    "lessOrEquals": ordered(lambda sign: sign <= 0),
    "greater": ordered(lambda sign: sign > 0),
    "greaterOrEquals": ordered(lambda sign: sign >= 0),
}
NEGATIVE = {
    "notEquals": "equals",
    "notIn": "in",
    "notLike": "like",
    "notContains": "contains",
    "notContainsKey": "containsKey",
}


def compare(operator: str, value: Any, expected: Any) -> bool | None:
    if isinstance(expected, Hidden):
        return None
    if operator in NEGATIVE:
        found = positive(NEGATIVE[operator], value, expected)
        return None if found is None else not found
    return positive(operator, value, expected)


def conjunction(answers: Any) -> bool | None:
    result: bool | None = True
    for each in answers:
        if each is False:
            return False
        if each is None:
            result = None
    return result


def compute(value: Any, body: Any, bound: Bound) -> Any:
    if isinstance(value, str) and value.startswith("["):
        return run(parse_expression(value, "$"), body, bound)
    return value


def run(node: Any, body: Any, bound: Bound) -> Any:
    if isinstance(node, Literal):
        return node.value
    assert isinstance(node, FunctionCall), MemberAccess
    name = node.name.lower()
    if name == "if":
        test = run(node.arguments[0], body, bound)
        if isinstance(test, Hidden):
            return test
        return run(node.arguments[1 if test else 2], body, bound)
    arguments = [run(each, body, bound) for each in node.arguments]
    if name == "field":
        return function_field(arguments[0], body, bound)
    if name == "current":
        return bound[PATHS[arguments[0].lower()]] if arguments[0].lower() in PATHS else bound["=" + arguments[0]]
    if any(map(has_hidden, arguments)):
        return HIDDEN
    return FUNCTIONS[name](*arguments)


def function_field(name: str, body: Any, bound: Bound) -> Any:
    values, many = select(name, body, bound)
    if many or "[*]" in name:
        return values[0] if values and not many and isinstance(values[0], Hidden) else values
    return "" if values[0] is None else values[0]


def length(value: Any) -> int:
    if value is None or isinstance(value, str | list | dict):
        return len(value or "")
    raise Failure


def lower(value: Any) -> str:
    if not isinstance(value, str):
        raise Failure
    return value.lower()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "length": length,
    "tolower": lower,
    "empty": lambda value: value is None or (isinstance(value, str | list | dict) and not value),
    "equals": lambda left, right: type(left) is type(right) and left == right,
}


def evaluate(rule: Any, body: Any, bound: Bound | None = None) -> bool | None:
    """The answer of a rule: True, False, None for unknown; `Failure` when it fails."""
    bound = bound or {}
    if "allOf" in rule:
        return conjunction(evaluate(each, body, bound) for each in rule["allOf"])
    if "anyOf" in rule:
        return negate(conjunction(negate(evaluate(each, body, bound)) for each in rule["anyOf"]))
    if "not" in rule:
        return negate(evaluate(rule["not"], body, bound))
    operator, expected = next((key, value) for key, value in rule.items() if key not in {"field", "value", "count"})
    expected = compute(expected, body, bound)
    if "count" in rule:
        return counted(rule["count"], operator, expected, body, bound)
    if "value" in rule:
        return compare(operator, compute(rule["value"], body, bound), expected)
    values, many = select(rule["field"], body, bound)
    if many:
        return conjunction(compare(operator, each, expected) for each in values)
    return compare(operator, values[0], expected)


def negate(answer: bool | None) -> bool | None:  # noqa: FBT001 - the answer is the subject
    return None if answer is None else not answer


def counted(count: Any, operator: str, expected: Any, body: Any, bound: Bound) -> bool | None:
    if "value" in count:
        low, high = count_members(count, count["value"], "=" + count.get("name", ""), [], body, bound)
    else:
        path = PATHS[count["field"].lower()]
        around = max((prefix for prefix in bound if path.startswith(prefix + ".")), key=len, default="")
        first, *levels = (path[len(around) :].lstrip(".")).split("[*]")[:-1]
        node = bound[around] if around else body
        full = (around + "." if around else "") + first + "[*]"
        low, high = count_members(count, walk([node], first.split("."))[0], full, levels, body, bound)
    return settled(operator, expected, low, high)


def count_members(count: Any, array: Any, key: str, levels: list[str], body: Any, bound: Bound) -> tuple[int, int]:
    """The least and the greatest number of members; each level of a path with several stars binds its own member."""
    if isinstance(array, Hidden) or (isinstance(array, dict) and "$rest" in array):
        return 0, 10_000
    low = high = 0
    for each in array if isinstance(array, list) else []:
        inner = {**bound, key: each}
        if levels:
            below = walk([each], levels[0].strip(".").split("."))[0]
            least, most = count_members(count, below, key + levels[0] + "[*]", levels[1:], body, inner)
        else:
            answer = evaluate(count["where"], body, inner) if "where" in count else True
            least, most = int(answer is True), int(answer is not False)
        low, high = low + least, high + most
    return low, high


def settled(operator: str, expected: Any, low: int, high: int) -> bool | None:
    answers = {compare(operator, number, expected) for number in range(low, min(high, low + 60) + 1)}
    return answers.pop() if len(answers) == 1 else None

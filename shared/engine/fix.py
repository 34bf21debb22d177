"""What would make a resource compliant: the smallest set of property changes that turns a rule's answer around.

Only what a change of properties can do is offered: type, name, id, kind and location of a resource are not changed,
and conditions on computed values are left alone.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from shared.domain.resource import Json
from shared.engine.clause import Clause
from shared.engine.comparison import checker
from shared.engine.context import Frame
from shared.engine.count import MANY, points
from shared.engine.error import EvaluationError
from shared.engine.field import tag_name
from shared.engine.path import NOWHERE, Places, placed, standing
from shared.engine.unknown import Unknown
from shared.engine.value import flag_of, frozen, is_number

ANYTHING = "any value"
EXACT = frozenset({"set", "remove"})

UNCHANGEABLE = frozenset({"type", "name", "fullname", "id", "kind", "location", "apiversion"})
_NEGATION = {
    "equals": "notEquals",
    "in": "notIn",
    "like": "notLike",
    "match": "notMatch",
    "matchInsensitively": "notMatchInsensitively",
    "contains": "notContains",
    "containsKey": "notContainsKey",
    "less": "greaterOrEquals",
    "lessOrEquals": "greater",
}
OPPOSITE = {**_NEGATION, **{negative: positive for positive, negative in _NEGATION.items()}}
_WORDS = {
    "equals": "{}",
    "notEquals": "anything but {}",
    "notIn": "none of {}",
    "in": "one of {}",
    "like": "text like {}",
    "notLike": "text not like {}",
    "match": "text that matches {}",
    "notMatch": "text that does not match {}",
    "matchInsensitively": "text that matches {}",
    "notMatchInsensitively": "text that does not match {}",
    "contains": "something that contains {}",
    "notContains": "something without {}",
    "containsKey": "an object with the key {}",
    "notContainsKey": "an object without the key {}",
    "less": "less than {}",
    "lessOrEquals": "at most {}",
    "greater": "more than {}",
    "greaterOrEquals": "at least {}",
}


@dataclass(frozen=True, slots=True)
class Fix:
    """One change: `action` is set (`value`), change (to `text`), remove, or create (a related resource like `value`).

    `path` is the property path in the body, with the indexes of array members: `properties.rules[2].access`.
    `meets` tells of a value, null for an absent one, whether it would do as well.
    """

    action: str
    path: str
    value: Json = None
    text: str = ""
    meets: Callable[[Json], bool] | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Json]:
        """As JSON."""
        return {"action": self.action, "path": self.path, "value": self.value, "text": self.text}


Fixes = tuple[Fix, ...]


def turn(clause: Clause, frame: Frame, *, wanted: bool, at: Places = NOWHERE) -> Fixes | None:
    """The fewest changes after which the clause answers `wanted`; None where no change of properties can do it."""
    if clause.test(frame.body, frame) is wanted:
        return ()
    match clause.kind:
        case "not":
            return turn(clause.parts[0], frame, wanted=not wanted, at=at)
        case "allOf" | "anyOf":
            options = [_attempt(part, frame, wanted=wanted, at=at) for part in clause.parts]
            return _all(options) if (clause.kind == "allOf") is wanted else _fewest(options)
        case "count":
            return _count(clause, frame, wanted=wanted, at=at)
        case "field":
            return _field(clause, frame, wanted=wanted, at=at)
        case _:
            return None


def _attempt(clause: Clause, frame: Frame, *, wanted: bool, at: Places) -> Fixes | None:
    """As `turn`; None as well where the clause cannot be evaluated."""
    try:
        return turn(clause, frame, wanted=wanted, at=at)
    except EvaluationError:
        return None


def _all(options: Sequence[Fixes | None]) -> Fixes | None:
    """Every one of several changes, one for each path; None where one is not possible or two contradict each other."""
    found: dict[Hashable, Fix] = {}
    for each in options:
        if each is None:
            return None
        for fix in each:
            key = _place(fix)
            merged = _merged(found[key], fix) if key in found else fix
            if merged is None:
                return None
            found[key] = merged
    return tuple(found.values())


def _place(fix: Fix) -> Hashable:
    """What changes of the same value have in common; an open path may stand for different members."""
    return (fix.action, fix.path, fix.text, frozen(fix.value)) if "[*]" in fix.path else fix.path.lower()


def _merged(first: Fix, second: Fix) -> Fix | None:
    """One change that does what both do; None where they contradict each other."""
    if first == second:
        return first
    for exact, other in ((first, second), (second, first)):
        if exact.action in EXACT and other.meets is not None and other.meets(exact.value):
            return exact
    if first.action in EXACT or second.action in EXACT:
        return None
    both = [each.meets for each in (first, second) if each.meets is not None]
    text = _joined(first.text, second.text)
    return Fix("change", first.path, text=text, meets=lambda value: all(each(value) for each in both))


def _joined(first: str, second: str) -> str:
    if first == ANYTHING:
        return second
    return first if second == ANYTHING or second in first.split(" and ") else f"{first} and {second}"


def _fewest(options: list[Fixes | None]) -> Fixes | None:
    possible = [each for each in options if each is not None]
    return min(possible, key=lambda fixes: (len(fixes), sum(fix.action == "change" for fix in fixes)), default=None)


def _field(clause: Clause, frame: Frame, *, wanted: bool, at: Places) -> Fixes | None:
    if clause.resolved is None or clause.field.lower() in UNCHANGEABLE:
        return None
    assert clause.expect is not None
    assert clause.observe is not None
    expected = clause.expect(frame.body, frame)
    if isinstance(expected, Unknown):
        return None
    path = placed(clause.resolved, at)
    if clause.many:
        return _members(clause, clause.observe(frame.body, frame), expected, path, wanted=wanted)
    return _one(change(path, clause.operator, expected, wanted=wanted))


def _one(fix: Fix | None) -> Fixes | None:
    return None if fix is None else (fix,)


def _members(clause: Clause, values: list[Json], expected: Json, path: str, *, wanted: bool) -> Fixes | None:
    """An implicit all-of: every failing member has to change, or one of the others."""
    check = checker(clause.operator, expected)
    chosen = [index for index, value in enumerate(values) if (check(value) is True) is not wanted]
    if not chosen:
        return None
    one = path.count("[*]") == 1
    places = [path.replace("[*]", f"[{index}]") if one else path for index in (chosen if wanted else chosen[:1])]
    return _all([_one(change(place, clause.operator, expected, wanted=wanted)) for place in places])


def change(path: str, operator: str, expected: Json, *, wanted: bool) -> Fix | None:
    """The change that makes one value answer a condition as wanted; None where no value does."""
    meets = partial(_meets, operator, expected, wanted=wanted)
    if operator == "exists":
        present = (str(expected).lower() == "true") is wanted
        text = ANYTHING if present else "nothing"
        return Fix("change" if present else "remove", path, text=text, meets=meets)
    holds = operator if wanted else OPPOSITE[operator]
    if _no_text_does(holds, expected):
        return Fix("remove", path, text="nothing", meets=meets) if meets(None) else None
    exact = (_EXACT if tag_name(path) is None else _EXACT_TAG).get(holds)
    if exact is not None and (value := exact(expected)) is not None:
        return Fix("set", path, value, text=_shown(value), meets=meets)
    return Fix("change", path, text=_WORDS[holds].format(_shown(expected)), meets=meets)


def _meets(operator: str, expected: Json, value: Json, *, wanted: bool) -> bool:
    try:
        return checker(operator, expected)(value) is wanted
    except EvaluationError:
        return False


def _no_text_does(holds: str, expected: Json) -> bool:
    """Nothing is unlike `*`, without the empty text, or one of no values."""
    match holds:
        case "notLike":
            return isinstance(expected, str) and set(expected) == {"*"}
        case "notContains":
            return isinstance(expected, str) and not expected
        case _:
            return holds == "in" and isinstance(expected, list) and not expected


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_shown, value[:8]))
    return "''" if value == "" else str(value)


def _opposite_flag(value: Json) -> Json:
    flag = flag_of(value)
    return None if flag is None else not flag


def _typed(value: Json) -> Json:
    """The value to write: a boolean written as a string becomes one."""
    flag = flag_of(value)
    return value if flag is None else flag


def _next(value: Json, *, step: int) -> Json:
    return value + step if isinstance(value, int) and not isinstance(value, bool) else None


_EXACT: Mapping[str, Callable[[Json], Json]] = {
    "equals": _typed,
    "notEquals": _opposite_flag,
    "in": lambda values: _typed(values[0]) if isinstance(values, list) and len(values) == 1 else None,
    "like": lambda value: None if "*" in str(value) else value,
    "greaterOrEquals": lambda value: value,
    "lessOrEquals": lambda value: value,
    "greater": partial(_next, step=1),
    "less": partial(_next, step=-1),
}


def _tag_text(value: Json) -> Json:
    """The value of a tag is text, as the rule writes it."""
    return _shown(value) if isinstance(value, bool | int | float) else value


_EXACT_TAG: Mapping[str, Callable[[Json], Json]] = {
    **_EXACT,
    "equals": _tag_text,
    "notEquals": lambda _: None,
    "in": lambda values: _tag_text(values[0]) if isinstance(values, list) and len(values) == 1 else None,
}


def _count(clause: Clause, frame: Frame, *, wanted: bool, at: Places) -> Fixes | None:
    """Change as few members as bring the count to a number that answers as wanted."""
    assert clause.observe is not None
    assert clause.expect is not None
    found, expected = clause.observe(frame.body, frame), clause.expect(frame.body, frame)
    if not is_number(found) or isinstance(expected, Unknown):
        return None
    target = _target(int(found), clause.operator, expected, wanted=wanted)
    if target is None:
        return None
    options = _member_options(clause, frame, raise_=target > found, at=at)
    missing = abs(target - int(found))
    chosen = sorted((each for each in options if each is not None), key=len)[:missing]
    if len(chosen) < missing:
        if target < found or clause.resolved is None:
            return None
        chosen += [(Fix("change", clause.resolved, text=f"at least {target} matching members"),)]
    return _all(chosen)


def _target(found: int, operator: str, expected: Json, *, wanted: bool) -> int | None:
    """The number nearest to the present one that answers as wanted."""
    check = checker(operator, expected)
    try:
        good = [each for each in {0, *points(expected)} if 0 <= each < MANY and check(each) is wanted]
    except EvaluationError:
        return None
    return min(good, key=lambda each: (abs(each - found), each), default=None)


def _member_options(clause: Clause, frame: Frame, *, raise_: bool, at: Places) -> list[Fixes | None]:
    """For each member on the wrong side, the changes that move it to the other."""
    options: list[Fixes | None] = []
    where = clause.parts[0] if clause.parts else None

    def visit(indexes: tuple[int, ...]) -> None:
        place = standing(clause.resolved, indexes, at)
        if where is None:
            path = None if raise_ or clause.resolved is None else placed(clause.resolved, place)
            options.append(None if path is None else (Fix("remove", path, text="nothing"),))
        elif (where.test(frame.body, frame) is True) is not raise_:
            options.append(turn(where, frame, wanted=raise_, at=place))

    assert clause.each is not None
    clause.each(frame.body, frame, visit)
    return options

"""JSON text read strictly: it has one meaning, or is refused with the place (RFC 8259 as narrowed by I-JSON, RFC 7493).

Standard library only, because the engine stands on it; `shared.domain.decoding` is the same at the speed of bulk data.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isinf

from shared.domain.error import InvalidInput
from shared.domain.resource import Json

DEEPEST = 100
"""Objects and arrays within each other."""
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1
_DIGITS = 20
_LONGEST_PATH = 300
_DEEP = f"nests deeper than {DEEPEST} objects and arrays"
_LONE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(InvalidInput):
    """Text that is not JSON of one meaning: `reason` without the place, the JSON `path`, `offending` text."""

    def __init__(self, reason: str, *, path: str = "$", offending: str = "") -> None:
        super().__init__(f"{path}: {reason}", path=path)
        self.reason = reason
        self.offending = offending[:200]


def read(text: str | bytes, *, fold: bool = False, repeats: bool = False) -> Json:
    """The value of a JSON text, in UTF-8 where it is bytes; a byte order mark is stepped over.

    Whole numbers beyond 64 bits are doubles. `fold` compares the names in an object without case; with `repeats` a
    name may come again, and the last one holds.

    Raises:
        Unreadable: broken JSON, a name twice in an object, a number that no double holds, NaN or Infinity, half a
            surrogate pair, or more than `DEEPEST` levels.
    """
    written = _decoded(text)
    try:
        found = json.loads(
            written,
            object_pairs_hook=None if repeats else _folded if fold else _exact,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_number,
        )
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise Unreadable(_DEEP) from None
    _check(found, texts=_ESCAPED.search(written) is not None)
    return found


def _decoded(text: str | bytes) -> str:
    try:
        written = text.decode("utf-8") if isinstance(text, bytes) else text
        written.encode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not JSON: not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError as error:
        raise Unreadable(f"not JSON: half a surrogate pair at character {error.start}") from None
    return written.removeprefix("\ufeff")


@dataclass(frozen=True, slots=True)
class _Odd:
    """Stands in the value for what cannot be kept, until its path is known."""

    reason: str
    offending: str


_Steps = tuple[str | int, ...]


def _exact(pairs: list[tuple[str, Json]]) -> Json:
    """An object in which no name comes twice."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else _doubled(pairs, str)


def _folded(pairs: list[tuple[str, Json]]) -> Json:
    """An object in which no name comes twice, case aside."""
    return dict(pairs) if len({name.lower() for name, _ in pairs}) == len(pairs) else _doubled(pairs, str.lower)


def _doubled(pairs: list[tuple[str, Json]], key: Callable[[str], str]) -> _Odd:
    seen: set[str] = set()
    for name, _ in pairs:
        if key(name) in seen:
            break
        seen.add(key(name))
    return _Odd(f"the key {name[:60]!r} occurs twice in one object", name)


def _constant(written: str) -> _Odd:
    """NaN and the infinities."""
    return _Odd(f"not JSON: {written}", written)


def _whole(written: str) -> Json:
    """A number without fraction or exponent."""
    if len(written) <= _DIGITS and _LEAST <= (found := int(written)) <= _MOST:
        return found
    return _number(written)


def _number(written: str) -> Json:
    found = float(written)
    return _Odd(f"{written[:40]} is beyond what a double holds", written) if isinf(found) else found


def _check(value: Json, *, texts: bool) -> None:
    """Refuse what stands for something that cannot be kept, and deep nesting; half surrogate pairs where `texts`."""
    found = _first(value, 1, texts=texts)
    if found:
        odd, steps = found
        path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        raise Unreadable(odd.reason, path=_short(path), offending=odd.offending)


def _first(node: Json, depth: int, *, texts: bool) -> tuple[_Odd, _Steps] | None:
    """The first part that cannot be kept, and the steps to it."""
    if isinstance(node, _Odd):
        return node, ()
    if texts and isinstance(node, str):
        return (_Odd("half a surrogate pair", ascii(node)), ()) if _LONE.search(node) else None
    if not isinstance(node, dict | list):
        return None
    if depth > DEEPEST:
        return _Odd(_DEEP, ""), ()
    worth = _Odd | dict | list | str if texts else _Odd | dict | list
    for step, each in node.items() if isinstance(node, dict) else enumerate(node):
        if texts and isinstance(step, str) and _LONE.search(step):
            return _Odd("half a surrogate pair in a key", ascii(step)), ()
        if isinstance(each, worth) and (found := _first(each, depth + 1, texts=texts)):
            return found[0], (step, *found[1])
    return None


def _short(path: str) -> str:
    return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"

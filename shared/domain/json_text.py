"""A strict reader of JSON text: it has one meaning, or is rejected with the place (RFC 8259 narrowed by RFC 7493).

Standard library only, because the engine depends on it; `shared.domain.decoding` is the fast reader for bulk data.
"""

import codecs
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isinf

from shared.domain.error import InvalidInput
from shared.domain.resource import Json

NESTING_LEVELS = 100
"""Objects and arrays within each other."""
_INTEGER_MIN, _INTEGER_MAX = -(1 << 63), (1 << 64) - 1
_INTEGER_DIGITS = 20
_PATH_CHARACTERS = 300
_TOO_DEEP = f"nests deeper than {NESTING_LEVELS} objects and arrays"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODING_BY_ZEROS = {
    (True, True, True, False): "utf-32-be",
    (False, True, True, True): "utf-32-le",
    (True, False): "utf-16-be",
    (False, True): "utf-16-le",
}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(InvalidInput):
    """Text that is not JSON of one meaning: `reason` without the path, the JSON `path`, `offending` text.

    `line` is where the text breaks off, from 1; what is `wrong` there is the reason without line and column.
    """

    def __init__(
        self, reason: str, *, path: str = "$", offending: str = "", line: int = 1, wrong: str | None = None
    ) -> None:
        super().__init__(f"{path}: {reason}", path=path)
        self.reason = reason
        self.line = line
        self.wrong = wrong or reason
        self.offending = offending[:200]


def read(text: str | bytes, *, fold: bool = False, repeats: bool = False) -> Json:
    """Return the value of a JSON text, in UTF-8 where it is bytes; a byte order mark is skipped.

    Whole numbers beyond 64 bits are doubles. `fold` compares the names in an object without case; with `repeats` a
    name may come again, and the last one holds.

    Raises:
        Unreadable: broken JSON, a name twice in an object, a number that no double holds, NaN or Infinity, half a
            surrogate pair, or more than `NESTING_LEVELS`.
    """
    written = _decoded(text)
    try:
        found = json.loads(
            written,
            object_pairs_hook=None if repeats else partial(_unique_names, key=str.lower if fold else str),
            parse_constant=lambda constant: _Unrepresentable(f"not JSON: {constant}", constant),
            parse_int=_integer,
            parse_float=_number,
        )
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    _check(found, texts=_ESCAPED_SURROGATE.search(written) is not None)
    return found


def encoding_of(raw: bytes) -> str:
    """Return the encoding that the first four bytes of a JSON text tell: by a byte order mark, or by their zeros."""
    zeros = tuple(byte == 0 for byte in raw[:4])
    guess = _ENCODING_BY_ZEROS.get(zeros) or _ENCODING_BY_ZEROS.get(zeros[:2]) or "utf-8"
    # UTF-32 marks come first in the table: that of UTF-16 in little-endian order begins like the one of UTF-32.
    return next((name for mark, name in _BYTE_ORDER_MARKS if raw.startswith(mark)), guess)


def text(raw: bytes) -> str:
    """Return the text of a file as editors and shells write it: UTF-8, or UTF-16 or UTF-32 as the first bytes tell.

    By a byte order mark, or by the zeros next to the first letter, which is ASCII in every JSON text.
    Source: RFC 4627, section 3.

    Raises:
        Unreadable: it is none of these.
    """
    encoding = encoding_of(raw)
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise Unreadable(f"not text in {name} at byte {error.start}: save it as UTF-8") from None


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
class _Unrepresentable:
    """Stands in the value for what cannot be kept, until its path is known."""

    reason: str
    offending: str


_Steps = tuple[str | int, ...]


def _unique_names(pairs: list[tuple[str, Json]], *, key: Callable[[str], str]) -> Json:
    """Return an object in which no name comes twice by `key`; the mark of the first that does."""
    found: dict[str, Json] = dict(pairs)
    # The quick way first: names hardly ever repeat, and this runs for every object.
    if len(found) == len(pairs) and (key is str or len(set(map(key, found))) == len(pairs)):
        return found
    seen: set[str] = set()
    for name, _ in pairs:
        if key(name) in seen:
            break
        seen.add(key(name))
    return _Unrepresentable(f"the key {name[:60]!r} occurs twice in one object", name)


def _integer(written: str) -> Json:
    """Return a number without fraction or exponent."""
    # int() takes quadratic time, so long digits go to float() without being tried.
    if len(written) <= _INTEGER_DIGITS and _INTEGER_MIN <= (found := int(written)) <= _INTEGER_MAX:
        return found
    return _number(written)


def _number(written: str) -> Json:
    found = float(written)
    return _Unrepresentable(f"{written[:40]} is beyond what a double holds", written) if isinf(found) else found


def _check(value: Json, *, texts: bool) -> None:
    """Raise Unreadable for a mark of what cannot be kept, and deep nesting; for half surrogate pairs where `texts`."""
    # json.loads cannot tell where it is: marks stand in the value until the walk knows their paths.
    found = _first_unrepresentable(value, 1, texts=texts)
    if found:
        odd, steps = found
        path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        path = path if len(path) <= _PATH_CHARACTERS else f"{path[:_PATH_CHARACTERS]}…"
        raise Unreadable(odd.reason, path=path, offending=odd.offending)


def _first_unrepresentable(node: Json, depth: int, *, texts: bool) -> tuple[_Unrepresentable, _Steps] | None:
    """Return the first part that cannot be kept, and the steps to it."""
    if isinstance(node, _Unrepresentable):
        return node, ()
    if texts and isinstance(node, str):
        return (_Unrepresentable("half a surrogate pair", ascii(node)), ()) if _LONE_SURROGATE.search(node) else None
    if not isinstance(node, dict | list):
        return None
    if depth > NESTING_LEVELS:
        return _Unrepresentable(_TOO_DEEP, ""), ()
    # Leaves that cannot be a mark are not visited: most of a document is numbers and plain text.
    worth = _Unrepresentable | dict | list | str if texts else _Unrepresentable | dict | list
    for step, each in node.items() if isinstance(node, dict) else enumerate(node):
        if texts and isinstance(step, str) and _LONE_SURROGATE.search(step):
            return _Unrepresentable("half a surrogate pair in a key", ascii(step)), ()
        if isinstance(each, worth) and (found := _first_unrepresentable(each, depth + 1, texts=texts)):
            return found[0], (step, *found[1])
    return None

"""String functions of template expressions ("String functions for ARM templates")."""

import base64
import binascii
import re
import uuid
from collections.abc import Callable
from urllib.parse import quote, unquote, urljoin, urlsplit

from shared.domain import json_text
from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.functions.format import format_
from shared.engine.functions.hashing import murmur64
from shared.engine.value import check_length, expect_array, expect_integer, expect_text, text

GUID_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAD_CHARACTERS = 10_000
_DELIMITER_CHARACTERS = 256
_URI_CHARACTERS = 65_519
"""What .NET's Uri takes; the standard library remembers the addresses that it has split."""
# What does not end is taken to the end of the text, so that the search never starts over inside it.
_APOSTROPHES = re.compile(r""""(?:[^"\\]|\\.)*+(?:"|\\?\Z)|'((?:[^'\\]|\\.)*+)(?:'|\\?\Z)""", re.DOTALL)
_ESCAPE_OR_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_REWRITTEN = {"\\'": "'", '"': '\\"'}


def concat(*parts: Json) -> Json:
    """Join arrays to one array, or everything else to one string."""
    if parts and all(isinstance(part, list) for part in parts):
        return [member for part in parts for member in part]
    if any(isinstance(part, list | dict) for part in parts):
        raise EvaluationError("expected strings, or arrays only")
    return _joined(["" if part is None else str(part) if isinstance(part, bool) else text(part) for part in parts], "")


def _joined(texts: list[str], delimiter: str) -> str:
    check_length(sum(map(len, texts)) + len(delimiter) * (len(texts) - 1))
    return delimiter.join(texts)


def replace(original: Json, old: Json, new: Json) -> str:
    """Replace every occurrence, compared with case."""
    found = expect_text(old)
    if not found:
        raise EvaluationError("the text to replace is empty")
    whole, other = expect_text(original), expect_text(new)
    check_length(len(whole) + whole.count(found) * (len(other) - len(found)))
    return whole.replace(found, other)


def pad_left(value: Json, width: Json, fill: Json = " ") -> str:
    """Align to the right in `width` characters."""
    filler = expect_text(fill, null=" ")
    if len(filler) != 1:
        raise EvaluationError("the padding must be one character")
    if not 0 <= expect_integer(width) <= _PAD_CHARACTERS:
        raise EvaluationError(f"the width must be between 0 and {_PAD_CHARACTERS}")
    if isinstance(value, bool | list | dict):
        raise EvaluationError("expected a string or an integer")
    return ("" if value is None else text(value)).rjust(expect_integer(width), filler)


def split(value: Json, delimiter: Json) -> list[Json]:
    """Split at one delimiter or at any of several."""
    if value is None:
        return []
    marks = delimiter if isinstance(delimiter, list) else [delimiter]
    marks = [mark for mark in map(expect_text, marks) if mark]
    if len(marks) < 2:  # noqa: PLR2004 - the common case, without an expression
        return list(expect_text(value).split(marks[0])) if marks else [expect_text(value)]
    if sum(map(len, marks)) > _DELIMITER_CHARACTERS:
        raise EvaluationError(f"the delimiters have more than {_DELIMITER_CHARACTERS} characters")
    return list(re.split("|".join(map(re.escape, marks)), expect_text(value)))


def join(values: Json, delimiter: Json) -> str:
    """Join the members as text with the delimiter between."""
    members = expect_array(values)
    if any(isinstance(each, list | dict) for each in members):
        raise EvaluationError("expected an array of strings")
    return _joined(["" if each is None else text(each) for each in members], expect_text(delimiter))


def substring(value: Json, start: Json, length: Json = None) -> str:
    """Return the characters from `start` (0 is the first); out of range is an error."""
    whole, first = expect_text(value), expect_integer(start)
    last = len(whole) if length is None else first + expect_integer(length)
    if not 0 <= first <= last <= len(whole):
        raise EvaluationError(f"{first}..{last} is outside a string of {len(whole)} characters")
    return whole[first:last]


def index_of(value: Json, sought: Json) -> int:
    """Return the first position: in a string without case, in an array by equality; -1 when absent."""
    if isinstance(value, list):
        return next((at for at, each in enumerate(value) if each == sought), -1)
    return expect_text(value).lower().find(expect_text(sought, null=None).lower()) if value is not None else -1


def last_index_of(value: Json, sought: Json) -> int:
    """Return the last position, as `index_of`."""
    if isinstance(value, list):
        return next((at for at in reversed(range(len(value))) if value[at] == sought), -1)
    return expect_text(value).lower().rfind(expect_text(sought, null=None).lower()) if value is not None else -1


def starts_with(value: Json, start: Json) -> bool:
    """Return whether a text begins with another, without case."""
    return expect_text(value).lower().startswith(expect_text(start).lower())


def ends_with(value: Json, end: Json) -> bool:
    """Return whether a text ends with another, without case."""
    return expect_text(value).lower().endswith(expect_text(end).lower())


def _cased(value: str, change: Callable[[str], str]) -> str:
    """Change the case of each character as .NET does: a letter without a single counterpart stays as it is."""
    if value.isascii():
        return change(value)
    return value.translate({ord(each): changed for each in set(value) if len(changed := change(each)) == 1})


def unique_string(*parts: Json) -> str:
    """Return 13 characters that depend on the arguments only: base 32 of their 64-bit MurmurHash, joined by '-'."""
    hashed = murmur64(_joined([expect_text(part) for part in parts], "-").encode())
    return "".join(_BASE32[(hashed << shift >> 59) & 31] for shift in range(0, 65, 5))


def guid(*parts: Json) -> str:
    """Return a UUID (version 5, RFC 4122) of the arguments joined by '-', in Resource Manager's namespace."""
    return str(uuid.uuid5(GUID_NAMESPACE, "-".join(expect_text(part) for part in parts)))


def to_base64(value: Json) -> str:
    """Encode a text as UTF-8 in base 64."""
    return base64.b64encode(expect_text(value).encode()).decode()


def from_base64(value: Json) -> str:
    """Return the text that `to_base64` wrote."""
    try:
        return base64.b64decode(expect_text(value, null=None), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise EvaluationError(f"not base64 of UTF-8 text: {error}") from None


def to_json(value: Json) -> Json:
    """Parse a JSON text, with strings in quotes or apostrophes; of members with one name the last holds."""
    written = expect_text(value, null=None)
    check_length(len(written), "text")
    try:
        return json_text.read(_APOSTROPHES.sub(_quoted, written) if "'" in written else written, repeats=True)
    except json_text.Unreadable as error:
        raise EvaluationError(error.reason) from None


def _quoted(found: re.Match[str]) -> str:
    inner = found[1]
    if inner is None or found[0] != f"'{inner}'":  # not in apostrophes, or without the closing one
        return found[0]
    return '"' + _ESCAPE_OR_QUOTE.sub(lambda mark: _REWRITTEN.get(mark[0], mark[0]), inner) + '"'


def string(value: Json) -> str:
    """Return the value as text; objects and arrays as JSON."""
    return text(value)


def uri(base: Json, relative: Json) -> str:
    """Resolve a relative address against an absolute one."""
    root, more = expect_text(base), expect_text(relative, null=None)
    if len(root) + len(more) > _URI_CHARACTERS:
        raise EvaluationError(f"the address has more than {_URI_CHARACTERS} characters")
    if not urlsplit(root).scheme:
        raise EvaluationError(f"{root[:80]!r} is not an absolute address")
    # .NET ends an address without a path with a slash.
    joined = urljoin(root, more)
    return joined if urlsplit(joined).path else joined + "/"


def data_uri(value: Json) -> str:
    """Return a data address holding the value."""
    media = "text/plain" if isinstance(value, str) else "application/json"
    return f"data:{media};charset=utf8;base64,{to_base64(text(value))}"


def data_uri_to_string(value: Json) -> str:
    """Return what a data address holds."""
    head, comma, data = expect_text(value).partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise EvaluationError("not a data address")
    return from_base64(data) if head.lower().endswith(";base64") else _unquoted(data)


def _unquoted(written: str) -> str:
    check_length(len(written), "text")
    return unquote(written)


STRING: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "concat": (concat, 1, None),
    "replace": (replace, 3, 3),
    "padLeft": (pad_left, 2, 3),
    "split": (split, 2, 2),
    "join": (join, 2, 2),
    "substring": (substring, 2, 3),
    "indexOf": (index_of, 2, 2),
    "lastIndexOf": (last_index_of, 2, 2),
    "startsWith": (starts_with, 2, 2),
    "endsWith": (ends_with, 2, 2),
    "toLower": (lambda value: _cased(expect_text(value), str.lower), 1, 1),
    "toUpper": (lambda value: _cased(expect_text(value), str.upper), 1, 1),
    "trim": (lambda value: expect_text(value).strip(), 1, 1),
    "uniqueString": (unique_string, 1, None),
    "guid": (guid, 1, None),
    "base64": (to_base64, 1, 1),
    "base64ToString": (from_base64, 1, 1),
    "base64ToJson": (lambda value: to_json(from_base64(value)), 1, 1),
    "json": (to_json, 1, 1),
    "string": (string, 1, 1),
    "uri": (uri, 2, 2),
    "uriComponent": (lambda value: quote(expect_text(value), safe="-._~"), 1, 1),
    "uriComponentToString": (lambda value: _unquoted(expect_text(value)), 1, 1),
    "dataUri": (data_uri, 1, 1),
    "dataUriToString": (data_uri_to_string, 1, 1),
    "format": (format_, 1, None),
}

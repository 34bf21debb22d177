"""The canonical text of a JSON value, of which digests and signatures are made (RFC 8785); nothing is stored as it.

RFC 8785 writes every number as a double. Integers that would come out as other digits are tagged, so that distinct
values have distinct texts: docs/decisions/plan-hash.md has the rule.
"""

import hashlib
import re
from collections.abc import Mapping

import rfc8785

from shared.domain.error import InvalidInput
from shared.domain.resource import Json

_TAG = "$integer"
_TAG_IN_TEXT = b'$integer"'
_LIKE_THE_TAG = re.compile(r"\$+integer")
_EXACT_MAX = 2**53 - 1
"""Up to it, each integer is a double of its own. Source: RFC 7493, 2.2."""
_STORED_MIN, _STORED_MAX = -(2**63), 2**64 - 1
"""The integers that the readers and writers of JSON here keep as they are (`json_text`, orjson)."""


def canonicalize(value: Json) -> bytes:
    """Return the canonical text of a JSON value: distinct values have distinct texts; 1 and 1.0 are one value.

    Raises:
        InvalidInput: it holds what is not JSON, such as NaN or half a surrogate pair, or an integer beyond 64 bits.
    """
    try:
        text = _plain(value)
        # Looked for in the text, because walking every value would cost as much as writing it.
        return rfc8785.dumps(_tagged(value)) if text is None or _TAG_IN_TEXT in text else text
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidInput(f"it has no canonical JSON (RFC 8785): {error}") from error


def digest(value: Json) -> str:
    """Return the SHA-256 of a JSON value's canonical text, in hexadecimal."""
    return hashlib.sha256(canonicalize(value)).hexdigest()


def _plain(value: Json) -> bytes | None:
    """Return the text by RFC 8785 alone; None where an integer needs more."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.IntegerDomainError:
        return None


def _tagged(value: Json) -> Json:
    """Write integers that no double is written as with a tag; escape names that look like it with one more `$`."""
    if isinstance(value, Mapping):
        return {
            f"${name}" if isinstance(name, str) and _LIKE_THE_TAG.fullmatch(name) else name: _tagged(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_tagged(each) for each in value]
    if not isinstance(value, int) or abs(value) <= _EXACT_MAX:
        return value
    if not _STORED_MIN <= value <= _STORED_MAX:
        raise InvalidInput("it has no canonical JSON: an integer is beyond 64 bits")
    # Compared as text and not as numbers: 2**60 is a double, which is written as 1152921504606847000, another integer.
    digits, double = str(value), float(value)
    return double if rfc8785.dumps(double) == digits.encode() else {_TAG: digits}

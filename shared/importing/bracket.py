"""Patterns that go to the next bracket of a JSON text, over strings, comments and, where wanted, whole values."""

import re
from functools import cache

from shared.domain.jsonc import COMMENT, LINED_TEXT, SLASH, TEXT

# A slash is looked at more closely only where there is one, so comments cost nothing where there are none.
_COMMENT_OR_SLASH = rb"|" + COMMENT + rb"|" + SLASH


def _outside(text: bytes) -> bytes:
    return rb'(?:[^"\[\]{}/]++|' + text + rb'"' + _COMMENT_OR_SLASH + rb")*+"


OUTSIDE_BRACKETS = _outside(TEXT)


def _values(text: bytes, levels: int) -> bytes:
    """Return a pattern of what stands between two brackets, with whole values in between that nest so many levels.

    A regular expression steps over those far faster than a loop over their brackets does. It only takes a value
    that follows a colon, a comma or an opening bracket, so that what lacks them is left to the loop to find.
    """
    if levels == 0:
        return _outside(text)
    inner = _values(text, levels - 1)
    value = rb"(?:\{" + inner + rb"\}|\[(?:\s*+\{" + inner + rb"\})?+" + inner + rb"\])?+"
    return rb'(?:[^"\[\]{}:,/]++|' + text + rb'"|[:,]\s*+' + value + _COMMENT_OR_SLASH + rb")*+"


@cache
def nearest_bracket(*, lined: bool) -> re.Pattern[bytes]:
    """Return the nearest bracket; with `lined` strings may go over several lines."""
    return re.compile(_outside(LINED_TEXT if lined else TEXT) + rb"([\[\]{}])")


@cache
def next_bracket(*, lined: bool) -> re.Pattern[bytes]:
    """Return the next bracket, whole values stepped over; made when first needed, because making it takes 50 ms."""
    return re.compile(_values(LINED_TEXT if lined else TEXT, 4) + rb"([\[\]{}])")

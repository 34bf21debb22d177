"""Makes text of others safe to show: control, direction and invisible characters are shown by their codes.

Sources: ECMA-48 (control functions); Unicode Standard Annex 9 (directional formatting characters); Unicode Standard,
"Default Ignorable Code Points"; "Trojan Source: Invisible Vulnerabilities" (CVE-2021-42574).
"""

import re

INVISIBLE_CHARACTERS = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u115f-\u1160"
    r"\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0"
    r"\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
"""Controls, formats (directions, zero widths, tags), lone surrogates, line and paragraph ends, letters nobody sees.
Selectors that only choose a glyph (U+FE00-U+FE0F) are not among them: emoji have them."""
_INVISIBLE = re.compile(f"[{INVISIBLE_CHARACTERS}]")
_INVISIBLE_IN_LINES = re.compile(f"(?![\n\t])[{INVISIBLE_CHARACTERS}]")
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return the text on one line, with what cannot be seen as the escapes of Python (`\x1b`, `\u202e`, `\n`).

    `lines` keeps line feeds and tabs, for text that is known to have lines of its own.
    """
    return (_INVISIBLE_IN_LINES if lines else _INVISIBLE).sub(_escape, text)


def printable_json(text: str) -> str:
    """Return JSON text of the same value without control or invisible characters; line feeds and tabs stay."""
    return _INVISIBLE_IN_LINES.sub(_json_escape, text)


def _escape(found: re.Match[str]) -> str:
    letter = found.group()
    return _ESCAPES.get(letter) or (f"\\x{ord(letter):02x}" if letter.isascii() else ascii(letter)[1:-1])


def _json_escape(found: re.Match[str]) -> str:
    r"""Escape a character like `\u202e`; beyond the first plane, by two escapes (RFC 8259, section 7)."""
    units = found.group().encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

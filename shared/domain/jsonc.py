"""Comments, trailing commas and strings over several lines in JSON, as `az` and Resource Manager take them (JSONC).

No reader of JSONC gives records while it reads, or where they are, so comments are stepped over as white space is,
and a record is only rewritten once it turns out not to be plain JSON.
"""

import re

from shared.domain.decoding import decode
from shared.domain.json_text import Unreadable
from shared.domain.resource import Json

# Possessive quantifiers (++, *+) never give back what they took, so no input makes these patterns backtrack.
TEXT = rb'"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+'
"""A string up to its closing quote."""
LINED_TEXT = rb'"(?:[^"\\\x00-\x1f]++|[\t\r\n]|\\[^\x00-\x1f])*+'
"""A string that may go over several lines, up to its closing quote."""
COMMENT = rb"//[^\n]*+\n|/\*(?:[^*]++|\*(?!/))*+\*/"
SLASH = rb"/(?=[^/*])"
"""A slash that begins no comment; what follows it has to be there, as it may be in the next chunk."""
SPACE = rb"(?:\s++|" + COMMENT + rb")*+"
# Resource Manager takes strings over several lines, so that a line end closes none.
_WHOLE_TEXT = rb'"(?s:[^"\\]++|\\.)*+"'
_BROKEN_TEXT = rb'"(?s:.*+)'
_COMMENTS = re.compile(_WHOLE_TEXT + rb"|" + _BROKEN_TEXT + rb"|" + COMMENT + rb"|//[^\n]*+\Z")
_COMMAS = re.compile(_WHOLE_TEXT + rb"|,(?=\s*+[\]}])")
_NO_LINE_END = re.compile(rb"[^\r\n]")
_LINE_ENDS = {b"\r": b"\\r", b"\n": b"\\n", b"\t": b"\\t"}
_WHOLE_TEXTS = re.compile(_WHOLE_TEXT)
_ESCAPED = re.compile(rb"[\r\n\t]")


def read_record(text: bytes) -> Json:
    """Return the value of a JSON text as `decode` does; comments and trailing commas are ignored.

    Strings may go over several lines, as Resource Manager takes them.
    """
    try:
        return decode(text)
    except Unreadable as error:
        rewritten = plain(text)
        lined = _WHOLE_TEXTS.sub(_escaped, rewritten)
        if lined == text:
            raise
        try:
            return decode(lined)
        except Unreadable as second:
            # Positions are the same where no line end was escaped: a blank stands for each byte that was taken out.
            raise (second if lined == rewritten else error) from error


def plain(text: bytes) -> bytes:
    """Return the text with blanks in the place of comments and trailing commas."""
    return _COMMAS.sub(_kept, without_comments(text))


def plain_text(text: str) -> str:
    """Return the text with blanks in the place of comments and trailing commas; lines stay lines."""
    return plain(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def without_comments(text: bytes) -> bytes:
    """Return the text with blanks in the place of comments."""
    return _COMMENTS.sub(_kept, text)


def _escaped(found: re.Match[bytes]) -> bytes:
    lined = b"\n" in found[0]  # a tab alone stays what it is: a mistake
    return _ESCAPED.sub(lambda each: _LINE_ENDS[each[0]], found[0]) if lined else found[0]


def _kept(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0].startswith(b'"') else _NO_LINE_END.sub(b" ", found[0])

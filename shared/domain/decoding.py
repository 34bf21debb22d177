"""A fast reader of JSON text for bulk data, as strict as `shared.domain.json_text`."""

import orjson

from shared.domain import json_text
from shared.domain.json_text import Unreadable
from shared.domain.resource import Json

_ESCAPED_COLON = b"\\u003"


def decode(text: bytes) -> Json:
    """Return the value of a JSON text in UTF-8 (RFC 8259), in which no name comes twice in an object.

    Whole numbers beyond 64 bits are doubles. Nesting is bounded by what can be written again: 254 levels.

    Raises:
        Unreadable: the place is a JSON path, or line and column.
    """
    try:
        value = orjson.loads(text)
        written = orjson.dumps(value)
    except orjson.JSONDecodeError as error:
        wrong = f"not JSON: {error.msg}"
        place = f"line {error.lineno} column {error.colno}"
        raise Unreadable(f"{wrong} at {place}", line=error.lineno, wrong=f"{wrong} at column {error.colno}") from None
    except orjson.JSONEncodeError:
        raise Unreadable("nests too deeply to be kept") from None
    # Each name brings a colon: where a name came twice the value has fewer of them than the text.
    if text.count(b":") != written.count(b":") or _ESCAPED_COLON in text:
        json_text.read(text)
    return value

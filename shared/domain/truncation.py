"""Truncation of values, for lists, findings and changes that show parts of bodies of any size."""

import orjson

from shared.domain.resource import Json

TEXT_CHARACTERS = 2_000
"""Characters of a text that are shown."""
VALUE_BYTES = 8_000
"""Bytes of the JSON of an object or array that is shown as it is."""
_VALUE_BRACKETS = 100


def truncate(value: Json) -> Json:
    """Return the value, or the beginning of it as text that says how much there is; do not rebuild bodies from it.

    Cut are text over 2,000 characters, and objects and arrays over 8,000 bytes or with so many brackets that they may
    nest deeper than stores take.
    """
    if isinstance(value, str):
        return value if len(value) <= TEXT_CHARACTERS else f"{value[:TEXT_CHARACTERS]}… ({len(value):,} characters)"
    if not isinstance(value, dict | list):
        return value
    try:
        json = orjson.dumps(value)
    except TypeError:
        return "… (not JSON)"
    # Brackets bound the nesting without a walk: shown values are stored, and stores bound it.
    if len(json) <= VALUE_BYTES and json.count(b"[") + json.count(b"{") <= _VALUE_BRACKETS:
        return value
    return f"{json[:TEXT_CHARACTERS].decode(errors='ignore')}… ({len(json):,} bytes)"

"""Names that were probably meant: near in spelling, or with what was written in them."""

from collections.abc import Iterable

from shared.engine.error import nearest

NEAR_NAMES = 3
PART_CHARACTERS = 3
"""Minimum length of a part of a name that says something."""


def near_hint(written: str, known: Iterable[str]) -> str:
    """Return what to add to a message about an unknown name: the names that were probably meant; "" for none."""
    names = sorted(set(known))
    part = written.strip().lower()
    near = nearest(written, names)
    # A part of a name is no misspelling of it, but what people write who know it by its beginning.
    within = [each for each in names if part in each.lower()] if len(part) >= PART_CHARACTERS else []
    found = [near] if near else within
    if not found:
        return ""
    more = f", and {len(found) - NEAR_NAMES} more" if len(found) > NEAR_NAMES else ""
    return f"; did you mean {' or '.join(f"'{each}'" for each in found[:NEAR_NAMES])}{more}?"

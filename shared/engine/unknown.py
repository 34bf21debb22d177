"""Missing data is not absent data: values that were not read, and bodies that say which of their parts were not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.resource import Body, Json, Unread
from shared.domain.spelling import respell
from shared.domain.verdict import MissingPart

_BODY_LEVELS = 100


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands where a value would be, had it been read. It flows through expressions and makes conditions unknown."""

    part: str
    reason: str
    permission: str | None = None
    scope: str | None = None

    def need(self) -> MissingPart:
        """Return the part to read, as verdicts list it."""
        return MissingPart(self.part, self.reason, self.permission, self.scope)


class Partial(dict[str, Any]):
    """A JSON object of which only the present keys were read: any other key gives `unread`."""

    __slots__ = ("unread",)

    def __init__(self, known: Mapping[str, Json], unread: Unknown) -> None:
        super().__init__(known)
        self.unread = unread

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the mark."""
        return (Partial, (dict(self), self.unread))


def unknown_of(part: str, why: Unread) -> Unknown:
    """Return the value that stands for a part that was not read."""
    part = f"{part} ({why.detail})" if why.detail else part
    return Unknown(part, why.reason, why.permission, why.scope)


def get_member(node: Json, low: str) -> Json:
    """Return the member `low` (lower case) of an object in whatever spelling; an unread part gives its `Unknown`."""
    if isinstance(node, dict):
        size = len(low)
        for key, value in node.items():
            # Lengths come first, as lower() is slow. A null counts as absent: another spelling may still hold a value.
            if len(key) == size and key.lower() == low and value is not None:
                return value
        return node.unread if node.__class__ is Partial else None
    return node if node.__class__ is Unknown else None


def mark_unread(body: Body, unread: Mapping[str, Unread]) -> Body:
    """Return a copy of `body` in which every unread path holds a mark; paths are dotted, keys compare without case.

    Values found at an unread object path stay known, its missing keys become unknown; an unread scalar, and a list
    of which anything was not read, is unknown as a whole.
    """
    # The longest path first: an outer mark then lies around what inner ones have marked.
    for path in sorted(unread, key=len, reverse=True):
        body = _marked(body, path.partition("[")[0].split(".", _BODY_LEVELS), unknown_of(path, unread[path]))
    return body


def _marked(node: Json, steps: list[str], why: Unknown) -> Json:
    if not steps or steps == [""] or isinstance(node, list):
        return Partial(node, why) if isinstance(node, Mapping) else why
    known = node if isinstance(node, Mapping) else {}
    key = respell(known, steps[0])
    inner = _marked(known.get(key), steps[1:], why)
    copy = Partial(known, known.unread) if isinstance(known, Partial) else dict(known)
    copy[key] = inner
    return copy


def first_unknown(value: Json) -> Unknown | None:
    """Return the first unread part inside a value, if there is one."""
    if value.__class__ is Unknown:
        return value
    if isinstance(value, Partial):
        return value.unread
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return next((found for found in map(first_unknown, inner) if found is not None), None)
    return None

"""Queries checked, cursors that only fit the listing they came from, and counts by value."""

import base64
import binascii
import hashlib
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import orjson

from shared.adapters.record import check_field, check_id, check_scope
from shared.domain.error import InvalidInput
from shared.ports.documents import Document, DocumentPage, Query

Ordered = str | int | float

_CONDITIONS = 32
_VALUES = 1024
_CURSOR_LENGTH = 16384
_MARK_SIZE = 16
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Position:
    """The last document of a page: its value of the order field (None when ordered by id) and its id."""

    value: Ordered | None
    id: str


def check_query(query: Query, *, by: str | None = None, orders: Collection[str] | None = None) -> None:
    """Raise InvalidInput for what no adapter can filter by, and for an order that `orders` does not have.

    Cosmos DB orders only by what it has a composite index for, so the others refuse it too where they know.
    """
    if len(query.equals) + len(query.prefix) + len(query.contains) > _CONDITIONS:
        raise InvalidInput(f"a query has at most {_CONDITIONS} conditions", path="query")
    for name, value in query.equals.items():
        check_field(name, path="equals")
        _check_values(name, value if isinstance(value, tuple) else (value,))
    for name, text in (*query.prefix.items(), *query.contains.items()):
        check_field(name, path="query")
        if not isinstance(text, str):
            raise InvalidInput(f"'{name}' is compared with {type(text).__name__}; only text can be", path=name)
        _check_values(name, (text,))
    if query.after:
        check_id(query.after, path="after")
    if query.order:
        _check_order(query.order, orders)
    if by is not None:
        check_field(by, path="by")


def _check_order(field: str, orders: Collection[str] | None) -> None:
    check_field(field, path="order")
    if orders is not None and field not in orders:
        raise InvalidInput(f"nothing is ordered by '{field}': name it in adapters/index.py", path="order")


def _check_values(name: str, values: tuple[Any, ...]) -> None:
    if len(values) > _VALUES:
        raise InvalidInput(f"'{name}' is compared with {len(values)} values; at most {_VALUES} fit", path=name)
    for value in values:
        if value is not None and not isinstance(value, str | int | float):
            raise InvalidInput(f"'{name}' is compared with {type(value).__name__}; only scalars can be", path=name)
        if isinstance(value, str) and not _storable(value):
            raise InvalidInput(f"'{name}' is compared with text that no document can hold", path=name)
        if isinstance(value, int | float) and not _countable(value):
            raise InvalidInput(f"'{name}' is compared with a number that no document can hold", path=name)


def _countable(number: float) -> bool:
    return -(2**63) <= number < 2**64 if isinstance(number, int) else math.isfinite(number)


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def check_limit(limit: int) -> None:
    """Raise InvalidInput unless a page of `limit` documents may be asked for."""
    if not 1 <= limit <= 1000:  # noqa: PLR2004 - the port's bound
        raise InvalidInput(f"limit {limit} is not between 1 and 1000", path="limit")


def page(tenant: str, kind: str, query: Query, found: Sequence[Document], limit: int) -> DocumentPage:
    """The first `limit` of what was found, and the cursor to the rest when more was found."""
    if len(found) <= limit:
        return DocumentPage(found, None)
    last = found[limit - 1]
    position = Position(last.body[query.order] if query.order else None, last.id)
    return DocumentPage(found[:limit], write_cursor(tenant, kind, query, position))


def tally(counts: Iterable[tuple[Any, int]]) -> dict[str, int]:
    """Counts by the text of each value: JSON, but text without quotes, nothing as "" and whole floats as integers."""
    total: dict[str, int] = {}
    for value, number in counts:
        text = _text(value)
        total[text] = total.get(text, 0) + number
    return total


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return orjson.dumps(value).decode()


def write_cursor(tenant: str, kind: str, query: Query, position: Position) -> str:
    """The cursor that resumes after `position` in this listing, and in no other."""
    content = orjson.dumps([position.value, position.id])
    return base64.urlsafe_b64encode(_mark(tenant, kind, query) + content).rstrip(b"=").decode()


def read_cursor(tenant: str, kind: str, query: Query, cursor: str | None) -> Position | None:
    """Where the page before ended; InvalidInput when the cursor came from another listing or was made up.

    The mark is a digest, not a secret: a forged cursor can only choose where the forger's own listing resumes.
    """
    check_scope(tenant, kind)
    if cursor is None:
        return None
    data = _decode(cursor)
    if data[:_MARK_SIZE] != _mark(tenant, kind, query):
        raise InvalidInput("the cursor belongs to another listing: start again without it", path="cursor")
    try:
        value, id_ = orjson.loads(data[_MARK_SIZE:])
    except ValueError as error:
        raise _not_ours() from error
    if not isinstance(id_, str) or not isinstance(value, str | int | float if query.order else NoneType):
        raise _not_ours()
    return Position(value, id_)


def _decode(cursor: str) -> bytes:
    if len(cursor) > _CURSOR_LENGTH:
        raise _not_ours()
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise _not_ours() from error


def _not_ours() -> InvalidInput:
    return InvalidInput("the cursor is not one this listing gave out: start again without it", path="cursor")


def _mark(tenant: str, kind: str, query: Query) -> bytes:
    conditions = (
        dict(query.equals),
        dict(query.prefix),
        dict(query.contains),
        query.after,
        query.order,
        query.descending,
    )
    listing = orjson.dumps([tenant, kind, conditions], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(listing, digest_size=_MARK_SIZE).digest()

"""Queries checked, cursors that only fit the listing they came from, and counts by value."""

import base64
import hashlib
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import orjson

from shared.adapters.record import check_field, check_id, check_scope
from shared.domain.error import InvalidInput
from shared.ports.documents import Document, DocumentPage, Query

OrderValue = str | int | float

_QUERY_CONDITIONS = 32
_CONDITION_VALUES = 1024
_CURSOR_CHARACTERS = 16384
_MARK_BYTES = 16
_EXACT_INTEGER_MAX = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class PagePosition:
    """The last document of a page: its value of the order field (None when ordered by id) and its id."""

    value: OrderValue | None
    id: str


def check_query(query: Query, *, by: str | None = None, orders: Collection[str] | None = None) -> None:
    """Raise InvalidInput for what no adapter can filter by, and for an order that `orders` does not have.

    Cosmos DB orders only by what it has a composite index for; the others reject the same where they know the indexes.
    """
    texts = (*query.prefix.items(), *query.contains.items(), *query.includes.items(), *query.at_least.items())
    if len(query.equals) + len(texts) > _QUERY_CONDITIONS:
        raise InvalidInput(f"a query has at most {_QUERY_CONDITIONS} conditions", path="query")
    for name, value in query.equals.items():
        check_field(name, path="equals")
        _check_values(name, value if isinstance(value, tuple) else (value,))
    for name, text in texts:
        check_field(name, path="query")
        if not isinstance(text, str):
            raise InvalidInput(f"'{name}' is compared with {type(text).__name__}; only text is allowed", path=name)
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
        raise InvalidInput(f"documents cannot be ordered by '{field}': add it to adapters/index.py", path="order")


def _check_values(name: str, values: tuple[Any, ...]) -> None:
    if len(values) > _CONDITION_VALUES:
        raise InvalidInput(
            f"'{name}' is compared with {len(values)} values; at most {_CONDITION_VALUES} are allowed", path=name
        )
    for value in values:
        if value is not None and not isinstance(value, str | int | float):
            raise InvalidInput(f"'{name}' is compared with {type(value).__name__}; only scalars are allowed", path=name)
        if isinstance(value, str) and ("\0" in value or _SURROGATE.search(value)):
            raise InvalidInput(f"'{name}' is compared with text that no document can hold", path=name)
        # JSON is written with integers of 64 bits, signed or unsigned.
        outside = isinstance(value, int) and not -(2**63) <= value < 2**64
        if outside or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidInput(f"'{name}' is compared with a number that no document can hold", path=name)


def check_limit(limit: int) -> None:
    """Raise InvalidInput unless a page of `limit` documents may be asked for."""
    if not 1 <= limit <= 1000:  # noqa: PLR2004 - the port's bound
        raise InvalidInput(f"limit {limit} is not between 1 and 1000", path="limit")


def page(tenant: str, kind: str, query: Query, found: Sequence[Document], limit: int) -> DocumentPage:
    """Return the first `limit` of what was found, and the cursor to the rest when more was found."""
    if len(found) <= limit:
        return DocumentPage(found, None)
    # One document more than asked for was read: it is there only to tell that there is a next page.
    last = found[limit - 1]
    position = PagePosition(last.body[query.order] if query.order else None, last.id)
    return DocumentPage(found[:limit], write_cursor(tenant, kind, query, position))


def count_by_value(counts: Iterable[tuple[Any, int]]) -> dict[str, int]:
    """Add up counts by the text of each value: JSON, but text without quotes, null as "", whole floats as integers."""
    total: dict[str, int] = {}
    for value, number in counts:
        if value is None or isinstance(value, str):
            text = value or ""
        # A store of doubles returns 3 as 3.0: both are one value. Beyond 2**53 a double stands for several integers.
        elif isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_INTEGER_MAX:
            text = str(int(value))
        else:
            text = orjson.dumps(value).decode()
        total[text] = total.get(text, 0) + number
    return total


def write_cursor(tenant: str, kind: str, query: Query, position: PagePosition) -> str:
    """Return the cursor that resumes after `position` in this listing, and in no other."""
    content = orjson.dumps([position.value, position.id])
    return base64.urlsafe_b64encode(_mark(tenant, kind, query) + content).rstrip(b"=").decode()


def read_cursor(tenant: str, kind: str, query: Query, cursor: str | None) -> PagePosition | None:
    """Return where the page before ended; InvalidInput when the cursor came from another listing or was made up.

    The mark is a digest, not a secret: a forged cursor can only choose where the forger's own listing resumes.
    """
    check_scope(tenant, kind)
    if cursor is None:
        return None
    if len(cursor) > _CURSOR_CHARACTERS:
        raise _not_ours()
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise _not_ours() from error
    if data[:_MARK_BYTES] != _mark(tenant, kind, query):
        raise InvalidInput("the cursor belongs to another listing: start again without it", path="cursor")
    try:
        value, id_ = orjson.loads(data[_MARK_BYTES:])
    except ValueError as error:
        raise _not_ours() from error
    if not isinstance(id_, str) or not isinstance(value, str | int | float if query.order else NoneType):
        raise _not_ours()
    return PagePosition(value, id_)


def _not_ours() -> InvalidInput:
    return InvalidInput("the cursor is not one this listing gave out: start again without it", path="cursor")


def _mark(tenant: str, kind: str, query: Query) -> bytes:
    conditions = (
        dict(query.equals),
        dict(query.prefix),
        dict(query.contains),
        dict(query.includes),
        dict(query.at_least),
        query.after,
        query.order,
        query.descending,
    )
    # The tenant is part of the digest, so that a cursor never opens the listing of another.
    listing = orjson.dumps([tenant, kind, conditions], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(listing, digest_size=_MARK_BYTES).digest()

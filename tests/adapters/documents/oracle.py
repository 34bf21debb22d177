"""The meaning of `Query`, written as plainly as it can be: what the stores' answers are compared with."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

from shared.ports.documents import Query

Bodies = Mapping[str, Mapping[str, Any]]


def listing(bodies: Bodies, query: Query) -> list[str]:
    """The ids that match, in order."""
    found = [id_ for id_, body in bodies.items() if _matches(id_, body, query)]
    return sorted(found, key=lambda id_: (*_rank(bodies[id_], query.order), id_), reverse=query.descending)


def count(bodies: Bodies, query: Query, by: str | None) -> dict[str, int]:
    """How many match, by the text of a field."""
    matching = [body for id_, body in bodies.items() if _matches(id_, body, query)]
    return {"": len(matching)} if by is None else dict(Counter(_text(body.get(by)) for body in matching))


def _matches(id_: str, body: Mapping[str, Any], query: Query) -> bool:
    return (
        id_ > query.after
        and all(_equal(body.get(name), wanted) for name, wanted in query.equals.items())
        and all(_starts(body.get(name), start) for name, start in query.prefix.items())
        and all(_has(body.get(name), member) for name, member in query.contains.items())
        and all(isinstance(body.get(name), str) and part in body[name] for name, part in query.includes.items())
        and all(isinstance(body.get(name), str) and body[name] >= least for name, least in query.at_least.items())
        and (not query.order or _ordered(body.get(query.order)))
    )


def _equal(value: Any, wanted: Any) -> bool:
    choices = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in choices)


def _starts(value: Any, start: str) -> bool:
    return isinstance(value, str) and value.startswith(start)


def _has(value: Any, member: str) -> bool:
    return isinstance(value, list) and any(isinstance(each, str) and each == member for each in value)


def _ordered(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _rank(body: Mapping[str, Any], order: str) -> tuple[Any, ...]:
    """Numbers before text."""
    value = body[order] if order else ""
    return (isinstance(value, str), value)


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return orjson.dumps(value).decode()

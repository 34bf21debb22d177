"""A query as SQL: its FROM, WHERE and ORDER BY, with every value a parameter."""

from dataclasses import dataclass, field
from typing import Any

from shared.adapters.listing import PagePosition
from shared.adapters.local import facet
from shared.ports.documents import Query

SqlValue = str | int | float | bytes | None


@dataclass
class SqliteQuery:
    """Collects the conditions of one query over one kind; `facets` are the fields that have a column."""

    tenant: str
    kind: str
    facets: frozenset[str]
    parameters: list[SqlValue] = field(default_factory=list)
    _conditions: list[str] = field(default_factory=list)
    _opens_body: bool = False

    def __post_init__(self) -> None:
        self.parameters.append(self.tenant)
        self._conditions.append("t.tenant = ?")
        if not self.facets:
            self._conditions.append(f"t.kind = '{self.kind}'")

    def add(self, query: Query) -> None:
        """Add the conditions of a checked query."""
        for name, wanted in query.equals.items():
            column, choices = self.value(name), wanted if isinstance(wanted, tuple) else (wanted,)
            values = [_parameter(choice) for choice in choices if choice is not None]
            match = f"{column} = ?" if len(values) == 1 else f"{column} IN ({', '.join('?' * len(values))})"
            # In SQL nothing equals NULL, which absent and null are.
            self._where(f"({match} OR {column} IS NULL)" if None in choices else match, *values)
        for name, start in query.prefix.items():
            self._start(self.value(name), start)
        for name, member in query.contains.items():
            column = self.value(name)
            members = f"json_each(CAST({column} AS TEXT)) AS m"
            held = f"EXISTS (SELECT 1 FROM {members} WHERE m.value = ? AND m.type = 'text')"  # noqa: S608 - names are checked
            # A CASE, not an AND: json_each fails on what is not JSON, and AND promises no order. x'5b' is "[".
            is_list = f"typeof({column}) = 'blob' AND substr({column}, 1, 1) = x'5b'"
            self._where(f"CASE WHEN {is_list} THEN {held} END", member)
        for name, part in query.includes.items():
            column = self.value(name)
            self._where(f"(typeof({column}) = 'text' AND instr({column}, ?) > 0)", part)
        for name, least in query.at_least.items():
            column = self.value(name)
            # To SQLite every blob, which booleans and lists are here, is greater than any text.
            self._where(f"(typeof({column}) = 'text' AND {column} >= ?)", least)
        if query.after:
            self._where("t.id > ?", query.after)
        if query.order:
            self._conditions.append(f"typeof({self.value(query.order)}) IN ('integer', 'real', 'text')")

    def resume(self, query: Query, position: PagePosition) -> None:
        """Keep only what comes after `position` in the query's order."""
        after = "<" if query.descending else ">"
        if not query.order:
            self._where(f"t.id {after} ?", position.id)
            return
        column, value = self.value(query.order), _parameter(position.value)
        # The first condition is implied by the second, but it is the one an index can serve.
        self._where(f"{column} {after}= ?", value)
        self._where(f"({column} {after} ? OR t.id {after} ?)", value, position.id)

    def value(self, name: str) -> str:
        """Return the SQL for a field: its facet column, or the field read out of the body."""
        if name in self.facets:
            return f"t.f_{name}"
        self._opens_body = True
        return facet.value("d.body" if self.facets else "t.body", name)

    def page(self, query: Query) -> str:
        """Return a SELECT of id, etag and body in the query's order; its last parameter is the limit."""
        way = "DESC" if query.descending else "ASC"
        key = self.value(query.order) if query.order else "NULL"
        order = f"ORDER BY {key} {way}, t.id {way}" if query.order else f"ORDER BY t.id {way}"
        inner = f"SELECT t.number, t.id, {key} AS position {self._source} {order} LIMIT ?"
        return (
            # The inner query finds a page in the narrow table; only its documents are then read with their bodies.
            f"SELECT d.id, d.etag, d.body FROM ({inner})"  # noqa: S608 - names are checked
            f" AS p CROSS JOIN documents AS d ON d.number = p.number ORDER BY p.position {way}, p.id {way}"
        )

    def count(self, by: str | None) -> str:
        """Return a SELECT of the values of `by` and how many documents have each; of NULL and all without it."""
        if by is None:
            return f"SELECT NULL, count(*) {self._source}"
        column = self.value(by)
        return f"SELECT {column}, count(*) {self._source} GROUP BY {column}"

    @property
    def _source(self) -> str:
        """Return the FROM and WHERE clauses; `t` is the table that has number, tenant and id."""
        table = facet.table(self.kind) if self.facets else "documents"
        join = " CROSS JOIN documents AS d ON d.number = t.number" if self.facets and self._opens_body else ""
        return f"FROM {table} AS t{join} WHERE {' AND '.join(self._conditions)}"

    def _where(self, condition: str, *parameters: SqlValue) -> None:
        self._conditions.append(condition)
        self.parameters.extend(parameters)

    def _start(self, column: str, start: str) -> None:
        end = _successor(start)
        if not start:
            self._where(f"typeof({column}) = 'text'")
        elif end:
            self._where(f"{column} >= ? AND {column} < ?", start, end)
        else:
            self._where(f"substr({column}, 1, ?) = ?", len(start), start)


def _parameter(value: Any) -> SqlValue:  # noqa: ANN401 - checked to be a scalar
    # Facets and bodies hold booleans as the blob of their JSON (see `facet.value`).
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int) and value >= 2**63:  # SQLite reads such JSON numbers as floats too
        return float(value)
    return value  # type: ignore[no-any-return] # checked to be text or a number


def _successor(text: str) -> str:
    """Return the least text greater than everything that starts with `text`; empty when there is none."""
    stem = text.rstrip("\U0010ffff")
    if not stem:
        return ""
    following = ord(stem[-1]) + 1
    # The surrogates are not characters: after U+D7FF comes U+E000.
    return stem[:-1] + ("\ue000" if following == 0xD800 else chr(following))  # noqa: PLR2004 - the surrogates' start

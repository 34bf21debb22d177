"""Facets: for the kinds that are filtered, a narrow table of the filtered fields next to the documents.

A body of some kilobytes is read and parsed to look at one field of it; a facet row holds just the fields, typed, with
an index for each. Triggers keep the rows in step, so that every writer does, whatever it knows of them. All SQL text
here is made of names that `check_scope` and `check_field` let through.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from shared.adapters.record import check_field, check_scope

_TOGETHER: Mapping[str, Sequence[Sequence[str]]] = {
    "resource": (("subscription", "gone"), ("subscription", "gone", "type"))
}
"""Fields that are filtered together, by kind. Given an index for each, SQLite takes one, and reads all that it holds:
of every subscription, say, what is not gone. The id comes last, for pages in its order."""


def table(kind: str) -> str:
    """Return the quoted name of a kind's facet table."""
    return f'"facet_{kind}"'


def value(body: str, field: str) -> str:
    """Return the SQL for a field of the JSON text `body`, in a form that compares and sorts as the field does.

    Numbers and text are themselves, absent and null are NULL; booleans, lists and objects are the blob of their
    JSON, because SQLite would make a boolean a number and a list the text of it.
    """
    path = f"'$.{field}'"
    json = f"CAST({body} -> {path} AS BLOB)"
    # A CASE of four, not an IN: in a trigger SQLite builds the list of an IN again for every row.
    blobs = " ".join(f"WHEN '{kind}' THEN {json}" for kind in ("true", "false", "array", "object"))
    return f"CASE json_type({body}, {path}) {blobs} ELSE json_extract({body}, {path}) END"


def prepare(connection: sqlite3.Connection, indexes: Mapping[str, Sequence[str]]) -> None:
    """Make or widen the facet tables so that each kind has the fields named for it; fields are never taken away."""
    for kind, fields in indexes.items():
        check_scope("any", kind)
        for field in fields:
            check_field(field, path="indexes")
        present = _fields(connection, kind)
        missing = [field for field in dict.fromkeys(fields) if field not in present]
        if missing:
            _rebuild(connection, kind, [*present, *missing])
        for together in _TOGETHER.get(kind, ()):
            if {*present, *fields}.issuperset(together):
                _index_together(connection, kind, together)


def read(connection: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """Return the facets the file has, by kind."""
    names = connection.execute(
        r"SELECT substr(name, 7) FROM sqlite_master WHERE type = 'table' AND name GLOB 'facet_*'"
    )
    return {kind: frozenset(_fields(connection, kind)) for (kind,) in names.fetchall()}


def _fields(connection: sqlite3.Connection, kind: str) -> list[str]:
    columns = connection.execute("SELECT name FROM pragma_table_info(?)", (table(kind).strip('"'),)).fetchall()
    return [name.removeprefix("f_") for (name,) in columns if name.startswith("f_")]


def _rebuild(connection: sqlite3.Connection, kind: str, fields: Sequence[str]) -> None:
    columns = ", ".join(f"f_{field}" for field in fields)
    connection.execute(f"DROP TABLE IF EXISTS {table(kind)}")
    connection.execute(
        f"CREATE TABLE {table(kind)} (number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL,"
        f" {columns.replace(',', ' ANY,')} ANY) STRICT"
    )
    for field in fields:
        # One index finds by the field, orders by it, and breaks ties by id.
        connection.execute(f'CREATE INDEX "facet_{kind}_{field}" ON {table(kind)} (tenant, f_{field}, id)')
    connection.execute(f'CREATE UNIQUE INDEX "facet_{kind}_by_id" ON {table(kind)} (tenant, id)')
    select = f"SELECT number, tenant, id, {', '.join(value('body', field) for field in fields)} FROM documents"  # noqa: S608 - names are checked
    connection.execute(f"INSERT INTO {table(kind)} (number, tenant, id, {columns}) {select} WHERE kind = ?", (kind,))
    _follow(connection, kind, fields)


def _index_together(connection: sqlite3.Connection, kind: str, fields: Sequence[str]) -> None:
    columns = ", ".join(f"f_{field}" for field in fields)
    name = f'"facet_{kind}_{"_".join(fields)}"'
    connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table(kind)} (tenant, {columns}, id)")


def _follow(connection: sqlite3.Connection, kind: str, fields: Sequence[str]) -> None:
    values = ", ".join(value("NEW.body", field) for field in fields)
    columns = ", ".join(f"f_{field}" for field in fields)
    insert = (
        f"INSERT INTO {table(kind)} (number, tenant, id, {columns}) VALUES (NEW.number, NEW.tenant, NEW.id, {values})"  # noqa: S608 - names are checked
    )
    update = f"UPDATE {table(kind)} SET ({columns}) = ({values}) WHERE number = NEW.number"  # noqa: S608 - names are checked
    delete = f"DELETE FROM {table(kind)} WHERE number = OLD.number"  # noqa: S608 - names are checked
    for event, row, statement in (("INSERT", "NEW", insert), ("UPDATE", "NEW", update), ("DELETE", "OLD", delete)):
        name = f'"follow_{kind}_{event.lower()}"'
        # Triggers are part of the file, so that a process of an older version keeps the facets in step too.
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        connection.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON documents WHEN {row}.kind = '{kind}' BEGIN {statement}; END"
        )

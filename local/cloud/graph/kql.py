"""The part of the Kusto query language that collectors use, parsed and turned into SQL.

    resources | where type =~ 'x' and subscriptionId == 'y' | project id, name, tls = properties.minimumTlsVersion
              | order by id asc | take 10

`where` joins comparisons with `and`: ==, =~, !=, !~, <, >, <=, >=, in, in~, !in, !in~, startswith, contains, has,
isnotempty(x), isempty(x). `extend` names a column as text, as a time, which is compared with datetime(...), or as the
beginning of a text in lower case, by which children are found:

    resourcechanges | extend changed = todatetime(properties.changeAttributes.timestamp) | where changed >= datetime(…)
    resources | extend vm = tolower(substring(id, 0, indexof(id, '/extensions/'))) | where vm in~ ('…')

`order by` takes columns and conversions of them: `tolower(id) asc`.
`summarize count() by a, b` or `count` end a query. Anything else is a QueryError, as
Resource Graph refuses what it does not know. Source: Azure Resource Graph, "Understanding the query language".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.resource import Json

TABLES = frozenset({
    "resources", "resourcecontainers", "policyresources", "authorizationresources", "securityresources",
    "resourcechanges", "resourcecontainerchanges",
})  # fmt: skip
COLUMNS = (
    "id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy",
    "sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation",
)  # fmt: skip
_COMPUTED_COLUMNS = {
    "id": "key",
    "type": "type",
    "resourceGroup": "grp",
    "subscriptionId": "subscription",
    "name": "coalesce(json_extract(body, '$.name'), json_extract(body, '$.displayName'))",
    "location": "lower(replace(json_extract(body, '$.location'), ' ', ''))",
}
# {0} is the SQL of a column, {1} a parameter or a list of them: values never become part of the SQL text.
_COMPARISONS = {
    "==": "{0} = {1}",
    "=~": "lower({0}) = lower({1})",
    "!=": "{0} IS NOT {1}",
    "!~": "lower({0}) IS NOT lower({1})",
    "<": "{0} < {1}",
    ">": "{0} > {1}",
    "<=": "{0} <= {1}",
    ">=": "{0} >= {1}",
    "startswith": "instr(lower({0}), lower({1})) = 1",
    "contains": "instr(lower({0}), lower({1})) > 0",
    "has": "instr(lower({0}), lower({1})) > 0",
}
_LISTS = {
    "in": "{0} IN ({1})",
    "in~": "lower({0}) IN ({1})",
    "!in": "{0} NOT IN ({1})",
    "!in~": "lower({0}) NOT IN ({1})",
}
_TESTS = {"isnotempty": "coalesce({0}, '') != ''", "isempty": "coalesce({0}, '') = ''"}
_CONVERSIONS = {"tostring": "{0}", "todatetime": "julianday({0})", "tolower": "lower({0})"}
_LITERALS = {"true": 1, "false": 0}
# A word may begin with ! and end with ~: `!in~` is one token.
_TOKEN = re.compile(
    r"""\s*(?:datetime\((?P<time>[^)]*)\)|(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>\d+)"""
    r"""|(?P<word>!?[A-Za-z_][\w-]*~?)|(?P<sign>==|=~|!=|!~|<=|>=|[|().,=<>\[\]]))"""
)


class QueryError(Exception):
    """A query that cannot be parsed; the message says where."""


class TableError(QueryError):
    """A query of a table that is not there; the message is Resource Graph's."""


@dataclass(frozen=True, slots=True)
class KqlPath:
    """A column, or a member below it, with the function that converts it, if any.

    `end` is the text at which the value is cut off, None for a whole value.
    """

    parts: tuple[str, ...]
    conversion: str = "tostring"
    end: str | None = None

    @property
    def sql(self) -> str:
        """Return an SQL expression for its value. Parts are words of the grammar, so they need no escaping."""
        made = _COMPUTED_COLUMNS.get(self.parts[0]) if len(self.parts) == 1 else None
        made = made or "json_extract(body, '$" + "".join(f'."{part}"' for part in self.parts) + "')"
        if self.end is not None:
            made = f"substr({made}, 1, instr({made}, '{self.end}') - 1)"
        return _CONVERSIONS[self.conversion].format(made)


@dataclass(frozen=True, slots=True)
class KqlQuery:
    """A parsed query. `columns` are output names and paths; None is all columns.

    `by` is what a `summarize count()` groups by, None without one; `total` is the name of the count's column.
    """

    table: str
    conditions: tuple[tuple[str, tuple[Json, ...]], ...] = ()
    columns: tuple[tuple[str, KqlPath], ...] | None = None
    order: tuple[tuple[KqlPath, bool], ...] = ()
    take: int | None = None
    by: tuple[tuple[str, KqlPath], ...] | None = None
    total: str = "count_"


def parse_query(text: str) -> KqlQuery:
    """Parse a query; QueryError when it is not one."""
    return _Parser(text).query()


class _Parser:
    """Reads tokens from left to right; every method reads one part of the language."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._extended: dict[str, KqlPath] = {}

    def query(self) -> KqlQuery:
        table = self._word().lower()
        if table not in TABLES:
            raise TableError(f"Table {table} is invalid, unsupported or disallowed.")
        query = KqlQuery(table)
        while self._accept("|"):
            if query.by is not None:
                raise QueryError("Nothing may follow 'summarize' or 'count'.")
            name = self._word()
            read = _OPERATORS.get(name)
            if read is None:
                raise QueryError(f"The operator '{name}' is not supported.")
            query = read(self, query)
        if self._at < len(self._tokens):
            raise self._unexpected()
        return query

    def where(self, query: KqlQuery) -> KqlQuery:
        conditions = [self._condition()]
        while self._accept("and"):
            conditions.append(self._condition())
        return replace(query, conditions=(*query.conditions, *conditions))

    def extend(self, query: KqlQuery) -> KqlQuery:
        for name, path in list(self._listed(self._extension)):
            self._extended[name] = path
        return query

    def project(self, query: KqlQuery) -> KqlQuery:
        return replace(query, columns=self._columns())

    def order(self, query: KqlQuery) -> KqlQuery:
        self._expect("by")
        return replace(query, order=tuple(self._listed(self._sort)))

    def take(self, query: KqlQuery) -> KqlQuery:
        return replace(query, take=int(self._next("number")))

    def summarize(self, query: KqlQuery) -> KqlQuery:
        name = self._word()
        total = "count_"
        if self._accept("="):
            total, name = name, self._word()
        if name != "count":
            raise QueryError(f"The aggregation '{name}' is not supported.")
        self._expect("(")
        self._expect(")")
        return replace(query, by=self._columns() if self._accept("by") else (), total=total)

    def count(self, query: KqlQuery) -> KqlQuery:
        return replace(query, by=(), total="Count")

    def _columns(self) -> tuple[tuple[str, KqlPath], ...]:
        return tuple(self._listed(self._column))

    def _column(self) -> tuple[str, KqlPath]:
        name = self._peek()
        first = self._path()  # either a column, or the name of an output column before "="
        if len(first.parts) == 1 and self._accept("="):
            return first.parts[0], self._path(column=True)
        self._check(first)
        return name if name in self._extended else "_".join(first.parts), first

    def _extension(self) -> tuple[str, KqlPath]:
        name = self._word()
        self._expect("=")
        return name, self._converted() if self._peek() in _CONVERSIONS else self._path(column=True)

    def _converted(self) -> KqlPath:
        conversion = self._word()
        self._expect("(")
        path = self._beginning() if self._accept("substring") else self._path(column=True)
        self._expect(")")
        return replace(path, conversion=conversion)

    def _beginning(self) -> KqlPath:
        """Read the rest of `substring(x, 0, indexof(x, 'text'))`: what of a value comes before a text."""
        self._expect("(")
        path = self._path(column=True)
        for each in (",", "0", ",", "indexof", "("):
            self._expect(each)
        if self._path(column=True) != path:
            raise self._unexpected()
        self._expect(",")
        end = self._quoted()
        self._expect(")")
        self._expect(")")
        return replace(path, end=end)

    def _sort(self) -> tuple[KqlPath, bool]:
        path = self._converted() if self._peek() in _CONVERSIONS else self._path(column=True)
        descending = not self._accept("asc")  # Kusto sorts downwards unless asked otherwise
        if descending:
            self._accept("desc")
        return path, descending

    def _condition(self) -> tuple[str, tuple[Json, ...]]:
        name = self._peek()
        if name in _TESTS:
            self._at += 1
            self._expect("(")
            path = self._path(column=True)
            self._expect(")")
            return _TESTS[name].format(path.sql), ()
        return self._comparison(self._path(column=True))

    def _comparison(self, path: KqlPath) -> tuple[str, tuple[Json, ...]]:
        sign = self._peek()
        self._at += 1
        if sign in _COMPARISONS:
            if path.conversion == "todatetime":
                return _COMPARISONS[sign].format(path.sql, "julianday(?)"), (self._time(),)
            value = self._value()
            return _COMPARISONS[sign].format(path.sql, "?"), (_like(path, value, sign),)
        if sign in _LISTS:
            self._expect("(")
            values = [_like(path, value, sign) for value in self._listed(self._value)]
            self._expect(")")
            return _LISTS[sign].format(path.sql, ", ".join("?" * len(values))), tuple(values)
        # Back to the token that the error is to name.
        self._at -= 1
        raise self._unexpected()

    def _time(self) -> str:
        text = self._next("time")
        try:
            return datetime.fromisoformat(text.strip()).isoformat()
        except ValueError:
            raise QueryError(f"'{text}' is not a time.") from None

    def _value(self) -> Json:
        kind, value = self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")
        self._at += 1
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", value[1:-1])
        if kind == "number":
            return int(value)
        if value in _LITERALS:
            return _LITERALS[value]
        raise QueryError(f"A value was expected, not '{value}'.")

    def _path(self, *, column: bool = False) -> KqlPath:
        parts = [self._word()]
        while True:
            if self._accept("."):
                parts.append(self._word())
            elif self._accept("["):
                parts.append(self._quoted())
                self._expect("]")
            else:
                break
        made = self._extended.get(parts[0])
        path = KqlPath((*made.parts, *parts[1:]), made.conversion, made.end) if made else KqlPath(tuple(parts))
        if column:
            self._check(path)
        return path

    def _quoted(self) -> str:
        # Quotes inside are left out: they would end the text in the SQL.
        return self._next("text")[1:-1].replace('"', "").replace("'", "")

    def _check(self, path: KqlPath) -> None:
        if path.parts[0] not in COLUMNS:
            raise QueryError(f"The column '{path.parts[0]}' could not be resolved.")

    def _listed[T](self, read: Callable[[], T]) -> Iterator[T]:
        yield read()
        while self._accept(","):
            yield read()

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _accept(self, value: str) -> bool:
        if self._peek() != value:
            return False
        self._at += 1
        return True

    def _expect(self, value: str) -> None:
        if not self._accept(value):
            raise self._unexpected()

    def _word(self) -> str:
        return self._next("word")

    def _next(self, kind: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != kind:
            raise self._unexpected()
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _unexpected(self) -> QueryError:
        return QueryError(f"Query could not be parsed at '{self._peek()}'.")


_OPERATORS: Mapping[str, Callable[[_Parser, KqlQuery], KqlQuery]] = {
    "where": _Parser.where,
    "extend": _Parser.extend,
    "project": _Parser.project,
    "order": _Parser.order,
    "sort": _Parser.order,
    "take": _Parser.take,
    "limit": _Parser.take,
    "summarize": _Parser.summarize,
    "count": _Parser.count,
}


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if not found or not found.lastgroup:
            raise QueryError(f"Query could not be parsed at '{text[position : position + 20].strip()}'.")
        yield found.lastgroup, found[found.lastgroup]
        position = found.end()


def _like(path: KqlPath, value: Json, sign: str) -> Json:
    """Return the value in lower case where the column is: ids, which are stored so, and the lists of in~ and !in~."""
    return value.lower() if isinstance(value, str) and (path.parts == ("id",) or sign.endswith("in~")) else value

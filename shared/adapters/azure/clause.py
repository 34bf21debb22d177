"""A query as Cosmos DB's SQL, within one partition, with every value a parameter."""

from dataclasses import dataclass, field
from typing import Any

from shared.adapters.listing import Position
from shared.ports.documents import Query


@dataclass
class Clause:
    """Collects the conditions of one query over one partition."""

    partition: str
    _values: list[Any] = field(default_factory=list)
    _conditions: list[str] = field(default_factory=list)

    def add(self, query: Query) -> None:
        """Take over the conditions of a checked query."""
        for name, wanted in query.equals.items():
            self._equal(_path(name), wanted if isinstance(wanted, tuple) else (wanted,))
        for name, start in query.prefix.items():
            self._conditions.append(f"(IS_STRING({_path(name)}) AND STARTSWITH({_path(name)}, {self._value(start)}))")
        for name, member in query.contains.items():
            self._conditions.append(
                f"(IS_ARRAY({_path(name)}) AND ARRAY_CONTAINS({_path(name)}, {self._value(member)}))"
            )
        if query.after:
            self._conditions.append(f"c.key > {self._value(query.after)}")
        if query.order:
            self._conditions.append(f"(IS_NUMBER({_path(query.order)}) OR IS_STRING({_path(query.order)}))")

    def resume(self, query: Query, position: Position) -> None:
        """Only what comes after `position` in the query's order: numbers, then text."""
        after = "<" if query.descending else ">"
        by_id = f"c.key {after} {self._value(position.id)}"
        if not query.order:
            self._conditions.append(by_id)
            return
        path, value = _path(query.order), self._value(position.value)
        later = f"{path} {after} {value} OR ({path} = {value} AND {by_id})"
        # Cosmos DB compares within one type only.
        if isinstance(position.value, str) == query.descending:
            later += f" OR {'IS_NUMBER' if query.descending else 'IS_STRING'}({path})"
        self._conditions.append(f"({later})")

    def page(self, query: Query, limit: int) -> str:
        """A SELECT of whole items in the query's order."""
        way = "DESC" if query.descending else "ASC"
        order = f"{_path(query.order)} {way}, c.key {way}" if query.order else f"c.key {way}"
        return f"SELECT TOP {int(limit)} * {self._source} ORDER BY {order}"

    def count(self) -> str:
        """A SELECT of how many items match; its answers add up."""
        return f"SELECT VALUE COUNT(1) {self._source}"

    def values(self, name: str) -> str:
        """A SELECT of one field of every item that matches."""
        return f"SELECT {_path(name)} AS v {self._source}"

    def names(self) -> str:
        """A SELECT of the ids alone."""
        return f"SELECT c.key AS v {self._source}"

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """The values, under the names they have in the query."""
        return [{"name": "@pk", "value": self.partition}] + [
            {"name": f"@v{number}", "value": value} for number, value in enumerate(self._values)
        ]

    @property
    def _source(self) -> str:
        return f"FROM c WHERE {' AND '.join(['c.pk = @pk', *self._conditions])}"

    def _value(self, value: Any) -> str:  # noqa: ANN401 - checked to be a scalar
        self._values.append(value)
        return f"@v{len(self._values) - 1}"

    def _equal(self, path: str, wanted: tuple[Any, ...]) -> None:
        values = [self._value(value) for value in wanted if value is not None]
        choices = [f"{path} IN ({', '.join(values)})"] if values else []
        if None in wanted:
            choices.append(f"NOT IS_DEFINED({path}) OR IS_NULL({path})")
        self._conditions.append(f"({' OR '.join(choices)})" if choices else "false")


def _path(name: str) -> str:
    return f'c.body["{name}"]'

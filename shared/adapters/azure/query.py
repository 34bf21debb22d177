"""A query as Cosmos DB's SQL, within one partition, with every value a parameter."""

from dataclasses import dataclass, field
from typing import Any

from shared.adapters.listing import PagePosition
from shared.ports.documents import Query


@dataclass
class CosmosQuery:
    """Collects the conditions of one query over one partition."""

    partition: str
    _values: list[Any] = field(default_factory=list)
    _conditions: list[str] = field(default_factory=list)

    def add(self, query: Query) -> None:
        """Add the conditions of a checked query."""
        for name, wanted in query.equals.items():
            path, choices = _path(name), wanted if isinstance(wanted, tuple) else (wanted,)
            values = [self._value(choice) for choice in choices if choice is not None]
            matches = [f"{path} IN ({', '.join(values)})"] if values else []
            # An undefined member never equals null in Cosmos DB's SQL, so None needs a condition of its own.
            if None in choices:
                matches.append(f"NOT IS_DEFINED({path}) OR IS_NULL({path})")
            self._conditions.append(f"({' OR '.join(matches)})" if matches else "false")
        self._add_texts(query)
        if query.after:
            self._conditions.append(f"c.key > {self._value(query.after)}")
        if query.order:
            self._conditions.append(f"(IS_NUMBER({_path(query.order)}) OR IS_STRING({_path(query.order)}))")

    def resume(self, query: Query, position: PagePosition) -> None:
        """Keep only what comes after `position` in the query's order: numbers, then text."""
        after = "<" if query.descending else ">"
        by_id = f"c.key {after} {self._value(position.id)}"
        if not query.order:
            self._conditions.append(by_id)
            return
        path, value = _path(query.order), self._value(position.value)
        # Keyset paging: continue after the last value, and among equal values after the last id.
        later = f"{path} {after} {value} OR ({path} = {value} AND {by_id})"
        # Cosmos DB compares within one type only.
        if isinstance(position.value, str) == query.descending:
            later += f" OR {'IS_NUMBER' if query.descending else 'IS_STRING'}({path})"
        self._conditions.append(f"({later})")

    def page(self, query: Query, limit: int) -> str:
        """Return a SELECT of whole items in the query's order."""
        way = "DESC" if query.descending else "ASC"
        order = f"{_path(query.order)} {way}, c.key {way}" if query.order else f"c.key {way}"
        return f"SELECT TOP {int(limit)} * {self._source} ORDER BY {order}"

    def count(self) -> str:
        """Return a SELECT of how many items match; its answers add up."""
        return f"SELECT VALUE COUNT(1) {self._source}"

    def values(self, name: str) -> str:
        """Return a SELECT of one field of every item that matches."""
        return f"SELECT {_path(name)} AS v {self._source}"

    def names(self) -> str:
        """Return a SELECT of the ids alone."""
        return f"SELECT c.key AS v {self._source}"

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Return the values, under the names they have in the query."""
        return [{"name": "@pk", "value": self.partition}] + [
            {"name": f"@v{number}", "value": value} for number, value in enumerate(self._values)
        ]

    @property
    def _source(self) -> str:
        return f"FROM c WHERE {' AND '.join(['c.pk = @pk', *self._conditions])}"

    def _add_texts(self, query: Query) -> None:
        """Add the conditions that look into texts and lists of them."""
        for name, start in query.prefix.items():
            self._conditions.append(f"(IS_STRING({_path(name)}) AND STARTSWITH({_path(name)}, {self._value(start)}))")
        for name, member in query.contains.items():
            self._conditions.append(
                f"(IS_ARRAY({_path(name)}) AND ARRAY_CONTAINS({_path(name)}, {self._value(member)}))"
            )
        for name, part in query.includes.items():
            self._conditions.append(f"(IS_STRING({_path(name)}) AND CONTAINS({_path(name)}, {self._value(part)}))")
        for name, least in query.at_least.items():
            self._conditions.append(f"(IS_STRING({_path(name)}) AND {_path(name)} >= {self._value(least)})")

    def _value(self, value: Any) -> str:  # noqa: ANN401 - checked to be a scalar
        self._values.append(value)
        return f"@v{len(self._values) - 1}"


def _path(name: str) -> str:
    return f'c.body["{name}"]'

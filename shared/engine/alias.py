"""Aliases: names of properties in the policy language, and the paths they stand for by type and api-version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import chain
from typing import Self

from shared.domain.resource import Json
from shared.engine.alias_table import AliasTable, AliasTuple, Capability, pack

_NEAR_TYPE, _NEAR_NAME = 0.9, 0.8
"""How alike two spellings are, of 1, where one may be meant by the other: before the last slash, and after it."""
_SUGGESTED_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Alias:
    """One row of the catalog: where the property is in the bodies of `types` (lower case; empty: of any type).

    `versions` maps an api-version to the path it uses where that differs from `path`, and to "" the newest one whose
    bodies do not have the property; `modifiable` is None where the source does not say.
    """

    name: str
    path: str
    types: frozenset[str]
    versions: Mapping[str, str] = field(default_factory=dict)
    modifiable: bool | None = None

    def at(self, api_version: str | None) -> str:
        """Return the path for an api-version."""
        return self.versions.get(api_version or "") or self.path

    def lacks(self, api_version: str | None) -> bool:
        """Return whether bodies of an api-version are known not to have the property, so that it is not read."""
        if api_version is None or self.versions.get(api_version):
            return False
        return any(not path and api_version <= version for version, path in self.versions.items())


class AliasCatalog:
    """Aliases by name, compared without case. Immutable once built; picklable; safe to share between threads.

    A `table` is asked for what the rows and facts do not tell; it is not read as long as they tell everything. `as_of`
    is the date of a listing that was read from a cloud.
    """

    __slots__ = ("_as_of", "_capabilities", "_rows", "_table")

    def __init__(
        self,
        rows: Mapping[str, tuple[AliasTuple, ...]],
        capabilities: Mapping[str, Capability] | None = None,
        table: AliasTable | None = None,
        as_of: str = "",
    ) -> None:
        self._rows = rows
        self._capabilities = capabilities or {}
        self._table = table
        self._as_of = as_of

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Json]],
        types: Iterable[Mapping[str, Json]] = (),
        *,
        table: AliasTable | None = None,
        as_of: str = "",
    ) -> Self:
        """Read rows {name, path, types, paths?, modifiable?}, several per name allowed, and facts about types.

        Facts are {type, supportsTags?, hasLocations?, kind?}: what mode Indexed goes by.
        Example: `AliasCatalog.from_rows(json.loads(line) for line in gzip.open("aliases.jsonl.gz"))`.
        """
        found: dict[str, tuple[AliasTuple, ...]] = {}
        for source in rows:
            key = source["name"].lower()
            found[key] = (*found.get(key, ()), _row(source))
        facts = {
            row["type"].lower(): Capability(row.get("supportsTags"), row.get("hasLocations"), row.get("kind"))
            for row in types
        }
        return cls(found, facts, table, as_of)

    @classmethod
    def from_providers(cls, listing: Json, *, as_of: str = "") -> Self:
        """Read Azure's provider listing (`GET /providers?$expand=resourceTypes/aliases`), a list or under `value`.

        `as_of` is the date it was read, in ISO 8601. A type that is listed without capabilities stays unknown: some
        providers leave them out.
        """
        rows, facts = provider_rows(listing)
        return cls.from_rows(rows, facts, as_of=as_of)

    def merge(self, other: "AliasCatalog") -> "AliasCatalog":
        """Return both catalogs as one; where both know a name or a fact on a type, `other` wins."""
        rows = {**self._rows, **other._rows}  # noqa: SLF001 - of the same class
        for name in self._rows.keys() & other._rows:  # noqa: SLF001 - of the same class
            rows[name] = _with_versions(rows[name], self._rows[name])
        known = self._capabilities
        facts = {name: each.completed(known.get(name, _UNKNOWN)) for name, each in other._capabilities.items()}  # noqa: SLF001 - of the same class
        table, as_of = other._table or self._table, other._as_of or self._as_of  # noqa: SLF001 - of the same class
        return AliasCatalog(rows, {**known, **facts}, table, as_of)

    def only(self, names: Iterable[str], types: Iterable[str] | None = None) -> "AliasCatalog":
        """Return the part of the catalog that holds these names, and the facts on these types (None: on every type)."""
        keys = {key for name in names for key in (name.lower(), name.lower() + "[*]")}
        rows = {key: found for key in keys if (found := self._named(key))}
        if types is None:
            return AliasCatalog(rows, self._capabilities, self._table)
        return AliasCatalog(rows, {each: self.capability(each) for each in types})

    def pack(self, *, as_of: str) -> bytes:
        """Return the archive that an `AliasTable` reads; `as_of` is the date of the facts, in ISO 8601."""
        return pack(chain.from_iterable(self._rows.values()), self._capabilities, as_of=as_of)

    @property
    def as_of(self) -> str:
        """Return the date of the newest listing in it, in ISO 8601; empty where none has a date."""
        return self._as_of or ("" if self._table is None else self._table.as_of)

    def __contains__(self, name: str) -> bool:
        low = name.lower()
        return bool(self._named(low) or self._named(low + "[*]"))

    def __len__(self) -> int:
        """Return how many names it has besides those of the table."""
        return len(self._rows)

    def rows(self, name: str) -> tuple[Alias, ...]:
        """Return every row of a name; none for an unknown one. An array is known where the alias of its members is."""
        low = name.lower()
        if found := self._named(low):
            return tuple(map(_alias, found))
        return tuple(_array_alias(_alias(row)) for row in self._named(low + "[*]"))

    def versions(self, name: str) -> frozenset[str]:
        """Return the api-versions with a path of their own for an alias."""
        return frozenset(version for version, path in self._versions(name) if path)

    def newest_without(self, name: str) -> str:
        """Return the newest api-version whose bodies do not have the property of an alias; "" where all may."""
        return max((version for version, path in self._versions(name) if not path), default="")

    def _versions(self, name: str) -> Iterable[tuple[str, str]]:
        low = name.lower()
        return chain.from_iterable(row[4] for row in self._named(low) or self._named(low + "[*]"))

    def find(self, name: str, resource_type: str) -> Alias | None:
        """Return the row that applies to a type (lower case); None where the name is known but not for this type."""
        found = self._named(name.lower())
        if not found:
            rows = self.rows(name)
            exact = next((row for row in rows if resource_type in row.types), None)
            return exact or next((row for row in rows if not row.types or not resource_type), None)
        # Rows are searched as they are kept; an object is made of the one that is found.
        for row in found:
            if resource_type in row[2].split("|"):
                return _alias(row)
        return next((_alias(row) for row in found if not row[2] or not resource_type), None)

    @property
    def has_types(self) -> bool:
        """Return whether it has facts on resource types, so that a type without facts is one that nobody knows."""
        return bool(self._capabilities) or self._table is not None

    def capability(self, resource_type: str) -> Capability:
        """Return what is known of a resource type (lower case)."""
        known = self._capabilities.get(resource_type, _UNKNOWN)
        if self._table is None or (known.tags is not None and known.location is not None):
            return known  # the table is not read for what is known
        return known.completed(self._table.capability(resource_type))

    def suggest(self, name: str) -> str | None:
        """Return the known name that an unknown one is a near spelling of, for messages; None where none is near."""
        group, _, rest = name.lower()[:_SUGGESTED_CHARACTERS].rpartition("/")
        near = group if self._names(group) else _nearest(group, self._groups(group.partition("/")[0]), _NEAR_TYPE)
        found = None if near is None else _nearest(rest, self._names(near), _NEAR_NAME)
        return self._named(f"{near}/{found}")[0][0] if found else None

    def _groups(self, namespace: str) -> set[str]:
        """Return what stands before the last slash in the aliases of a resource provider (lower case)."""
        own = {key.rpartition("/")[0] for key in self._rows if key.startswith(f"{namespace}/")}
        return own if self._table is None else own.union(self._table.groups(namespace))

    def _names(self, group: str) -> set[str]:
        """Return what follows the last slash in the aliases of a group (lower case)."""
        own = {name for before, _, name in (key.rpartition("/") for key in self._rows) if before == group}
        return own if self._table is None else own.union(self._table.names(group))

    def _named(self, low: str) -> tuple[AliasTuple, ...]:
        """Return the rows of a name (lower case), the table's where it has none of its own."""
        return self._rows.get(low) or (() if self._table is None else self._table.rows(low))


_UNKNOWN = Capability()


def provider_rows(listing: Json) -> tuple[list[dict[str, Json]], list[dict[str, Json]]]:
    """Return the rows and the facts of a provider listing, as `AliasCatalog.from_rows` takes them."""
    rows: list[dict[str, Json]] = []
    facts: list[dict[str, Json]] = []
    for provider in listing.get("value", [listing]) if isinstance(listing, Mapping) else listing:
        for kind in provider.get("resourceTypes") or ():
            name = f"{provider['namespace']}/{kind['resourceType']}".lower()
            rows.extend(_alias_row(alias, name) for alias in kind.get("aliases") or ())
            facts.append({"type": name, "kind": kind.get("routingType"), **_capability(kind.get("capabilities"))})
    return rows, facts


def _row(source: Mapping[str, Json]) -> AliasTuple:
    versions = tuple(
        (version, each["path"]) for each in source.get("paths") or () for version in each.get("apiVersions") or ()
    )
    types = "|".join(source.get("types") or ()).lower()
    return source["name"], source["path"], types, source.get("modifiable"), versions


def _alias(row: AliasTuple) -> Alias:
    name, path, types, modifiable, versions = row
    return Alias(name, path, frozenset(types.split("|") if types else ()), dict(versions), modifiable)


def _with_versions(rows: tuple[AliasTuple, ...], known: tuple[AliasTuple, ...]) -> tuple[AliasTuple, ...]:
    """Return rows, each with the api-versions that only the row known for the same types tells of."""
    others = {row[2]: row[4] for row in known}
    return tuple((*row[:4], tuple({**dict(others.get(row[2], ())), **dict(row[4])}.items())) for row in rows)


def _nearest(word: str, known: Iterable[str], alike: float) -> str | None:
    found = get_close_matches(word, list(known), n=1, cutoff=alike)
    return found[0] if found else None


def _array_alias(members: Alias) -> Alias:
    """Return the alias of an array from that of its members."""
    versions = {version: path.removesuffix("[*]") for version, path in members.versions.items()}
    return replace(members, path=members.path.removesuffix("[*]"), versions=versions)


def _alias_row(alias: Mapping[str, Json], kind: str) -> dict[str, Json]:
    """Return a row from one alias of the provider listing."""
    paths = [each for each in alias.get("paths") or () if each.get("path")]
    default = alias.get("defaultPath") or (paths[0]["path"] if paths else "")
    attributes = (alias.get("defaultMetadata") or {}).get("attributes")
    modifiable = None if attributes is None else attributes == "Modifiable"
    return {"name": alias["name"], "path": default, "types": [kind], "paths": paths, "modifiable": modifiable}


def _capability(capabilities: str | None) -> dict[str, bool]:
    """Return the facts in a list of capabilities; none where a provider leaves it out."""
    if not capabilities:
        return {}
    return {"supportsTags": "SupportsTags" in capabilities, "hasLocations": "SupportsLocation" in capabilities}

"""Aliases: names of properties in the policy language, and the paths they stand for by type and api-version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Self

from shared.domain.resource import Json


@dataclass(frozen=True, slots=True)
class Alias:
    """One row of the catalog: where the property is in the bodies of `types` (lower case; empty: of any type).

    `versions` maps an api-version to the path it uses where that differs from `path`; `modifiable` is None where
    the source does not tell.
    """

    name: str
    path: str
    types: frozenset[str]
    versions: Mapping[str, str] = field(default_factory=dict)
    modifiable: bool | None = None

    def at(self, api_version: str | None) -> str:
        """The path for an api-version."""
        return self.versions.get(api_version or "", self.path)


@dataclass(frozen=True, slots=True)
class Capability:
    """What a resource type supports; None where the source does not tell. Mode Indexed depends on it."""

    tags: bool | None = None
    location: bool | None = None

    def completed(self, other: "Capability") -> "Capability":
        """These facts, and those of `other` where these do not tell."""
        return Capability(
            other.tags if self.tags is None else self.tags,
            other.location if self.location is None else self.location,
        )


# A row as it is kept: name, path, types joined by "|", modifiable, ((api-version, path), …). Tuples of strings cost the
# garbage collector nothing, eighty thousand objects would.
Row = tuple[str, str, str, bool | None, tuple[tuple[str, str], ...]]


class AliasCatalog:
    """Aliases by name, compared without case. Immutable once built; picklable; safe to share between threads."""

    __slots__ = ("_capabilities", "_rows")

    def __init__(
        self, rows: Mapping[str, tuple[Row, ...]], capabilities: Mapping[str, Capability] | None = None
    ) -> None:
        self._rows = rows
        self._capabilities = capabilities or {}

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Json]], types: Iterable[Mapping[str, Json]] = ()) -> Self:
        """Rows {name, path, types, paths?, modifiable?}, several per name allowed, and facts on types.

        Facts are {type, supportsTags?, hasLocations?}: what mode Indexed goes by.
        Example: `AliasCatalog.from_rows(json.loads(line) for line in gzip.open("aliases.jsonl.gz"))`.
        """
        found: dict[str, tuple[Row, ...]] = {}
        for source in rows:
            key = source["name"].lower()
            found[key] = (*found.get(key, ()), _row(source))
        facts = {row["type"].lower(): Capability(row.get("supportsTags"), row.get("hasLocations")) for row in types}
        return cls(found, facts)

    @classmethod
    def from_providers(cls, listing: Json) -> Self:
        """Azure's provider listing (`GET /providers?$expand=resourceTypes/aliases`), as a list or under `value`.

        A type that is listed without capabilities stays unknown: some providers leave them out.
        """
        providers = listing.get("value", [listing]) if isinstance(listing, Mapping) else listing
        rows: list[dict[str, Json]] = []
        facts: list[dict[str, Json]] = []
        for provider in providers:
            for kind in provider.get("resourceTypes") or ():
                name = f"{provider['namespace']}/{kind['resourceType']}".lower()
                rows.extend(_listed(alias, name) for alias in kind.get("aliases") or ())
                if capabilities := kind.get("capabilities"):
                    facts.append({"type": name, **_supports(capabilities)})
        return cls.from_rows(rows, facts)

    def merge(self, other: "AliasCatalog") -> "AliasCatalog":
        """Both catalogs as one; where both know a name or a fact on a type, `other` wins."""
        rows = {**self._rows, **other._rows}  # noqa: SLF001 - of the same class
        facts = {name: each.completed(self.capability(name)) for name, each in other._capabilities.items()}  # noqa: SLF001 - of the same class
        return AliasCatalog(rows, {**self._capabilities, **facts})

    def only(self, names: Iterable[str], types: Iterable[str] | None = None) -> "AliasCatalog":
        """The part of the catalog that holds these names, and the facts on these types (None: on every type)."""
        keys = {key for name in names for key in (name.lower(), name.lower() + "[*]")}
        facts = self._capabilities
        if types is not None:
            facts = {each: facts[each] for each in types if each in facts}
        return AliasCatalog({key: self._rows[key] for key in keys if key in self._rows}, facts)

    def __contains__(self, name: str) -> bool:
        low = name.lower()
        return low in self._rows or low + "[*]" in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, name: str) -> tuple[Alias, ...]:
        """Every row of a name; none for an unknown one. An array is known where the alias of its members is."""
        low = name.lower()
        found = self._rows.get(low)
        if found is None:
            return tuple(_whole(_alias(row)) for row in self._rows.get(low + "[*]", ()))
        return tuple(_alias(row) for row in found)

    def is_versioned(self, name: str) -> bool:
        """Whether the path of an alias depends on the api-version."""
        low = name.lower()
        return any(row[4] for row in self._rows.get(low) or self._rows.get(low + "[*]", ()))

    def find(self, name: str, resource_type: str) -> Alias | None:
        """The row that applies to a type (lower case); None where the name is known but not for this type."""
        found = self._rows.get(name.lower())
        if found is None:
            rows = self.rows(name)
            exact = next((row for row in rows if resource_type in row.types), None)
            return exact or next((row for row in rows if not row.types or not resource_type), None)
        for row in found:
            if resource_type in row[2].split("|"):
                return _alias(row)
        return next((_alias(row) for row in found if not row[2] or not resource_type), None)

    def capability(self, resource_type: str) -> Capability:
        """What is known of a resource type (lower case)."""
        return self._capabilities.get(resource_type, _UNKNOWN)

    def suggest(self, name: str) -> str | None:
        """The known name nearest to an unknown one, for messages."""
        low = name.lower()
        prefix = low.rpartition("/")[0]
        near = [key for key in self._rows if key.rpartition("/")[0] == prefix] or list(self._rows)[:20_000]
        found = get_close_matches(low[:200], near, n=1, cutoff=0.6)
        return self._rows[found[0]][0][0] if found else None


_UNKNOWN = Capability()


def _row(source: Mapping[str, Json]) -> Row:
    versions = tuple(
        (version, each["path"]) for each in source.get("paths") or () for version in each.get("apiVersions") or ()
    )
    types = "|".join(source.get("types") or ()).lower()
    return source["name"], source["path"], types, source.get("modifiable"), versions


def _alias(row: Row) -> Alias:
    name, path, types, modifiable, versions = row
    return Alias(name, path, frozenset(types.split("|") if types else ()), dict(versions), modifiable)


def _whole(members: Alias) -> Alias:
    """The alias of an array from that of its members."""
    versions = {version: path.removesuffix("[*]") for version, path in members.versions.items()}
    return replace(members, path=members.path.removesuffix("[*]"), versions=versions)


def _listed(alias: Mapping[str, Json], kind: str) -> dict[str, Json]:
    """A row from one alias of the provider listing."""
    paths = [each for each in alias.get("paths") or () if each.get("path")]
    default = alias.get("defaultPath") or (paths[0]["path"] if paths else "")
    attributes = (alias.get("defaultMetadata") or {}).get("attributes")
    modifiable = None if attributes is None else attributes == "Modifiable"
    return {"name": alias["name"], "path": default, "types": [kind], "paths": paths, "modifiable": modifiable}


def _supports(capabilities: str) -> dict[str, bool]:
    return {"supportsTags": "SupportsTags" in capabilities, "hasLocations": "SupportsLocation" in capabilities}

"""The packed table of all aliases: an archive with one text for each resource provider, opened where a name needs it.

A text has a section for each resource type, or for whatever else stands before the last slash of an alias. Its columns
are separated by tabs:

    Microsoft.Storage/storageAccounts   tags   location   kind
    sku.name                            path   types      modifiable   api-version,…=path …

Facts are `1`, `0` or nothing; the parents of a type are in its name. An empty path is `properties.` and the name, empty
types are the section's own, and `*` is any type. Bodies of an api-version with an empty path, and of older ones, do not
have the property. Nothing is read before the first look-up; then a provider's text is cut into sections, the section
that is asked for into lines, and the line that is asked for into a row: what nobody asks for costs next to nothing.
"""

import io
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

AliasTuple = tuple[str, str, str, bool | None, tuple[tuple[str, str], ...]]
"""A row: name, path, types joined by "|", modifiable, ((api-version, path), …).

Tuples of strings cost the garbage collector nothing, eighty thousand objects would.
"""
_ANY_TYPE = "*"
_FACT: Mapping[bool | None, str] = {None: "", False: "0", True: "1"}
_FACT_READ: Mapping[str, bool | None] = {text: fact for fact, text in _FACT.items()}
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time an archive can hold: the same facts give the same bytes, whenever they are packed."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What a resource type supports; None where the source does not say. Mode Indexed depends on it.

    `kind` is the routing type of the provider listing, such as `Extension` or `ProxyOnly`.
    """

    tags: bool | None = None
    location: bool | None = None
    kind: str | None = None

    def completed(self, other: "Capability") -> "Capability":
        """Return these facts, completed with those of `other` where these are unknown."""
        return Capability(
            other.tags if self.tags is None else self.tags,
            other.location if self.location is None else self.location,
            self.kind or other.kind,
        )


@dataclass(frozen=True, slots=True)
class _Section:
    """The aliases of a resource type: lines by what follows the last slash (lower case), several where types differ."""

    name: str
    capability: Capability
    lines: Mapping[str, str]

    def row(self, line: str) -> AliasTuple:
        rest, path, types, modifiable, *versions = line.split("\t")
        return (
            f"{self.name}/{rest}",
            path or f"properties.{rest}",
            "" if types == _ANY_TYPE else types or self.name.lower(),
            _FACT_READ[modifiable],
            _versions(versions) if versions else (),
        )


def _versions(columns: Iterable[str]) -> tuple[tuple[str, str], ...]:
    pairs = (each.partition("=")[::2] for each in columns)
    return tuple((version, path) for listed, path in pairs for version in listed.split(","))


_NO_SECTION = _Section("", Capability(), {})


class AliasTable:
    """Rows and facts out of the archive that `read` returns. Safe to share between threads; pickled as `read` alone."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._opened: dict[str, dict[str, str | _Section]] = {}

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle where the table is read from: another process reads it when it needs it."""
        return (AliasTable, (self._read,))

    @property
    def as_of(self) -> str:
        """Return the date that the facts are from, in ISO 8601."""
        return self._archive.comment.decode()

    @property
    def namespaces(self) -> Iterable[str]:
        """Return the names of all resource providers (lower case)."""
        return self._archive.NameToInfo

    def groups(self, namespace: str) -> Iterable[str]:
        """Return the names (lower case) of the sections of a resource provider."""
        return self._sections(namespace)

    def names(self, group: str) -> Iterable[str]:
        """Return what follows the last slash (lower case) in the aliases of a section."""
        return self._section(group).lines

    def rows(self, name: str) -> tuple[AliasTuple, ...]:
        """Return every row of a name (lower case); none for an unknown one."""
        group, _, rest = name.rpartition("/")
        section = self._section(group)
        found = section.lines.get(rest)
        return tuple(map(section.row, found.split("\n"))) if found else ()

    def capability(self, resource_type: str) -> Capability:
        """Return what is known of a resource type (lower case)."""
        return self._section(resource_type).capability

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(self._read()))

    def _section(self, group: str) -> _Section:
        namespace = group.partition("/")[0]
        if "." not in namespace:  # it names a tag or a common property, for which nothing needs to be read
            return _NO_SECTION
        sections = self._sections(namespace)
        found = sections.get(group, _NO_SECTION)
        if isinstance(found, str):
            found = sections[group] = _read_section(found)
        return found

    def _sections(self, namespace: str) -> dict[str, str | _Section]:
        if namespace not in self._opened:
            if namespace not in self._archive.NameToInfo:
                return {}  # and nothing is kept: whoever invents names must not fill the memory
            parts = self._archive.read(namespace).decode().split("\n\n")
            self._opened[namespace] = {each[: each.index("\t")].lower(): each for each in parts}
        return self._opened[namespace]


def _read_section(text: str) -> _Section:
    head, *rest = text.split("\n")
    name, tags, location, kind = head.split("\t")
    lines: dict[str, str] = {}
    for line in rest:
        key = line.partition("\t")[0].lower()
        lines[key] = f"{lines[key]}\n{line}" if key in lines else line
    return _Section(name, Capability(_FACT_READ[tags], _FACT_READ[location], kind or None), lines)


def pack(rows: Iterable[AliasTuple], capabilities: Mapping[str, Capability], *, as_of: str) -> bytes:
    """Return the archive that `AliasTable` reads. `as_of` is the date of the facts, in ISO 8601."""
    names: dict[str, str] = {}
    sections: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        name, _, rest = row[0].rpartition("/")
        group = names.setdefault(name.lower(), name).lower()
        sections[group].append((rest.lower(), _line(rest, group, row)))
    texts: dict[str, list[str]] = defaultdict(list)
    for group in sorted({*sections, *capabilities}):
        known = capabilities.get(group, Capability())
        head = f"{names.get(group, group)}\t{_FACT[known.tags]}\t{_FACT[known.location]}\t{known.kind or ''}"
        lines = (line for _, line in sorted(sections[group], key=lambda each: each[0]))
        texts[group.partition("/")[0]].append("\n".join((head, *lines)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.comment = as_of.encode()
        for namespace, parts in texts.items():
            entry = zipfile.ZipInfo(namespace, _EARLIEST)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, "\n\n".join(parts), zipfile.ZIP_DEFLATED, compresslevel=9)
    return packed.getvalue()


def _line(rest: str, group: str, row: AliasTuple) -> str:
    _, path, types, modifiable, versions = row
    by_path: dict[str, list[str]] = defaultdict(list)
    for version, other in versions:
        if other != path:
            by_path[other].append(version)
    columns = (
        rest,
        "" if path == f"properties.{rest}" else path,
        _ANY_TYPE if not types else "" if types == group else types,
        _FACT[modifiable],
        *(f"{','.join(listed)}={other}" for other, listed in by_path.items()),
    )
    return "\t".join(columns)

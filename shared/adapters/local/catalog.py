"""The packaged catalog: JSON files in a folder, read once, when first asked for."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.domain.decoding import decode
from shared.domain.error import InvalidInput
from shared.domain.framework import Framework
from shared.domain.json_text import Unreadable
from shared.domain.model import Model
from shared.domain.policy import PolicyEntry

CatalogRow = Mapping[str, Any]


class AliasPath(Model):
    """The path of an alias at some api-versions; "" where these, and older ones, do not have the property."""

    path: str
    api_versions: tuple[str, ...]


class AliasRow(Model):
    """A row of `aliases.json`: the rows of the table that the policies use, so that judging by them opens no table."""

    name: str
    path: str
    types: tuple[str, ...]
    modifiable: bool | None
    paths: tuple[AliasPath, ...] = ()


class TypeRow(Model):
    """A row of `resourceTypes.json`; see `shared.ports.catalog.Catalog.resource_types`."""

    type: str
    api_version: str
    supports_tags: bool
    supports_location: bool
    resource_graph: bool
    list: str | None = None
    permission: str
    role: str


class PackagedCatalog:
    """Keeps `shared.ports.catalog.Catalog` over the folders `policies`, `initiatives`, `assignments`, `frameworks`.

    `assignments` is a folder with more assignments, those of the deployment.
    """

    def __init__(self, folder: Path, assignments: Path | None = None) -> None:
        self._folder = folder
        self._assigned = assignments

    def policies(self) -> Sequence[PolicyEntry]:
        """Return all policies, by name."""
        return self._policies

    def initiatives(self) -> Sequence[CatalogRow]:
        """Return all initiatives, by name."""
        return self._initiatives

    def assignments(self) -> Sequence[CatalogRow]:
        """Return all assignments, by id."""
        return self._assignments

    def frameworks(self) -> Sequence[Framework]:
        """Return all frameworks, by id."""
        return self._frameworks

    def aliases(self) -> Sequence[CatalogRow]:
        """Return the alias table."""
        return self._aliases

    def alias_table(self) -> Callable[[], bytes]:
        """Return a function that reads the table of all aliases."""
        return partial(_bytes, self._folder / "aliases.zip")

    def facts_digest(self) -> str:
        """Return a digest of the files with facts."""
        return self._facts_digest

    def resource_types(self) -> Sequence[CatalogRow]:
        """Return the resource-type table."""
        return self._types

    @cached_property
    def _policies(self) -> tuple[PolicyEntry, ...]:
        found: dict[str, PolicyEntry] = {}
        for path in self._files("policies/*/*.json"):
            entry = _policy(path)
            if entry.name in found:
                raise InvalidInput(f"{path}: the name {entry.name!r} is taken: rename the policy", path="$.name")
            found[entry.name] = entry
        return tuple(found[name] for name in sorted(found))

    @cached_property
    def _initiatives(self) -> tuple[CatalogRow, ...]:
        return tuple(_read(path, dict) for path in self._files("initiatives/*.json"))

    @cached_property
    def _assignments(self) -> tuple[CatalogRow, ...]:
        """Read all assignments; InvalidInput where two share an id, because their findings could not be told apart."""
        more = sorted(self._assigned.glob("*.json")) if self._assigned else []
        found: dict[str, CatalogRow] = {}
        for path in (*self._files("assignments/*.json"), *more):
            assignment = _read(path, dict)
            identity = str(assignment.get("id") or "")
            if not identity or identity.lower() in found:
                raise InvalidInput(f"{path}: an assignment needs an id of its own, not {identity!r}", path="$.id")
            found[identity.lower()] = assignment
        return tuple(found[identity] for identity in sorted(found))

    @cached_property
    def _frameworks(self) -> tuple[Framework, ...]:
        return tuple(_framework(path) for path in self._files("frameworks/*.json"))

    @cached_property
    def _aliases(self) -> tuple[CatalogRow, ...]:
        return _table(self._folder / "aliases.json", _ALIASES)

    @cached_property
    def _facts_digest(self) -> str:
        # Of the bytes alone: most processes never open the table of all aliases.
        found = hashlib.sha256()
        for name in ("aliases.json", "aliases.zip", "resourceTypes.json"):
            found.update(hashlib.sha256(_bytes(self._folder / name)).digest())
        return found.hexdigest()

    @cached_property
    def _types(self) -> tuple[CatalogRow, ...]:
        return _table(self._folder / "resourceTypes.json", _TYPES)

    def _files(self, pattern: str) -> list[Path]:
        found = sorted(self._folder.glob(pattern))
        if not found:
            raise InvalidInput(f"no catalog: nothing matches {self._folder / pattern}; reinstall, or set the folder")
        return found


_ALIASES: TypeAdapter[list[AliasRow]] = TypeAdapter(list[AliasRow], config={"defer_build": True})
_TYPES: TypeAdapter[list[TypeRow]] = TypeAdapter(list[TypeRow], config={"defer_build": True})


def _policy(path: Path) -> PolicyEntry:
    definition = _read(path, dict)
    try:
        entry = PolicyEntry.from_definition(definition)
    except ValidationError as error:
        raise _invalid(path, error) from None
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", path=error.path) from None
    if path.stem != entry.name:
        raise InvalidInput(f"{path}: the file is not named for the policy {entry.name!r}", path="$.name")
    return entry


def _framework(path: Path) -> Framework:
    try:
        framework = Framework.model_validate(_read(path, dict))
    except ValidationError as error:
        raise _invalid(path, error) from None
    if path.stem != framework.id:
        raise InvalidInput(f"{path}: the file is not named for the framework {framework.id!r}", path="$.id")
    return framework


def _table(path: Path, rows: TypeAdapter[Any]) -> tuple[CatalogRow, ...]:
    table = _read(path, list)
    try:
        rows.validate_python(table)
    except ValidationError as error:
        raise _invalid(path, error) from None
    return tuple(table)


def _read[T](path: Path, kind: type[T]) -> T:
    try:
        found = decode(_bytes(path))
    except Unreadable as error:
        raise InvalidInput(f"{path}: {error.message}", path=error.path) from None
    if not isinstance(found, kind):
        raise InvalidInput(f"{path}: expected a JSON {'object' if kind is dict else 'array'}", path="$")
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}", path="$") from None


def _invalid(path: Path, error: ValidationError) -> InvalidInput:
    first = error.errors(include_url=False, include_input=False)[0]
    part = "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"])
    return InvalidInput(f"{path}: {part}: {first['msg']}", path=part)

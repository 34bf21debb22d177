"""The packaged catalog: JSON files in a folder, read once, when first asked for."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.domain.decoding import decode
from shared.domain.error import InvalidInput
from shared.domain.model import Model
from shared.domain.notation import Unreadable
from shared.domain.policy import Framework, PolicyEntry

Row = Mapping[str, Any]


class AliasRow(Model):
    """What a row of `aliases.json` holds."""

    name: str
    path: str
    types: tuple[str, ...]
    modifiable: bool


class TypeRow(Model):
    """What a row of `resourceTypes.json` holds; see `shared.ports.catalog.Catalog.resource_types`."""

    type: str
    api_version: str
    supports_tags: bool
    supports_location: bool
    resource_graph: bool
    list: str | None = None
    permission: str
    role: str


class PackagedCatalog:
    """Keeps `shared.ports.catalog.Catalog` over `policies/*/*.json`, `frameworks/*.json` and the two tables."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def policies(self) -> Sequence[PolicyEntry]:
        """All policies, by name."""
        return self._policies

    def frameworks(self) -> Sequence[Framework]:
        """All frameworks, by id."""
        return self._frameworks

    def aliases(self) -> Sequence[Row]:
        """The alias table."""
        return self._aliases

    def resource_types(self) -> Sequence[Row]:
        """The resource-type table."""
        return self._types

    @cached_property
    def _policies(self) -> tuple[PolicyEntry, ...]:
        found: dict[str, PolicyEntry] = {}
        for path in self._files("policies/*/*.json"):
            entry = _policy(path)
            if entry.name in found:
                raise InvalidInput(f"{path}: the name {entry.name!r} is taken; rename the policy", path="$.name")
            found[entry.name] = entry
        return tuple(found[name] for name in sorted(found))

    @cached_property
    def _frameworks(self) -> tuple[Framework, ...]:
        return tuple(_framework(path) for path in self._files("frameworks/*.json"))

    @cached_property
    def _aliases(self) -> tuple[Row, ...]:
        return _table(self._folder / "aliases.json", _ALIASES)

    @cached_property
    def _types(self) -> tuple[Row, ...]:
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


def _table(path: Path, rows: TypeAdapter[Any]) -> tuple[Row, ...]:
    table = _read(path, list)
    try:
        rows.validate_python(table)
    except ValidationError as error:
        raise _invalid(path, error) from None
    return tuple(table)


def _read[T](path: Path, kind: type[T]) -> T:
    try:
        found = decode(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}", path="$") from None
    except Unreadable as error:
        raise InvalidInput(f"{path}: {error.message}", path=error.path) from None
    if not isinstance(found, kind):
        raise InvalidInput(f"{path}: expected a JSON {'object' if kind is dict else 'array'}", path="$")
    return found


def _invalid(path: Path, error: ValidationError) -> InvalidInput:
    first = error.errors(include_url=False, include_input=False)[0]
    part = "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"])
    return InvalidInput(f"{path}: {part}: {first['msg']}", path=part)

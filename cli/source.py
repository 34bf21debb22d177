"""Files that commands read: policy definitions one by one or in folders, the catalog, alias catalogs."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from shared import bootstrap
from shared.domain import notation
from shared.domain.error import InvalidInput
from shared.domain.inventory import BadRecord
from shared.domain.resource import Resource
from shared.engine import Context, InvalidDefinition, load_definition
from shared.services import alias, intake
from shared.services.gathering import gather
from shared.services.library import Entry, Library, library, shape_of
from shared.services.lint.subject import Facts
from shared.services.placement import Placement

CATALOG = "catalog"
Aliases = Annotated[
    Path | None,
    typer.Option(
        "--aliases",
        exists=True,
        dir_okay=False,
        help="more aliases, as `az provider list --expand resourceTypes/aliases` prints them, or rows; gzip too",
    ),
]
PolicyName = Annotated[
    str, typer.Option("--policy", help="a policy file, a folder of them, a policy of the catalog, or `catalog` for all")
]
ResourceFile = Annotated[
    str, typer.Option("--resource", help="a file of resources (ARM bodies, pages, JSON lines, gzip), or - for stdin")
]
Parameters = Annotated[str, typer.Option(help="parameter values as a JSON object, or @FILE")]


def facts(aliases: Path | None) -> Facts:
    """What the packaged catalog knows of aliases, and what a file adds to it."""
    known = alias.packaged(bootstrap.catalog())
    if aliases is None:
        return known
    with aliases.open("rb") as file:
        return alias.merged(known, alias.read(file))


def documents(places: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The policy files with their text: each that is named, and of folders the JSON files that hold one."""
    for place in places:
        if place.is_dir():
            for path in sorted(place.rglob("*.json")):
                text = text_of(path)
                if _is_policy(text):
                    yield path, text
        else:
            yield place, text_of(place)


def _is_policy(text: str) -> bool:
    """Whether a file of a folder is meant as a policy file: broken ones are, so that somebody hears of them."""
    low = text.lower()
    if '"policyrule"' in low:
        return True
    if '"policydefinitions"' not in low and '"policydefinitionid"' not in low:
        return False
    try:
        return shape_of(load_definition(text)) is not None
    except InvalidInput:
        return True


def catalog_library() -> Library:
    """The policies of the packaged catalog."""
    return library((entry.name, entry.definition) for entry in bootstrap.catalog().policies())


def library_of(files: Iterable[tuple[Path, str]]) -> Library:
    """What files hold, and the catalog beside them; what cannot be read is left out."""
    return library(_readable(files), catalog_library())


def _readable(files: Iterable[tuple[Path, str]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, text in files:
        with suppress(InvalidInput):
            yield path.stem, load_definition(text)


def text_of(path: Path) -> str:
    """The text of a file; InvalidInput says why it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", path=str(path)) from None


def named(policy: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The definitions that a name means, each with its own: `catalog`, a file, a folder, or a policy of the catalog."""
    if policy == CATALOG:
        yield from ((entry.name, entry.definition) for entry in bootstrap.catalog().policies())
        return
    if Path(policy).exists():
        for path, text in documents([Path(policy)]):
            found = _definition(path, text)
            yield str(found.get("name") or path.stem), found
        return
    entry = next((each for each in bootstrap.catalog().policies() if each.name == policy), None)
    if entry is None:
        raise InvalidInput(f"'{policy}' is neither a file nor a policy of the catalog, nor a folder", path="--policy")
    yield entry.name, entry.definition


def _definition(path: Path, text: str) -> Mapping[str, Any]:
    try:
        return load_definition(text)
    except InvalidDefinition as error:
        raise InvalidInput(f"{path}: {error.message}", path=error.path) from None


def gathered(names: Iterable[str]) -> tuple[tuple[Entry, ...], Library]:
    """The policy files that names mean, and where to look for what they refer to: among them and in the catalog."""
    shelf = library((pair for name in names for pair in named(name)), catalog_library())
    return shelf.entries, shelf


def placed(names: Iterable[str], parameters: str, aliases: Path | None) -> tuple[Placement, ...]:
    """The policies that names mean, each where it is in force; each file gets the parameter values that it declares.

    Raises:
        InvalidInput: a file cannot be used, or a value is for a parameter that none of them declares.
    """
    values, known = object_of(parameters, "--parameters"), facts(aliases).aliases
    entries, shelf = gathered(names)
    return gather(entries, shelf, aliases=known, parameters=values)


def resources(place: str) -> Iterator[Resource | BadRecord]:
    """The resources of a file, or of standard input for `-`: ARM bodies, pages, JSON lines, gzip too; streamed."""
    with opened(place) as file:
        yield from intake.records(file)


def records_of(places: Iterable[str]) -> Iterator[intake.Record]:
    """The text of the records of several files, one after the other; the same resource may come many times."""
    for place in places:
        with opened(place) as file:
            yield from intake.texts(file)


def opened(place: str) -> AbstractContextManager[BinaryIO]:
    """A file of resources, or standard input for `-`."""
    if place == "-":
        return nullcontext(sys.stdin.buffer)
    if not Path(place).exists() or Path(place).is_dir():
        raise InvalidInput(f"there is no file {place}", path="--resource")
    return Path(place).open("rb")


def context() -> Context:
    """What an evaluation on this machine knows: the time."""
    return Context(now=datetime.now(UTC))


def object_of(text: str, option: str) -> dict[str, Any]:
    """A JSON object, or `@FILE` for one in a file."""
    written = text_of(Path(text[1:])) if text.startswith("@") else text
    try:
        loaded = notation.read(written)
    except notation.Unreadable as error:
        raise InvalidInput(f"{option} is not JSON that can be used: {error.message}", path=option) from None
    if not isinstance(loaded, dict):
        raise InvalidInput(f"{option} takes a JSON object", path=option)
    return loaded

"""Files that commands read: policy definitions one by one or in folders, the catalog, alias catalogs."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from shared import bootstrap
from shared.domain.error import InvalidInput
from shared.engine import load_definition
from shared.services import alias
from shared.services.lint_subject import Facts

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


def facts(aliases: Path | None) -> Facts:
    """What the packaged catalog knows of aliases, and what a file adds to it."""
    known = alias.packaged(bootstrap.catalog())
    if aliases is None:
        return known
    with aliases.open("rb") as opened:
        return alias.merged(known, alias.read(opened))


def definitions(places: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The definition files with their text: each file that is named, and of folders those that hold a rule."""
    for place in places:
        if place.is_dir():
            for path in sorted(place.rglob("*.json")):
                text = text_of(path)
                if '"policyRule"' in text or '"policyrule"' in text.lower():
                    yield path, text
        else:
            yield place, text_of(place)


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
        for path, text in definitions([Path(policy)]):
            found = load_definition(text)
            yield str(found.get("name") or path.stem), found
        return
    entry = next((each for each in bootstrap.catalog().policies() if each.name == policy), None)
    if entry is None:
        raise InvalidInput(f"'{policy}' is neither a file, a folder nor a policy of the catalog", path="--policy")
    yield entry.name, entry.definition

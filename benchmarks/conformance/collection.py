"""What a collection of policy cases holds: rows, alias tables, and the public definitions next to them."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.engine import AliasCatalog
from shared.engine.alias import Alias

Json = Any


def data() -> Path:
    """Return the folder with test data: that of CORTEX_TEST_DATA, or `shared` next to the project."""
    return Path(os.environ.get("CORTEX_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared")


def lines(path: Path) -> Iterator[Json]:
    """Yield the rows of a gzip-compressed file of JSON lines; none when there is no such file."""
    if not path.is_file():
        return
    with gzip.open(path, "rb") as file:
        yield from map(json.loads, file)


def definitions(folder: Path) -> Path:
    """Return the folder with the public definitions: next to the cases, or else in the test data."""
    places = (folder.parent / "azure-policy", data() / "azure-policy")
    return next((each for each in places if each.is_dir()), places[0])


class Tables:
    """The alias tables that cases name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: dict[str, AliasCatalog] = {}

    def named(self, name: str) -> AliasCatalog:
        """Return the table of that name, loaded once."""
        if name not in self.loaded:
            self.loaded[name] = self._types().merge(self._real() if name == "real" else self._listing(name))
        return self.loaded[name]

    def _types(self) -> AliasCatalog:
        """Return what resource types support, which decides on the mode Indexed."""
        return AliasCatalog.from_rows((), lines(definitions(self.folder) / "resourceTypes.jsonl.gz"))

    def _real(self) -> AliasCatalog:
        source = definitions(self.folder)
        rows = [row for file in ("aliases", "aliases-supplement") for row in lines(source / f"{file}.jsonl.gz")]
        return AliasCatalog.from_rows(rows)

    def _listing(self, name: str) -> AliasCatalog:
        with gzip.open(self.folder / f"aliases.{name}.json.gz", "rb") as file:
            return AliasCatalog.from_providers(json.load(file))


class PlainPaths(AliasCatalog):
    """Where a case names no alias table every name is the path itself."""

    def __init__(self) -> None:
        super().__init__({})

    def __contains__(self, name: str) -> bool:
        return True

    def rows(self, name: str) -> tuple[Alias, ...]:
        """Return the name as its own path."""
        return (Alias(name, name, frozenset()),)

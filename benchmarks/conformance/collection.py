"""What a collection of policy cases holds: rows, alias tables, and the public definitions beside them."""

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
    """The folder with test data: named by CORTEX_TEST_DATA, or `shared` beside the project."""
    return Path(os.environ.get("CORTEX_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared")


def lines(path: Path) -> Iterator[Json]:
    """The rows of a gzip-compressed file of JSON lines; none where there is no such file."""
    if not path.is_file():
        return
    with gzip.open(path, "rb") as file:
        yield from map(json.loads, file)


def definitions(folder: Path) -> Path:
    """The folder with the public definitions: beside the cases, else beside the project."""
    places = (folder.parent / "azure-policy", data() / "azure-policy")
    return next((each for each in places if each.is_dir()), places[0])


class Tables:
    """The alias tables that cases name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: dict[str, AliasCatalog] = {}

    def named(self, name: str) -> AliasCatalog:
        """The table of that name, loaded once."""
        if name not in self.loaded:
            self.loaded[name] = self._types().merge(self._real() if name == "real" else self._listing(name))
        return self.loaded[name]

    def _types(self) -> AliasCatalog:
        """What resource types support, which mode Indexed goes by."""
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
        """The name as its own path."""
        return (Alias(name, name, frozenset()),)

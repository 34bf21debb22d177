"""The alias catalog of the test cases."""

from pathlib import Path
from typing import Any

import yaml

from shared.engine import AliasCatalog

TABLE = Path(__file__).parents[1] / "engine" / "tables" / "aliases.yaml"


def read_catalog() -> AliasCatalog:
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text("utf-8"))
    plain = [{"name": name, "path": path, "types": []} for name, path in table["paths"].items()]
    return AliasCatalog.from_rows([*plain, *table["rows"]], table["types"])

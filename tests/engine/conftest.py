"""The alias catalog of the cases, and where the public test data is."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.engine import AliasCatalog, comparison, field

TABLE = Path(__file__).parent / "tables" / "aliases.yaml"


def read_catalog() -> AliasCatalog:
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text("utf-8"))
    plain = [{"name": name, "path": path, "types": []} for name, path in table["paths"].items()]
    return AliasCatalog.from_rows([*plain, *table["rows"]], table["types"])


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Checks and readers are kept between policies; no test meets those that another one made."""
    comparison._text_checker.cache_clear()
    field._kept.cache_clear()


@pytest.fixture(scope="session")
def catalog() -> AliasCatalog:
    return read_catalog()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with public definitions and cases; tests that need it skip where it is absent."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("CORTEX_TEST_DATA") or beside)
    if not (folder / "azure-policy" / "policyDefinitions.jsonl.gz").is_file():
        pytest.skip(f"no public test data in {folder}: set CORTEX_TEST_DATA")
    return folder

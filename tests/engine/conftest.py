"""The alias catalog of the cases, and where the public test data is."""

import os
from pathlib import Path

import pytest

from shared.engine import AliasCatalog
from shared.engine.compile import field
from shared.engine.language import comparison
from tests.fakes.alias import read_catalog


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Checks and readers are kept between policies; no test meets those that another one made."""
    comparison._text_check.cache_clear()
    field._cached_reader.cache_clear()


@pytest.fixture(scope="session")
def catalog() -> AliasCatalog:
    return read_catalog()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with public definitions and cases; tests that need it skip where it is absent."""
    sibling = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("CORTEX_TEST_DATA") or sibling)
    if not (folder / "azure-policy" / "policyDefinitions.jsonl.gz").is_file():
        pytest.skip(f"no public test data in {folder}: set CORTEX_TEST_DATA")
    return folder

"""One product for the tests that only add to it; those that kill or spoil theirs have their own."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment import ROOT
from tests.fakes.product import Product
from tests.product.deployed import build

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever runs the product here starts a host."""
    for item in items:
        if item.path.is_relative_to(HERE) and not item.get_closest_marker("package"):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose estate was scanned once."""
    with Product(tmp_path_factory.mktemp("product")) as started:
        started.scan()
        yield started


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The deployment package of this repository: the folder and the archive."""
    return build(ROOT, tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def package(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(built[1]) as archive:
        archive.extractall(folder)
    return folder

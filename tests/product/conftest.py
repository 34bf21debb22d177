"""One product for the tests that only add to it; those that kill or spoil theirs have their own."""

from collections.abc import Iterator

import pytest

from tests.product.product import Product


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose estate was scanned once. Its tests belong to the xdist group "product"."""
    with Product(tmp_path_factory.mktemp("product")) as started:
        started.scan()
        yield started

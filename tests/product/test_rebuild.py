"""`cortex rebuild` against a running product: what was lost is there again, and nothing else has changed."""

from collections.abc import Iterator

import pytest

from tests.fakes.product import TENANT, Product, mint
from tests.product.test_cli import cortex

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("product")) as started:
        started.scan()
        yield started


def test_what_was_lost_is_made_again(product: Product) -> None:
    admin = mint("admin", "root")
    fine = cortex(product, "rebuild", "--check", CORTEX_TOKEN=admin)
    assert fine.code == 0, fine
    assert "No document differs" in fine.out
    before = {each["id"]: each for each in product.get("/findings", limit=200)["items"]}
    with product.opened() as documents:
        for lost in [*before][:3]:
            documents.delete(tenant=TENANT, kind="finding", id=lost)
    result = cortex(product, "rebuild", "--check", "--json", CORTEX_TOKEN=admin)
    assert (result.code, result.json()["different"]) == (3, {"finding": 3})
    made = cortex(product, "rebuild", CORTEX_TOKEN=admin)
    assert made.code == 0, made
    assert {each["id"]: each for each in product.get("/findings", limit=200)["items"]} == before
    assert product.scan()["status"] == "completed"
    assert cortex(product, "rebuild", "--check", CORTEX_TOKEN=admin).code == 0


def test_only_an_admin_may(product: Product) -> None:
    refused = cortex(product, "rebuild")
    assert refused.code == 1
    assert "admin" in refused.err

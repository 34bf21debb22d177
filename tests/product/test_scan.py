"""Scans of the running product: many requests at once, and clouds that show nothing, half or nonsense."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.product import Json, Product

REQUESTS = 60


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("scanned")) as started:
        yield started


@pytest.fixture(autouse=True)
def _calmed(product: Product) -> Iterator[None]:
    yield
    product.cloud.calm()


@pytest.fixture(scope="module")
def first(product: Product) -> Json:
    """A first scan, which cannot see any subscription, and then one that can."""
    product.cloud.fault("emptied", path="^/subscriptions$")
    blind = product.scan()
    product.cloud.calm()
    assert (blind["status"], blind["subscriptions"]) == ("failed", 0)
    assert blind["reason"] == "the cloud answered /subscriptions with a page that does not hold a list"
    return product.scan()


def test_of_many_requests_at_once_one_is_accepted_and_the_others_get_its_id(product: Product, first: Json) -> None:
    assert first["status"] == "completed"
    with ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(lambda _: product.call("POST", "/scans", {}), range(REQUESTS)))
    assert Counter(each.status_code for each in answers) == {202: 1, 409: REQUESTS - 1}
    (won,) = [each.json()["id"] for each in answers if each.is_success]
    assert all(won in each.json()["detail"] for each in answers if not each.is_success)
    assert product.ended(f"/scans/{won}")["status"] == "completed"


def subscriptions(product: Product, scan: Json) -> set[str]:
    """What a scan has scanned."""
    return {each["subscription"] for each in product.get(f"/scans/{scan['id']}/subscriptions")["items"]}


CLOUDS: Mapping[str, Json] = {
    "404": {"kind": "unavailable", "status": 404},
    "an empty object": {"kind": "emptied"},
    "an empty list": {"kind": "shortened", "keep": 0},
    "half a list": {"kind": "shortened", "keep": 0.5},
    "garbled": {"kind": "garbled"},
    "a page of a proxy": {"kind": "html"},
}


@pytest.mark.parametrize("name", CLOUDS)
def test_a_list_of_subscriptions_that_is_none_is_no_success(product: Product, first: Json, name: str) -> None:
    before = product.get("/compliance/summary")
    product.cloud.fault(path="^/subscriptions$", **CLOUDS[name])
    ended = product.scan()
    assert (ended["status"], ended["gaps"][0]["scope"]) == ("partial", "/")
    assert subscriptions(product, ended) == subscriptions(product, first)
    after = product.get("/compliance/summary")
    assert (after["nonCompliant"], after["resources"]) == (before["nonCompliant"], before["resources"])
    assert after["gapCount"] == ended["gapCount"] >= 1
    assert after["asOf"] == ended["asOf"]

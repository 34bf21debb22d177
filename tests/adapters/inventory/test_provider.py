"""The listing of providers, page by page, and what can go wrong with a page."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.adapters.azure import arm
from shared.adapters.azure.arm import PROVIDER_VERSION
from shared.adapters.azure.inventory import ArmInventory
from shared.domain.error import CortexError, Forbidden, Malformed, NotFound, Throttled, Unavailable
from tests.adapters.cloud import SCOPE, SUBSCRIPTION, Answer, Call, Cloud, denied, error
from tests.adapters.inventory.conftest import TENANT

PATH = f"{SCOPE}/providers"
NAMES = [f"Contoso.Service{number}" for number in range(7)]
Connect = Callable[..., ArmInventory]


def provider(name: str) -> dict[str, Any]:
    alias = {"name": f"{name}/things/size", "defaultPath": "properties.size", "paths": []}
    return {"namespace": name, "resourceTypes": [{"resourceType": "things", "aliases": [alias]}]}


class Listing:
    """Pages of three providers each, with links as Resource Manager writes them; `faults` come first, by page."""

    def __init__(self) -> None:
        self.faults: dict[int, list[Answer]] = {}
        self.links: dict[int, Any] = {}

    def __call__(self, call: Call) -> Answer | None:
        if call.path != PATH:
            return None
        page = int(call.query.get("$skiptoken", "0"))
        if self.faults.get(page):
            return self.faults[page].pop(0)
        found = {"value": [provider(name) for name in NAMES[page * 3 : page * 3 + 3]]}
        link = self.links.get(page, self.link(call, page + 1) if page < 2 else None)
        return Answer(200, {**found, **({"nextLink": link} if link else {})})

    def link(self, call: Call, page: int) -> str:
        return f"http://{call.headers['host']}{PATH}?api-version={PROVIDER_VERSION}&$skiptoken={page}"


@pytest.fixture
def listing(cloud: Cloud) -> Listing:
    cloud.bodies[SCOPE] = {"id": SCOPE, "subscriptionId": SUBSCRIPTION, "displayName": "Dev", "state": "Enabled"}
    cloud.lists["/subscriptions"] = [cloud.bodies[SCOPE]]
    found = Listing()
    cloud.scripts.append(found)
    return found


def names(inventory: ArmInventory) -> list[str]:
    return [each["namespace"] for each in inventory.providers(tenant=TENANT)]


def asked(cloud: Cloud) -> list[Call]:
    return [call for call in cloud.calls if call.path == PATH]


def test_all_pages_are_read_in_their_order(cloud: Cloud, listing: Listing, inventory: ArmInventory) -> None:
    assert names(inventory) == NAMES
    first, *rest = asked(cloud)
    assert first.query == {"api-version": PROVIDER_VERSION, "$expand": "resourceTypes/aliases"}
    assert [call.query["$skiptoken"] for call in rest] == ["1", "2"]
    assert listing.faults == {}


THROTTLED = error(429, "TooManyRequests", Retry_After="3")
BROKEN = error(500, "InternalServerError")


@pytest.mark.parametrize("page", [0, 1, 2])
@pytest.mark.parametrize(
    ("faults", "waited"),
    [
        ([THROTTLED], [3.0]),
        ([THROTTLED, error(429, "Busy", x_ms_retry_after_ms="2000")], [3.0, 2.0]),
        ([BROKEN], [0.5]),
        ([BROKEN, BROKEN, error(503, "ServiceUnavailable")], [0.5, 1.0, 2.0]),
        ([Answer(200, {"value": [provider("Contoso.Lost")]}, garbled=True)], [0.5]),
        ([Answer(200, {"value": [provider("Contoso.Lost")]}, cut=True)], [0.5]),
        ([Answer(drop=True)], [0.5]),
        ([Answer(drop=True), THROTTLED, BROKEN], [0.5, 3.0, 2.0]),
    ],
)
def test_a_transient_fault_delays_the_listing_and_loses_nothing(
    listing: Listing,
    inventory: ArmInventory,
    waits: list[float],
    page: int,
    faults: list[Answer],
    waited: list[float],
) -> None:
    listing.faults[page] = list(faults)
    assert names(inventory) == NAMES
    assert waits == waited


@pytest.mark.parametrize("page", [0, 1])
@pytest.mark.parametrize(
    ("fault", "expected", "message"),
    [
        (error(429, "TooManyRequests", Retry_After="3600"), Throttled, "wait 3600 s"),
        (BROKEN, Unavailable, "500"),
        (Answer(200, {"value": [provider("Contoso.Lost")]}, garbled=True), Malformed, "an unreadable body: not JSON"),
        (Answer(drop=True), Unavailable, "connection broke"),
        (Answer(200, {"value": [provider("Contoso.Lost")]}, cut=True), Unavailable, "connection broke"),
        (denied("Microsoft.Resources/subscriptions/providers/read", SCOPE), Forbidden, "not allowed"),
        (Answer(200, {"error": {"code": "Odd"}}), Malformed, "Odd"),
        (Answer(200, {"value": None}), Malformed, "does not hold a list"),
        (Answer(200, ["Contoso.Lost"]), Malformed, "a list instead"),
    ],
)
def test_a_permanent_fault_is_raised_after_what_was_read(
    listing: Listing,
    inventory: ArmInventory,
    page: int,
    fault: Answer,
    expected: type[CortexError],
    message: str,
) -> None:
    listing.faults[page] = [fault] * 9
    read: list[str] = []
    with pytest.raises(expected, match=message) as raised:
        read.extend(each["namespace"] for each in inventory.providers(tenant=TENANT))
    assert type(raised.value) is expected
    assert read == NAMES[: page * 3]


def test_the_wait_that_is_asked_for_is_passed_on(listing: Listing, inventory: ArmInventory, waits: list[float]) -> None:
    listing.faults[1] = [error(429, "TooManyRequests", Retry_After="120")]
    with pytest.raises(Throttled) as raised:
        names(inventory)
    assert raised.value.retry_after == 120
    assert waits == []


@pytest.mark.parametrize("back", [0, 1])
def test_pages_that_lead_in_a_circle_are_malformed(
    cloud: Cloud, listing: Listing, inventory: ArmInventory, back: int
) -> None:
    target = f"{cloud.endpoint}{PATH}?api-version={PROVIDER_VERSION}&$skiptoken={back}"
    listing.links[1] = target
    with pytest.raises(Unavailable, match="read before"):
        names(inventory)
    assert len(asked(cloud)) <= 4


def test_pages_without_end_are_given_up(
    listing: Listing, inventory: ArmInventory, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm, "_LIST_PAGES", 2)
    listing.links = {page: f"{cloud.endpoint}{PATH}?$skiptoken={page + 1}" for page in range(9)}
    with pytest.raises(Unavailable, match="did not end after 3 pages"):
        names(inventory)


def test_a_link_to_another_address_is_refused(listing: Listing, inventory: ArmInventory) -> None:
    listing.links[0] = "http://198.51.100.7/providers"
    with pytest.raises(Malformed, match="another address"):
        names(inventory)


def test_a_link_that_names_two_hosts_sends_the_token_to_neither(
    cloud: Cloud, listing: Listing, inventory: ArmInventory
) -> None:
    with Cloud() as stranger:
        listing.links[0] = f"{stranger.endpoint}\\@{cloud.endpoint.partition('://')[2]}{PATH}"
        with pytest.raises(Malformed, match="address"):
            names(inventory)
        assert stranger.calls == []


def test_a_page_with_anything_but_objects_is_malformed(listing: Listing, inventory: ArmInventory) -> None:
    listing.faults[0] = [Answer(200, {"value": [1, None, provider("Contoso.Only"), "x"], "nextLink": None})]
    with pytest.raises(Malformed, match="does not hold objects alone"):
        names(inventory)


def test_without_a_subscription_the_tenant_is_asked(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.lists["/subscriptions"] = []
    cloud.lists["/providers"] = [provider("Contoso.Tenant")]
    assert names(inventory) == ["Contoso.Tenant"]


def test_another_tenant_has_no_cloud(inventory: ArmInventory) -> None:
    with pytest.raises(NotFound, match="no cloud is connected"):
        inventory.providers(tenant="fabrikam")

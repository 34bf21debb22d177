"""Faults of the network and of the service become errors of the domain."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.continuation_token import ContinuationToken
from shared.adapters.azure.inventory import ArmInventory
from shared.domain.error import Forbidden, InvalidInput, Throttled, Unavailable
from shared.domain.inventory import UnreadReason
from shared.domain.resource import Unread
from tests.adapters.cloud import SCOPE, SUBSCRIPTION, Answer, Cloud, denied, error
from tests.adapters.inventory.conftest import (
    BLOBS,
    SETTINGS,
    STORAGE,
    TENANT,
    WANTED,
    Reading,
    account,
    fill,
)

GRAPH = "Microsoft.ResourceGraph/resources"
Connect = Callable[..., ArmInventory]


def _throttle(seconds: object) -> Answer:
    return error(429, "TooManyRequests", Retry_After=str(seconds))


@pytest.mark.parametrize(
    "answer",
    [_throttle(3), error(503, "ServiceUnavailable", Retry_After="3"), error(429, "Busy", x_ms_retry_after_ms="3000")],
)
def test_short_waits_are_waited_for_inside(
    cloud: Cloud, inventory: ArmInventory, waits: list[float], answer: Answer
) -> None:
    ids = fill(cloud, 2)
    cloud.once(GRAPH, answer)
    assert Reading().to_end(inventory).ids == [SCOPE, *ids]
    assert waits == [3.0]


@pytest.mark.parametrize("seconds", [11, 3600, 10**12])
def test_long_waits_are_raised(cloud: Cloud, inventory: ArmInventory, waits: list[float], seconds: int) -> None:
    fill(cloud, 2)
    cloud.once(GRAPH, _throttle(seconds))
    read = Reading()
    read.step(inventory)
    with pytest.raises(Throttled) as raised:
        read.step(inventory)
    assert raised.value.retry_after == min(seconds, 86_400)
    assert waits == []
    assert len(read.to_end(inventory).ids) == 3


def test_a_wait_given_as_a_date_is_honoured(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.once(SCOPE, _throttle(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)))
    with pytest.raises(Throttled) as raised:
        Reading().step(inventory)
    assert 3500 < raised.value.retry_after <= 3600


def test_a_cloud_that_stays_down_is_unavailable(cloud: Cloud, inventory: ArmInventory, waits: list[float]) -> None:
    cloud.always(SCOPE, error(503, "ServiceUnavailable"))
    with pytest.raises(Unavailable, match="503"):
        Reading().step(inventory)
    assert sum(waits) <= 10
    assert len(cloud.calls) == 4


LONG = {"data": ["x" * 99]}


@pytest.mark.parametrize("fault", [Answer(drop=True), Answer(200, LONG, cut=True), Answer(200, LONG, garbled=True)])
def test_a_lost_answer_is_asked_for_again(cloud: Cloud, inventory: ArmInventory, fault: Answer) -> None:
    ids = fill(cloud, 2)
    cloud.once(GRAPH, fault)
    assert Reading().to_end(inventory).ids == [SCOPE, *ids]


def test_a_page_too_large_is_halved_and_the_size_remembered(cloud: Cloud, connect: Connect) -> None:
    ids = fill(cloud, 300)

    def too_large(call: Any) -> Answer | None:
        is_large = call.path.endswith(GRAPH) and call.body["options"]["$top"] > 125
        return error(400, "ResponsePayloadTooLarge", "Please query for fewer rows") if is_large else None

    cloud.scripts.append(too_large)
    read = Reading()
    read.step(connect())
    read.step(connect())
    assert ContinuationToken.from_cursor(SUBSCRIPTION, read.cursor).size == 125
    asked = len(cloud.calls)
    assert read.to_end(connect()).ids == [SCOPE, *ids]
    assert len(cloud.calls) - asked == 2


def test_a_page_cut_short_is_asked_for_again(cloud: Cloud, inventory: ArmInventory) -> None:
    ids = fill(cloud, 4)
    whole = cloud.graph({"query": "", "options": {"$top": 500}})
    cloud.once(GRAPH, Answer(200, {**whole, "data": whole["data"][:2]}))
    read = Reading().to_end(inventory)
    assert read.ids == [SCOPE, *ids]
    assert not read.gaps


@pytest.mark.parametrize("said", [{"count": 4}, {"resultTruncated": "true", "count": 2}, {"count": 2}])
def test_a_listing_that_stays_short_says_so(cloud: Cloud, inventory: ArmInventory, said: dict[str, Any]) -> None:
    fill(cloud, 4)
    whole = cloud.graph({"query": "", "options": {"$top": 500}})
    cloud.always(GRAPH, Answer(200, {**whole, "data": whole["data"][:2], **said}))
    read = Reading().to_end(inventory)
    assert [(gap.part, gap.reason) for gap in read.gaps] == [("resources", UnreadReason.PARTIAL)]
    assert read.total is not None
    assert len(read.ids) < read.total


def test_a_forbidden_provider_is_a_gap_and_the_rest_goes_on(cloud: Cloud, inventory: ArmInventory) -> None:
    ids = fill(cloud, 3)
    cloud.always(f"/providers/{SETTINGS}", denied("Microsoft.Insights/diagnosticSettings/read", account(1)))
    read = Reading(WANTED).to_end(inventory)
    assert read.ids == [SCOPE, *ids]
    gap = read.gaps[0]
    assert (gap.part, gap.reason, gap.permission, gap.role) == (
        SETTINGS,
        UnreadReason.FORBIDDEN,
        f"{SETTINGS}/read",
        "Monitoring Reader",
    )
    assert gap.scope == SCOPE
    assert "3 resources" in gap.message
    unread = read.resources[2].related[SETTINGS.lower()]
    assert isinstance(unread, Unread)
    assert (unread.reason, unread.permission, unread.scope) == ("forbidden", f"{SETTINGS}/read", account(1))
    assert unread.at is not None
    assert not isinstance(read.resources[2].related[BLOBS.lower()], Unread)


def test_forbidden_resource_groups_are_a_gap(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    cloud.always("/resourceGroups", denied("Microsoft.Resources/subscriptions/resourceGroups/read", SCOPE))
    read = Reading().to_end(inventory)
    assert read.ids == [SCOPE, account(0)]
    assert read.gaps[0].part == "Microsoft.Resources/subscriptions/resourceGroups"


def test_a_forbidden_subscription_is_refused(cloud: Cloud, inventory: ArmInventory) -> None:
    cloud.always(SCOPE, denied("Microsoft.Resources/subscriptions/read", SCOPE))
    with pytest.raises(Forbidden) as raised:
        Reading().step(inventory)
    assert raised.value.permission == "Microsoft.Resources/subscriptions/read"
    assert raised.value.scope == SCOPE


def test_an_unsupported_type_is_a_gap(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    cloud.always(f"/providers/{SETTINGS}", error(400, "ResourceTypeNotSupported", "not for this type"))
    read = Reading(WANTED).to_end(inventory)
    assert [(gap.part, gap.reason, gap.scope) for gap in read.gaps] == [
        (SETTINGS, UnreadReason.UNSUPPORTED, account(0))
    ]


def test_a_type_the_cloud_does_not_have_is_asked_for_no_more(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 100)
    cloud.always(f"/providers/{SETTINGS}", error(404, "InvalidResourceType", "no such type"))
    read = Reading(WANTED).to_end(inventory)
    assert [(gap.part, gap.reason) for gap in read.gaps] == [(SETTINGS, UnreadReason.UNSUPPORTED)]
    assert len([call for call in cloud.calls if call.path.endswith(SETTINGS)]) < 50


def test_an_api_version_the_cloud_does_not_know_is_replaced(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    cloud.once("/blobServices", error(400, "NoRegisteredProviderFound", "No registered resource provider found"))
    versions = ["2099-01-01-preview", "2024-01-01", "2023-01-01"]
    cloud.answers["GET", f"{SCOPE}/providers/microsoft.storage"] = {
        "namespace": "Microsoft.Storage",
        "resourceTypes": [{"resourceType": "storageAccounts/blobServices", "apiVersions": versions}],
    }
    related = Reading(WANTED).to_end(inventory).resources[1].related[BLOBS.lower()]
    assert not isinstance(related, Unread)
    assert related[0].api_version == "2024-01-01"


def test_a_type_without_a_known_api_version_is_unsupported(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    read = Reading({STORAGE.lower(): frozenset({"contoso.made/up"})}).to_end(inventory)
    assert [(gap.part, gap.reason) for gap in read.gaps] == [("contoso.made/up", UnreadReason.UNSUPPORTED)]


def test_a_hanging_type_is_given_up_and_the_rest_goes_on(cloud: Cloud, connect: Connect) -> None:
    ids = fill(cloud, 20)
    cloud.always(f"/providers/{SETTINGS}", Answer(hold=True))
    read = Reading(WANTED)
    inventory = connect(timeout=1.5)
    read.step(inventory)
    read.step(inventory)
    assert read.ids == [SCOPE, *ids]
    assert [(gap.part, gap.reason) for gap in read.gaps] == [(SETTINGS, UnreadReason.TIMEOUT)]
    hung = [call for call in cloud.calls if call.path.endswith(SETTINGS)]
    assert len(hung) < 20
    assert all(not isinstance(each.related[BLOBS.lower()], Unread) for each in read.resources[1:])


def test_a_type_that_hung_is_not_asked_again_in_the_same_listing(cloud: Cloud, connect: Connect) -> None:
    fill(cloud, 1)
    position = ContinuationToken(SUBSCRIPTION, roots=False, hung=[SETTINGS.lower()])
    read = Reading(WANTED, position.to_cursor()).to_end(connect())
    assert not any(call.path.endswith(SETTINGS) for call in cloud.calls)
    assert read.gaps[0].reason is UnreadReason.TIMEOUT


def test_a_slow_type_is_given_up_after_its_time(cloud: Cloud, connect: Connect) -> None:
    fill(cloud, 3)
    ticks = iter(range(0, 10**6, 50))
    read = Reading(WANTED).to_end(connect(clock=lambda: float(next(ticks))))
    assert {gap.reason for gap in read.gaps} == {UnreadReason.TIMEOUT}
    assert len(read.ids) == 4


def test_a_long_wait_in_the_middle_shortens_the_page(cloud: Cloud, connect: Connect) -> None:
    ids = fill(cloud, 60)
    cloud.once("account0030/blobServices", _throttle(120))
    read = Reading(WANTED)
    inventory = connect()
    read.step(inventory)
    read.step(inventory)
    assert 1 < len(read.ids) <= 31
    assert read.to_end(connect()).ids == [SCOPE, *ids]
    assert all(not isinstance(found, Unread) for each in read.resources for found in each.related.values())
    assert not read.gaps


def test_a_long_wait_at_the_beginning_is_raised(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    cloud.always("/blobServices", _throttle(120))
    read = Reading(WANTED)
    read.step(inventory)
    with pytest.raises(Throttled):
        read.step(inventory)


class Renewing:
    """A credential whose tokens are numbered."""

    def __init__(self) -> None:
        self.given = 0

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        self.given += 1
        return AccessToken(f"token-{self.given}", 4102444800)


@pytest.mark.parametrize("challenge", [{}, {"WWW-Authenticate": 'Bearer error="invalid_token"'}])
def test_an_expired_token_is_renewed_once(cloud: Cloud, connect: Connect, challenge: dict[str, str]) -> None:
    expired = Answer(401, {"error": {"code": "ExpiredAuthenticationToken"}}, challenge)
    cloud.scripts.append(lambda call: expired if call.headers["authorization"] == "Bearer token-1" else None)
    credential = Renewing()
    read = Reading()
    read.step(connect(credential=credential))
    assert credential.given == 2
    assert read.ids == [SCOPE]


def test_a_token_that_stays_rejected_is_not_reported_as_a_missing_role(cloud: Cloud, connect: Connect) -> None:
    cloud.always(SCOPE, error(401, "InvalidAuthenticationToken"))
    credential = Renewing()
    with pytest.raises(Unavailable, match="sign in"):
        Reading().step(connect(credential=credential))
    assert credential.given == 2


def test_the_graphs_quota_is_kept(cloud: Cloud, inventory: ArmInventory, waits: list[float]) -> None:
    fill(cloud, 600)
    page = cloud.graph({"query": "", "options": {"$top": 500}})
    headers = {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:04"}
    cloud.once(GRAPH, Answer(200, page, headers))
    assert len(Reading().to_end(inventory).ids) == 601
    assert len(waits) == 1
    assert 0 < waits[0] <= 4


def test_a_quota_that_is_used_up_for_long_is_raised(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 600)
    page = cloud.graph({"query": "", "options": {"$top": 500}})
    headers = {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "01:00:00"}
    cloud.once(GRAPH, Answer(200, page, headers))
    read = Reading()
    read.step(inventory)
    read.step(inventory)
    with pytest.raises(Throttled) as raised:
        read.step(inventory)
    assert 3590 < raised.value.retry_after <= 3600


def test_a_link_to_another_address_is_not_followed(cloud: Cloud, inventory: ArmInventory) -> None:
    fill(cloud, 1)
    with Cloud() as stranger:
        cloud.answers["GET", f"{account(0)}/blobServices"] = {"value": [], "nextLink": f"{stranger.endpoint}/steal"}
        read = Reading(WANTED).to_end(inventory)
        assert stranger.calls == []
    assert [(gap.part, gap.reason) for gap in read.gaps] == [(BLOBS, UnreadReason.FAILED)]


def test_a_token_is_not_sent_in_clear_text() -> None:
    with pytest.raises(InvalidInput, match="https"):
        ArmInventory(ArmConnection(TENANT, "http://management.example", StaticToken("t")), resource_types=())

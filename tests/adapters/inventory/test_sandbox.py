"""The adapters against the sandbox cloud, through the real SDK, with the product's own table of resource types."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.cloud.server import Sandbox, sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.control import ArmControl
from shared.adapters.azure.inventory import ArmInventory
from shared.bootstrap import catalog
from shared.domain.error import CortexError, Forbidden, Stale, Throttled, Unavailable
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.resource import Resource, Unread
from shared.ports.inventory import RelatedTypes

TENANT = "contoso"
STORAGE = "Microsoft.Storage/storageAccounts"
SETTINGS = "microsoft.insights/diagnosticsettings"
WANTED: RelatedTypes = {
    STORAGE.lower(): frozenset({SETTINGS, "microsoft.storage/storageaccounts/blobservices"}),
    "microsoft.resources/subscriptions": frozenset({"microsoft.security/pricings"}),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("cloud") / "cloud.db", resources=120) as started:
        yield started


@pytest.fixture
def cloud(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.faults.clear()


@pytest.fixture
def connect(cloud: Sandbox) -> Iterator[Callable[..., ArmInventory]]:
    opened: list[ArmInventory] = []

    def make(**options: Any) -> ArmInventory:
        connection = ArmConnection(TENANT, cloud.url, StaticToken(options.pop("token", cloud.token)))
        options = {"resource_types": catalog().resource_types(), "sleep": lambda _: None, **options}
        opened.append(ArmInventory(connection, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def control(cloud: Sandbox) -> Iterator[ArmControl]:
    opened = ArmControl(ArmConnection(TENANT, cloud.url, StaticToken(cloud.token)), sleep=lambda _: None)
    yield opened
    opened.close()


def _collect(inventory: ArmInventory, wanted: RelatedTypes = WANTED) -> tuple[list[Resource], list[Gap]]:
    resources: list[Resource] = []
    gaps: list[Gap] = []
    for subscription in inventory.subscriptions(tenant=TENANT):
        cursor: str | None = None
        while True:
            page = inventory.page(tenant=TENANT, subscription=subscription.id, wanted=wanted, cursor=cursor)
            resources += page.resources
            gaps += page.gaps
            if (cursor := page.cursor) is None:
                break
    return resources, gaps


def _account(cloud: Sandbox, number: int = 0) -> str:
    return cloud.ids(STORAGE)[number]


def _alike(resources: list[Resource]) -> list[dict[str, Any]]:
    """The resources without the time they were read at."""

    def timeless(resource: Resource) -> dict[str, Any]:
        related = {
            kind: found.reason if isinstance(found, Unread) else [timeless(each) for each in found]
            for kind, found in resource.related.items()
        }
        return {"body": resource.body, "unread": sorted(resource.unread), "related": related}

    return [timeless(each) for each in resources]


def test_an_estate_is_read_completely_exactly_once(cloud: Sandbox, connect: Callable[..., ArmInventory]) -> None:
    resources, gaps = _collect(connect())
    ids = [resource.id.lower() for resource in resources]
    assert len(ids) == len(set(ids))
    beside = {"Microsoft.Resources/subscriptions", "Microsoft.Resources/subscriptions/resourceGroups"}
    assert sum(resource.type not in beside for resource in resources) == cloud.count()
    assert not gaps
    storage = [resource for resource in resources if resource.type == STORAGE]
    assert len(storage) == len(cloud.ids(STORAGE)) > 0
    assert all(set(each.related) == set(WANTED[STORAGE.lower()]) for each in storage)


def test_bodies_are_those_that_arm_answers(connect: Callable[..., ArmInventory]) -> None:
    inventory = connect()
    resources, _ = _collect(inventory, {})
    sample = next(resource for resource in resources if resource.type == STORAGE)
    again = inventory.read(tenant=TENANT, resource_id=sample.id, wanted={})
    assert again is not None
    assert again.body["properties"] == sample.body["properties"]
    assert again.body["type"] == sample.body["type"]


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("throttled", {"times": 3, "retry_after": 1}),
        ("unavailable", {"times": 2}),
        ("dropped", {"probability": 0.05, "seed": 1}),
        ("cut", {"probability": 0.05, "seed": 2}),
        ("garbled", {"probability": 0.05, "seed": 3}),
        ("expired", {"times": 1}),
        ("tooLarge", {"rows": 7, "path": "ResourceGraph"}),
        ("partialPage", {"times": 1, "path": "ResourceGraph"}),
    ],
)
def test_transient_faults_change_nothing(
    cloud: Sandbox, connect: Callable[..., ArmInventory], kind: str, match: dict[str, Any]
) -> None:
    whole, _ = _collect(connect())
    cloud.faults.add(kind, **match)
    resources, gaps = _collect(connect())
    assert cloud.faults.records()[0]["injected"] > 0
    assert _alike(resources) == _alike(whole)
    assert not gaps


def test_a_long_throttling_is_raised(cloud: Sandbox, connect: Callable[..., ArmInventory]) -> None:
    cloud.faults.add("throttled", retry_after=300)
    with pytest.raises(Throttled) as raised:
        _collect(connect())
    assert raised.value.retry_after == 300


def test_an_expired_token_is_not_reported_as_a_missing_role(
    cloud: Sandbox, connect: Callable[..., ArmInventory]
) -> None:
    with pytest.raises(Unavailable, match="sign in"):
        _collect(connect(token=cloud.new_token(-5)))


def test_a_forbidden_provider_is_a_gap_with_its_role(cloud: Sandbox, connect: Callable[..., ArmInventory]) -> None:
    cloud.faults.add("forbidden", provider="Microsoft.Insights")
    resources, gaps = _collect(connect())
    assert {(gap.part.lower(), gap.reason, gap.permission) for gap in gaps} == {
        (SETTINGS, UnreadReason.FORBIDDEN, "Microsoft.Insights/diagnosticSettings/read")
    }
    assert all(gap.role for gap in gaps)
    found = [resource.related[SETTINGS] for resource in resources if resource.type == STORAGE]
    assert found
    assert all(isinstance(each, Unread) and each.reason == "forbidden" for each in found)


def test_a_slow_provider_is_given_up_and_the_others_are_read(
    cloud: Sandbox, connect: Callable[..., ArmInventory]
) -> None:
    account = _account(cloud)
    cloud.faults.add("slow", provider="Microsoft.Insights", delay=2)
    found = connect(timeout=1.0).read(tenant=TENANT, resource_id=account, wanted=WANTED)
    assert found is not None
    unread = found.related[SETTINGS]
    assert isinstance(unread, Unread)
    assert (unread.reason, unread.scope) == ("timeout", account)
    assert not isinstance(found.related["microsoft.storage/storageaccounts/blobservices"], Unread)


def test_the_permission_check_tries_each_kind_of_call(cloud: Sandbox, connect: Callable[..., ArmInventory]) -> None:
    inventory = connect()
    subscription = cloud.ids(STORAGE)[0].split("/")[2]
    before = inventory.check(tenant=TENANT, subscription=subscription, wanted=WANTED)
    assert before
    assert all(each.allowed for each in before)
    cloud.faults.add("forbidden", provider="Microsoft.Insights")
    after = inventory.check(tenant=TENANT, subscription=subscription, wanted=WANTED)
    assert {each.permission for each in after if not each.allowed} == {"Microsoft.Insights/diagnosticSettings/read"}


def test_a_write_is_guarded_by_the_etag(cloud: Sandbox, control: ArmControl) -> None:
    version, account = "2023-05-01", _account(cloud)
    before = control.read(tenant=TENANT, resource_id=account, api_version=version)
    assert before is not None
    body = {"tags": {"owner": "ada"}}
    options: dict[str, Any] = {"tenant": TENANT, "resource_id": account, "api_version": version}
    after = control.write(**options, method="PATCH", body=body, if_match=before.etag)
    assert after is not None
    assert after.body["tags"] == {"owner": "ada"}
    if before.etag is not None:
        with pytest.raises(Stale):
            control.write(**options, method="PATCH", body=body, if_match=before.etag)


@pytest.mark.parametrize(
    ("kind", "error", "happened"),
    [("lostResponse", Unavailable, True), ("dropped", Unavailable, False), ("forbidden", Forbidden, False)],
)
def test_a_write_that_fails_says_what_is_known(
    cloud: Sandbox, control: ArmControl, kind: str, error: type[CortexError], *, happened: bool
) -> None:
    account = _account(cloud, 1)
    cloud.faults.add(kind, method="PATCH")
    options: dict[str, Any] = {"tenant": TENANT, "resource_id": account, "api_version": "2023-05-01"}
    with pytest.raises(error):
        control.write(**options, method="PATCH", body={"tags": {"fault": kind}})
    found = control.read(**options)
    assert found is not None
    assert ((found.body.get("tags") or {}).get("fault") == kind) is happened
    assert cloud.faults.records()[0]["injected"] == 1


def test_a_write_that_was_lost_is_seen_when_read_again(cloud: Sandbox, control: ArmControl) -> None:
    options: dict[str, Any] = {"tenant": TENANT, "resource_id": _account(cloud, 2), "api_version": "2023-05-01"}
    cloud.faults.add("lostWrite", method="PATCH")
    assert control.write(**options, method="PATCH", body={"tags": {"lost": "yes"}}) is not None
    found = control.read(**options)
    assert found is not None
    assert "lost" not in (found.body.get("tags") or {})


def test_providers_come_with_types_and_aliases(connect: Callable[..., ArmInventory]) -> None:
    found = {each["namespace"]: each for each in connect().providers(tenant=TENANT)}
    kinds = {each["resourceType"]: each for each in found["Microsoft.Storage"]["resourceTypes"]}
    names = {each["name"]: each["defaultPath"] for each in kinds["storageAccounts"]["aliases"]}
    assert names[f"{STORAGE}/supportsHttpsTrafficOnly"] == "properties.supportsHttpsTrafficOnly"
    assert len(found) > 10

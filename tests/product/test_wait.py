"""What waits for the cloud says until when and why, and a cancellation ends it within two seconds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes import event
from tests.fakes.product import TENANT, Json, Product, until
from tests.product.test_cli import cortex

pytestmark = pytest.mark.slow

ASKED = 600
GRAPH = "resourcegraph/resources"
PROMISED = timedelta(seconds=2)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("waiting")) as started:
        started.scan()
        yield started


@pytest.fixture(autouse=True)
def _calmed(product: Product) -> Iterator[None]:
    yield
    product.cloud.calm()


def waiting(product: Product, path: str) -> Json:
    """The thing as soon as it waits for the cloud, which takes it a while from now."""
    now = until(lambda: product.get(path), lambda found: found["waitingUntil"] and "approve" not in found["reason"])
    assert datetime.fromisoformat(now["waitingUntil"]) > datetime.now(UTC) + timedelta(seconds=ASKED / 2)
    assert "asks to wait" in now["reason"] or "quota" in now["reason"], now["reason"]
    return now


def cancelled(product: Product, path: str) -> Json:
    """How it ended after a cancellation, which took two seconds at most."""
    product.post(f"{path}/cancel")
    ended = product.ended(path)
    assert (ended["status"], ended["waitingUntil"]) == ("cancelled", None)
    kind, _, thing = path.strip("/").replace("s/", ":").partition(":")
    with product.opened() as documents:
        result = event.recorded(documents, TENANT, f"{kind}:{thing}")
    asked = next((each.at for each in result if each.event.type == "cancelRequested"), result[-1].at)
    assert result[-1].at - asked <= PROMISED
    return ended


@pytest.mark.parametrize("where", ["^/subscriptions$", GRAPH])
def test_a_scan_that_waits_says_so_and_is_cancelled_at_once(product: Product, where: str) -> None:
    product.cloud.fault("throttled", path=where, retry_after=ASKED)
    path = f"/scans/{product.post('/scans')['id']}"
    now = waiting(product, path)
    shown = cortex(product, "status").out
    assert path.rpartition("/")[2] in shown
    assert "waiting:" in shown
    if where == GRAPH:
        assert now["unfinished"] == now["subscriptions"] > 1
        assert all(each["waitingUntil"] and each["reason"] for each in product.get(f"{path}/subscriptions")["items"])
    cancelled(product, path)
    product.cloud.calm()
    assert product.scan()["status"] == "completed"


def test_a_subscription_that_waits_does_not_hold_up_the_others(product: Product) -> None:
    product.cloud.fault("throttled", path=GRAPH, retry_after=ASKED, times=1)
    path = f"/scans/{product.post('/scans')['id']}"
    assert waiting(product, path)["unfinished"] == 1
    parts = product.get(f"{path}/subscriptions")["items"]
    assert sum(each["status"] == "completed" for each in parts) == len(parts) - 1 > 0
    assert sum(each["waitingUntil"] is not None for each in parts) == 1
    cancelled(product, path)


def test_a_scan_whose_token_is_refused_says_so(product: Product) -> None:
    product.cloud.fault("expired", path="^/subscriptions$")
    path = f"/scans/{product.post('/scans')['id']}"
    now = until(lambda: product.get(path), lambda found: found["waitingUntil"] or found["endedAt"])
    assert "refuses our token" in now["reason"]
    if not now["endedAt"]:
        cancelled(product, path)


def test_a_plan_that_waits_says_so_and_is_cancelled_at_once(product: Product) -> None:
    (found, *_) = product.fixable()
    product.cloud.fault("throttled", scope=found["resourceId"], retry_after=ASKED)
    path = f"/remediations/{product.post('/remediations', {'findings': [found['id']]})['id']}"
    assert waiting(product, path)["status"] == "planning"
    cancelled(product, path)


@pytest.mark.parametrize(
    ("step", "fault"), [("applying", {"method": "PATCH"}), ("applied", {"method": "GET", "skip": 1})]
)
def test_a_fix_that_waits_says_so_and_is_cancelled_at_once(product: Product, step: str, fault: Json) -> None:
    (found, *_) = product.fixable()
    planned = product.plan(found["id"])
    product.cloud.fault("throttled", scope=found["resourceId"], retry_after=ASKED, **fault)
    product.approve(planned)
    path = f"/remediations/{planned['id']}"
    now = waiting(product, path)
    (item,) = product.items(planned["id"])
    assert (now["status"], item["outcome"], item["waitingUntil"]) == ("applying", step, now["waitingUntil"])
    cancelled(product, path)
    (item,) = product.items(planned["id"])
    # A write that was never made leaves nothing to look at; one that was made has been verified by nobody.
    outcome, reason = {"applying": ("skipped", "the remediation was cancelled before")}.get(
        step, ("unknown", "while it waited")
    )
    assert item["outcome"] == outcome
    assert reason in item["reason"]
    product.cloud.calm()


def test_a_fix_that_waits_does_not_hold_up_the_others(product: Product) -> None:
    first, second, *_ = sorted(product.fixable(), key=lambda each: str(each["resource"]))
    planned = product.plan(first["id"], second["id"])
    product.cloud.fault("throttled", scope=first["resourceId"], method="PATCH", retry_after=ASKED)
    product.approve(planned)
    waiting(product, f"/remediations/{planned['id']}")
    assert [each["outcome"] for each in product.items(planned["id"])] == ["applying", "done"]
    cancelled(product, f"/remediations/{planned['id']}")


def test_a_locked_resource_is_refused_at_once_with_the_lock_named(product: Product) -> None:
    (found, *_) = product.fixable()
    planned = product.plan(found["id"])
    group = str(found["resourceId"]).partition("/providers/")[0]
    lock = f"{group}/providers/Microsoft.Authorization/locks/keep-as-it-is"
    version = {"api-version": "2020-05-01"}
    product.cloud.call("PUT", lock, {"properties": {"level": "ReadOnly"}}, **version)
    product.approve(planned)
    ended = product.ended(f"/remediations/{planned['id']}")
    product.cloud.call("DELETE", lock, **version)
    (item,) = product.items(planned["id"])
    assert (ended["status"], item["outcome"]) == ("failed", "refused")
    assert "'keep-as-it-is' (ReadOnly)" in item["reason"]
    assert item["reason"] in ended["reason"]
    assert "itemDelayed" not in product.facts(f"remediation-item:{item['id']}")

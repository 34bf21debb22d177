"""A change in the cloud reaches its finding in seconds; a message that cannot be read holds up no other."""

import random
from collections.abc import Iterator

import pytest

from shared.adapters.local.queue import SqliteQueue
from shared.domain.verdict import policy_key
from shared.ports.queue import encoded
from shared.services.estate import change
from shared.services.remediation import record
from shared.services.scan import scan
from tests.fakes.product import STORAGE_VERSION, Json, Product, until

KEY = policy_key("/providers/Microsoft.Authorization/policyAssignments/security-baseline", "storage-secure-transfer")
FINDING_SECONDS = 5.0
"""Seconds from a write in the cloud to the finding."""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("changing")).impatient() as started:
        started.scan()
        yield started


def write(product: Product, found: Json, *, https: bool) -> None:
    product.cloud.patch(found["resourceId"], {"properties": {"supportsHttpsTrafficOnly": https}}, STORAGE_VERSION)


def becomes(product: Product, found: Json, *, opened: bool, within: float = FINDING_SECONDS) -> Json:
    return until(lambda: product.get(f"/findings/{found['id']}"), lambda now: now["open"] == opened, within)


@pytest.fixture
def found(product: Product) -> Json:
    """A finding that writes to its resource resolve and open again."""
    return product.insecure()


def test_a_write_reaches_the_finding_and_the_summary(product: Product, found: Json) -> None:
    write(product, found, https=True)
    becomes(product, found, opened=False)
    settled(product)  # the summary follows within a second
    before = product.summary()["policies"][KEY]["nonCompliant"]
    write(product, found, https=False)
    assert becomes(product, found, opened=True)["status"] == "reopened"
    until(product.summary, lambda now: now["policies"][KEY]["nonCompliant"] == before + 1)
    history = product.get(f"/resources/{found['resource']}/history")["items"]
    assert "properties.supportsHttpsTrafficOnly" in str(history)


def test_a_deleted_resource_resolves_its_findings(product: Product) -> None:
    found = deletable(product)
    assert becomes(product, found, opened=False)["reason"] == "the resource is gone"


def deletable(product: Product) -> Json:
    """A finding whose resource has just been deleted; some are locked."""
    for found in product.findings(state="nonCompliant"):
        if found["resourceType"] == "microsoft.storage/storageaccounts":
            path = f"{found['resourceId']}?api-version={STORAGE_VERSION}"
            if product.cloud.try_call("DELETE", path).is_success:
                return found
    raise AssertionError("no storage account can be deleted")


def test_drift_reaches_the_findings(product: Product) -> None:
    """Whatever drifts, the state that events made is the state that a scan finds."""
    before = product.ran("change_judge")
    drifted = product.cloud.call("POST", "/admin/drift", {"steps": 30})["changed"]
    assert drifted
    until(lambda: product.ran("change_judge"), lambda now: now > before)
    settled(product)
    seen = {each["id"]: each["state"] for each in product.findings()}
    product.scan()
    assert {each["id"]: each["state"] for each in product.findings()} == seen


def settled(product: Product) -> None:
    """All events were delivered, and what they ask for was done."""
    with SqliteQueue(product.state / "queue.db") as queue:
        until(lambda: product.cloud.undelivered() + queue.length(change.QUEUE), lambda left: left == 0)


def event(found: Json, number: int) -> Json:
    return {
        "id": f"event-{number}",
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": found["resourceId"],
        "eventTime": f"2026-01-05T10:00:{number:02d}Z",
        "data": {"resourceUri": found["resourceId"].upper() if number % 2 else found["resourceId"]},
        "dataVersion": "2",
    }


def test_events_twice_and_out_of_order(product: Product, found: Json) -> None:
    """The state comes from the cloud, never from the event: however they come, the last write counts."""
    stale = [event(found, number) for number in range(10)] * 2
    random.Random(4).shuffle(stale)  # noqa: S311 - seeded disorder
    for https in (True, False, True):
        write(product, found, https=https)
        for each in stale[:7]:
            product.call("POST", "/changes", [each], role="sender").raise_for_status()
    product.call("POST", "/changes", stale, role="sender").raise_for_status()
    settled(product)
    assert becomes(product, found, opened=False)["status"] == "resolved"
    history = product.get(f"/resources/{found['resource']}/history")["items"]
    instants = [each["at"] for each in history]
    assert len(instants) == len(set(instants)), "no change is reported twice"
    write(product, found, https=False)
    becomes(product, found, opened=True)


@pytest.mark.parametrize(
    "body", [b"garbage", b"[7]", b'[{"data": {}}]', b'[{"data": {"resourceUri": "../x"}}]', b'{"data": 1}']
)
def test_a_bad_event_is_refused(product: Product, body: bytes) -> None:
    answer = product.raw("POST", "/changes", body, role="sender")
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


def test_events_need_a_sender(product: Product, found: Json) -> None:
    assert product.call("POST", "/changes", [event(found, 1)], role="reader").status_code == 403
    assert product.call("POST", "/scans", {}, role="sender").status_code == 403


# Poison

MALFORMED = ("not json", '{"tenant": "local"}', '{"tenant": "local", "id": 7, "correlation": null}')


def test_poison_is_put_aside_and_the_rest_flows(product: Product, found: Json) -> None:
    """A queue with bad messages in it does its good ones meanwhile; the bad ones are recorded, whole, with reasons."""
    with SqliteQueue(product.state / "queue.db") as queue:
        for name in (change.QUEUE, record.DECISION_QUEUE):
            for body in MALFORMED:
                queue.send(name, body)
            queue.send_text(name, "plain text")
        write(product, found, https=True)
        becomes(product, found, opened=False, within=FINDING_SECONDS)
        fix = product.fixable()[0]
        planned = product.plan(fix["id"])
        product.approve(planned)
        assert product.ended(f"/remediations/{planned['id']}")["status"] == "succeeded"
        until(lambda: queue.length(change.QUEUE) + queue.length(record.DECISION_QUEUE), lambda left: left == 0)
    product.fire("poison_collect")
    sent = sorted(("plain text", *map(encoded, MALFORMED)) * 2)
    kept = until(lambda: product.documents("poison").values(), lambda now: len(now) == len(sent))
    assert sorted(each["text"] for each in kept) == sent
    assert all(each["reason"] for each in kept)


def test_poison_of_a_scan_request_ends_without_harm(product: Product) -> None:
    with SqliteQueue(product.state / "queue.db") as queue:
        queue.send(scan.QUEUE, "not json")
        assert product.scan({"collect": False})["status"] == "completed"

"""The package does everything the product does, from its archive alone, on Azurite and the Cosmos DB stand-in."""

import base64
import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.services import exemption
from shared.services.estate import change
from shared.services.import_job import import_job
from shared.services.remediation import record as remediation
from shared.services.scan import scan
from tests.fakes.product import STORAGE_VERSION, until
from tests.product.deployed import Deployed, Queues, contents, services

pytestmark = [pytest.mark.package, pytest.mark.emulator]


@pytest.fixture(scope="module")
def product(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deployed")
    before = contents(package)
    with services(folder) as given, Deployed(folder, package, given) as started:
        yield started
    assert contents(package) == before, "the app writes nothing where it is deployed"


@pytest.fixture(scope="module")
def queues(product: Deployed) -> Iterator[Queues]:
    with contextlib.closing(Queues(product.storage)) as opened:
        yield opened


@pytest.fixture(scope="module")
def poisoned(queues: Queues) -> list[str]:
    """What no handler can read, sent before all else: no message of ours, and none that the host can decode."""
    texts = [base64.b64encode(b"not a message").decode(), "plain text"]
    for text in texts:
        queues.send(change.QUEUE, text)
    return texts


@pytest.fixture(scope="module", autouse=True)
def scanned(product: Deployed, poisoned: list[str]) -> dict[str, Any]:  # noqa: ARG001 - before all else
    return product.scan()


def test_it_is_ready(product: Deployed) -> None:
    result = product.get("/health/ready")
    assert result["ready"]
    assert all(each["ready"] for each in result["checks"].values())


def test_a_scan_goes_from_request_to_findings(product: Deployed, scanned: dict[str, Any]) -> None:
    assert scanned["status"] == "completed"
    until(lambda: product.ran("scan_start"), bool)
    until(lambda: product.ran("scan_finish"), bool)
    assert len(product.findings(state="nonCompliant")) == scanned["totals"]["nonCompliant"] > 0


def test_a_remediation_comes_to_its_end(product: Deployed) -> None:
    found = product.fixable()[0]
    assert product.finished(product.plan(found["id"])["id"])["status"] == "succeeded"
    assert product.get(f"/findings/{found['id']}")["status"] == "resolved"
    until(lambda: product.ran("remediation_start"), bool)


def test_an_import_is_kept_and_judged(product: Deployed) -> None:
    (account,) = product.get("/resources", type="microsoft.storage/storageaccounts", limit=1)["items"]
    body = product.get(f"/resources/{account['id']}")["record"]["body"]
    answer = product.raw("POST", "/imports?name=estate.json", json.dumps([body, {"name": "no id"}]).encode())
    ended = product.ended(f"/imports/{answer.json()['id']}")
    assert (ended["imported"], ended["errorCount"], ended["records"]) == (1, 1, 2)
    until(lambda: product.ran("import_run"), bool)


def test_an_exemption_reaches_its_finding(product: Deployed) -> None:
    found = next(each for each in product.findings(state="nonCompliant") if each["policy"] != "storage-secure-transfer")
    made = product.post(
        "/exemptions",
        {
            "scope": found["resourceId"],
            "assignment": found["assignment"],
            "references": [found["reference"]],
            "category": "Waiver",
            "reason": "The devices in the field are not ready.",
            "owner": "ada@example.com",
            "expiresAt": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
        },
    )
    product.post(f"/exemptions/{made['id']}/approve", role="approver")
    until(lambda: product.get(f"/findings/{found['id']}"), lambda now: now["state"] == "exempt")
    until(lambda: product.ran("exemption_judge"), bool)


def test_a_change_in_the_cloud_reaches_its_finding(product: Deployed) -> None:
    found = product.insecure()
    product.cloud.patch(found["resourceId"], {"properties": {"supportsHttpsTrafficOnly": True}}, STORAGE_VERSION)
    until(lambda: product.get(f"/findings/{found['id']}"), lambda now: now["status"] == "resolved")
    until(lambda: product.ran("change_judge"), bool)


def test_a_message_that_nobody_can_read_is_put_aside_whole_with_its_reason(
    product: Deployed, queues: Queues, poisoned: list[str]
) -> None:
    until(lambda: queues.count(change.QUEUE), lambda left: left == 0)
    product.fire("poison_collect")
    kept = until(lambda: product.documents("poison").values(), lambda now: len(now) == len(poisoned))
    assert sorted(each["text"] for each in kept) == sorted(poisoned)
    assert all(each["reason"] for each in kept)


def test_every_queue_was_used(queues: Queues) -> None:
    assert all(queues.exists(each.QUEUE) for each in (scan, change, remediation, import_job, exemption))

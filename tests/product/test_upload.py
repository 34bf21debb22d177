"""A file larger than a request may be: uploaded with a grant, imported, with kills and reconcilers in between."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from cli import import_job
from tests.fakes.product import STORAGE_VERSION, Json, Product, until
from tests.product.test_cli import cortex

SUBSCRIPTION = "5d1c9c4e-0000-4000-8000-0000000000aa"
RECORDS = 3000
LARGE_RECORDS = 6_000
DELIVERY_SECONDS = 0.5
"""Seconds between two deliveries: as many as anybody could send, and no flood."""


def accounts(number: int) -> Iterator[bytes]:
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts"
    for each in range(number):
        body = {
            "id": f"{group}/account{each:06}",
            "type": "Microsoft.Storage/storageAccounts",
            "name": f"account{each:06}",
            "location": "westeurope",
            "apiVersion": STORAGE_VERSION,
            "properties": {"supportsHttpsTrafficOnly": each % 7 > 0},
        }
        yield json.dumps(body).encode() + b"\n"


def test_a_large_file_is_uploaded_by_the_command_line(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_job, "DIRECT_UPLOAD_BYTES", 1000)
    file = tmp_path / "estate.jsonl"
    file.write_bytes(b"".join(accounts(RECORDS)))
    result = json.loads(cortex(product, "import", "start", str(file), "--no-scan", "--json").out)
    assert (result["status"], result["imported"], result["size"]) == ("completed", RECORDS, file.stat().st_size)
    kept = [each for each in product.documents("resource").values() if each["subscription"] == SUBSCRIPTION]
    assert len(kept) == RECORDS


def test_an_import_killed_and_delivered_again_and_again_keeps_each_record_once(tmp_path: Path) -> None:
    """Three kills, the reconciler and another delivery at every look: what is reported is what is stored."""
    with Product(tmp_path, resources=1) as product:
        started = product.raw("POST", "/imports?name=large", b"".join(accounts(LARGE_RECORDS))).json()
        path = f"/imports/{started['id']}"
        message = json.dumps({"tenant": "local", "id": started["id"], "correlation": "again"})
        for at in (1, LARGE_RECORDS // 4, LARGE_RECORDS // 2):
            until(lambda: again(product, path, message), lambda now, at=at: now["records"] >= at)
            product.kill()
            product.start()
        ended = until(lambda: again(product, path, message), lambda now: now["endedAt"])
        assert (ended["status"], ended["records"], ended["imported"]) == ("completed", LARGE_RECORDS, LARGE_RECORDS), (
            ended["reason"]
        )
        stored = [each for each in product.documents("resource").values() if each["subscription"] == SUBSCRIPTION]
        assert len(stored) == LARGE_RECORDS
        assert not list((product.state / "blobs").rglob("content"))


def again(product: Product, path: str, message: str) -> Json:
    """Have the import delivered once more and reconciled, and look at it."""
    answer = httpx2.post(f"{product.url}/admin/functions/import_run", json={"input": message}, timeout=60)
    assert answer.is_success, answer.text
    product.fire("import_reconcile")
    time.sleep(DELIVERY_SECONDS)
    return product.get(path)

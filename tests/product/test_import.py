"""A real exported inventory: imported over HTTP, evaluated, and what was left out is reported."""

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.product import ROOT, Json, Product

DATA = Path(os.environ.get("CORTEX_TEST_DATA") or ROOT.parent / "shared")
INVENTORY = DATA / "policy-cases" / "resources.jsonl.gz"


@pytest.fixture(scope="module")
def bodies() -> list[Json]:
    if not INVENTORY.is_file():
        pytest.skip(f"there is no inventory at {INVENTORY}; CORTEX_TEST_DATA names the folder of the test data")
    with gzip.open(INVENTORY, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def upload(product: Product, content: bytes, name: str) -> Json:
    answer = product.raw("POST", f"/imports?name={name}", content)
    assert answer.status_code == 202, answer.text
    return product.ended(f"/imports/{answer.json()['id']}")


def test_a_real_inventory(product: Product, bodies: list[Json]) -> None:
    ended = upload(product, INVENTORY.read_bytes(), INVENTORY.name)
    result = ended["imported"] + ended["errorCount"]
    assert result == ended["records"] == len(bodies)
    assert ended["imported"] > 0.9 * len(bodies), ended["errors"][:3]
    assert all(each["position"] and each["reason"] for each in ended["errors"])
    scan = product.scan({"collect": False, "subscriptions": ended["subscriptions"]})
    assert scan["status"] in {"completed", "partial"}
    assert not scan["totals"]["error"]
    assert scan["totals"]["nonCompliant"]
    unknown = [each for sub in ended["subscriptions"] for each in product.findings(subscription=sub, state="unknown")]
    assert all(product.get(f"/findings/{each['id']}")["missing"] for each in unknown[:20])


def test_the_same_again_changes_nothing(product: Product, bodies: list[Json]) -> None:
    first = upload(product, _lines(bodies), "first.jsonl")
    before = product.documents("resource")
    again = upload(product, _lines(reversed(bodies)), "again.jsonl")
    counts = ("records", "imported", "errorCount")
    assert Counter({name: again[name] for name in counts}) == Counter({name: first[name] for name in counts})
    assert product.documents("resource").keys() == before.keys()


def _lines(bodies: Any) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in bodies)

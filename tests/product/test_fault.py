"""The cloud misbehaves during scans and fixes: the end is complete or honestly partial, and nothing is done twice."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from shared.domain import item_step
from tests.fakes.product import Json, Product, until

SOFT_DELETE = "storage-blob-soft-delete"
BLOBS = "microsoft.storage/storageaccounts/blobservices"
GRAPH = "resourcegraph/resources"
EVERYTHING = {"mode": "full"}
"""What is not asked for again, as nothing has changed, meets no fault."""
Findings = dict[str, Json]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("faulty")) as started:
        yield started


@pytest.fixture(scope="module")
def calm(product: Product) -> tuple[Json, Findings]:
    """A scan without faults, and its findings."""
    return product.scan(EVERYTHING), product.documents("finding")


@pytest.fixture(autouse=True)
def _calmed(product: Product) -> Iterator[None]:
    yield
    product.cloud.calm()


def gaps(scan: Json) -> list[tuple[str, Json]]:
    return sorted((each["part"], each["reason"], each["scope"]) for each in scan["gaps"])


def opened(findings: Mapping[str, Json]) -> dict[str, str]:
    return {name: each["state"] for name, each in findings.items() if each["open"]}


PASSING: Mapping[str, Json] = {
    "a third is throttled": {"kind": "throttled", "probability": 0.3, "retry_after": 0.1},
    "a storm": {"kind": "throttled", "times": 24, "retry_after": 0.5, "path": GRAPH},
    "unavailable now and then": {"kind": "unavailable", "times": 10, "probability": 0.1, "status": 503},
    "bad gateways": {"kind": "unavailable", "times": 10, "probability": 0.1, "status": 502},
    "slow answers": {"kind": "slow", "probability": 0.3, "delay": 0.2},
    "dropped connections": {"kind": "dropped", "times": 10, "probability": 0.1},
    "broken answers": {"kind": "cut", "times": 10, "probability": 0.1},
    "garbled answers": {"kind": "garbled", "times": 10, "probability": 0.1},
    "small pages only": {"kind": "tooLarge", "rows": 10, "path": GRAPH},
    "an expired token": {"kind": "expired", "times": 1},
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_changes_nothing(product: Product, calm: tuple[Json, Findings], name: str) -> None:
    undisturbed, findings = calm
    fault = product.cloud.fault(**{"path": "^/(subscriptions|providers)", **PASSING[name]}, seed=7)
    scan = product.scan(EVERYTHING)
    assert product.cloud.met(fault), "the fault struck"
    assert (scan["status"], gaps(scan)) == (undisturbed["status"], gaps(undisturbed))
    assert scan["totals"] == undisturbed["totals"]
    assert opened(product.documents("finding")) == opened(findings)


def missing_data_fails_nobody(now: Findings, before: Findings) -> None:
    """What failed, failed before too; what was open and cannot be evaluated any more is still open."""
    failing = {name for name, state in opened(now).items() if state == "nonCompliant"}
    assert failing <= {name for name, state in opened(before).items() if state == "nonCompliant"}
    assert opened(before).keys() <= opened(now).keys()


def test_a_forbidden_type_is_unknown_and_names_the_permission(product: Product, calm: tuple[Json, Findings]) -> None:
    undisturbed, findings = calm
    product.cloud.fault("forbidden", method="GET", type=BLOBS)
    product.cloud.fault("forbidden", method="GET", path="storageAccounts/[^/]+/blobServices")
    scan = product.scan(EVERYTHING)
    found = product.documents("finding")
    missing_data_fails_nobody(found, findings)
    unknown = [each for each in found.values() if each["open"] and each["policy"] == SOFT_DELETE]
    assert unknown
    for each in unknown:
        assert (each["state"], each["missing"][0]["reason"]) == ("unknown", "forbidden")
        assert each["missing"][0]["permission"].lower() == f"{BLOBS}/read"
    assert scan["status"] == "partial"
    new = [each for each in scan["gaps"] if each["reason"] == "forbidden"]
    assert new
    assert {each["permission"].lower() for each in new} == {f"{BLOBS}/read"}
    assert all(each["role"] for each in new)
    assert scan["totals"]["nonCompliant"] < undisturbed["totals"]["nonCompliant"]


def test_a_forbidden_provider_resolves_nothing(product: Product, calm: tuple[Json, Findings]) -> None:
    """Resource Graph leaves out what may not be read, and says nothing."""
    product.cloud.fault("forbidden", provider="Microsoft.Storage")
    product.scan(EVERYTHING)
    found = product.documents("finding")
    accounts = {name for name, each in calm[1].items() if each["resourceType"].startswith("microsoft.storage/")}
    assert accounts
    assert not [
        name for name in accounts if found[name]["status"] == "resolved" and "gone" not in found[name]["reason"]
    ]
    product.cloud.calm()
    product.scan(EVERYTHING)
    assert opened(product.documents("finding")) == opened(calm[1])


def test_a_forbidden_subscription_keeps_what_was_known(product: Product, calm: tuple[Json, Findings]) -> None:
    undisturbed, findings = calm
    subscription = product.get(f"/scans/{undisturbed['id']}/subscriptions")["items"][0]["subscription"]
    product.cloud.fault("forbidden", scope=f"/subscriptions/{subscription}")
    scan = product.scan(EVERYTHING)
    assert scan["status"] == "partial"
    assert [each for each in scan["gaps"] if each["reason"] == "forbidden" and each["permission"] and each["role"]]
    missing_data_fails_nobody(product.documents("finding"), findings)


def test_a_partial_page_is_reported(product: Product, calm: tuple[Json, Findings]) -> None:
    _, findings = calm
    product.cloud.fault("partialPage", path=GRAPH, keep=0.5)
    scan = product.scan(EVERYTHING)
    assert scan["status"] == "partial"
    assert {each["part"] for each in scan["gaps"] if each["reason"] == "partial"} == {"resources"}
    missing_data_fails_nobody(product.documents("finding"), findings)


# Fixes

DONE: Mapping[str, Json] = {
    "throttled": {"kind": "throttled", "retry_after": 1, "times": 2},
    "unavailable": {"kind": "unavailable", "times": 1},
    "slow": {"kind": "slow", "delay": 1.5},
    "dropped": {"kind": "dropped", "times": 1},
    "cut": {"kind": "cut", "times": 1},
    "garbled": {"kind": "garbled", "times": 1},
    "lostResponse": {"kind": "lostResponse", "times": 1},
    "expired": {"kind": "expired", "times": 1},
    "throttled reading": {"kind": "throttled", "method": "GET", "times": 6, "retry_after": 0.2},
}
UNDONE: Mapping[str, tuple[Json, str, str]] = {
    "lostWrite": ({"kind": "lostWrite", "times": 1}, "failed", item_step.LOST),
    "forbidden": ({"kind": "forbidden"}, "failed", "/write"),
}


@pytest.fixture(scope="module")
def fixed(product: Product, calm: tuple[Json, Findings]) -> dict[str, tuple[Json, Json]]:
    """For each fault its finding and how its remediation ended; all of them under way at the same time."""
    assert calm
    product.cloud.calm()
    product.scan(EVERYTHING)
    faults = {**DONE, **{name: each for name, (each, *_) in UNDONE.items()}}
    findings = product.fixable()[: len(faults)]
    planned = [product.plan(each["id"]) for each in findings]
    armed = [
        product.cloud.fault(**{"method": "PATCH", **fault}, scope=found["resourceId"])
        for found, fault in zip(findings, faults.values(), strict=True)
    ]
    for each in planned:
        product.approve(each)
    ended = [product.ended(f"/remediations/{each['id']}") for each in planned]
    for fault in armed:
        assert product.cloud.met(fault), "every fault struck"
    return {name: (found, each) for name, found, each in zip(faults, findings, ended, strict=True)}


@pytest.mark.parametrize("name", DONE)
def test_a_fix_is_done_once_whatever_happens_on_the_way(
    product: Product, fixed: dict[str, tuple[Json, Json]], name: str
) -> None:
    found, ended = fixed[name]
    (item,) = product.items(ended["id"])
    assert [ended["status"], item["outcome"], item["reason"]] == ["succeeded", "done", ""]
    assert product.get(f"/findings/{found['id']}")["status"] == "resolved"
    assert written(product, found) == ["PATCH"]


@pytest.mark.parametrize("name", UNDONE)
def test_what_was_not_done_is_not_called_done(product: Product, fixed: dict[str, tuple[Json, Json]], name: str) -> None:
    found, ended = fixed[name]
    _, outcome, reason = UNDONE[name]
    (item,) = product.items(ended["id"])
    assert (ended["status"], item["outcome"]) == ("failed", outcome)
    assert reason in item["reason"]
    assert product.get(f"/findings/{found['id']}")["open"]
    assert written(product, found) == []


def written(product: Product, found: Json) -> list[str]:
    return [each["method"] for each in product.cloud.writes() if each["id"] == found["resourceId"]]


def test_a_fix_that_cannot_be_proven_is_not_called_done(product: Product, calm: tuple[Json, Findings]) -> None:
    """After the write the resource cannot be read any more."""
    assert calm
    found = product.fixable()[-1]
    planned = product.plan(found["id"])
    product.cloud.fault("forbidden", method="GET", scope=found["resourceId"], skip=1)
    product.approve(planned)
    ended = product.ended(f"/remediations/{planned['id']}")
    assert ended["status"] == "failed"
    (item,) = product.items(planned["id"])
    assert item["outcome"] in {"unknown", "rolledBack"}
    assert "read" in item["reason"]
    assert written(product, found)[:1] == ["PATCH"]


def test_a_storm_over_a_scan_and_fixes_at_once(product: Product, calm: tuple[Json, Findings]) -> None:
    assert calm
    findings = product.fixable()[:3]
    planned = [product.plan(each["id"]) for each in findings]
    before = product.cloud.last()
    scan = product.post("/scans")
    for kind, probability in (("throttled", 0.3), ("unavailable", 0.1), ("dropped", 0.1), ("lostResponse", 0.5)):
        struck = {"probability": probability, "path": "^/(subscriptions|providers)"}
        product.cloud.fault(kind, **struck, retry_after=0.3, times=40, seed=5)
    for each in planned:
        product.approve(each)
    assert product.ended(f"/scans/{scan['id']}")["status"] in {"completed", "partial"}
    for found, each in zip(findings, planned, strict=True):
        assert product.ended(f"/remediations/{each['id']}")["status"] == "succeeded"
        until(lambda found=found: product.get(f"/findings/{found['id']}"), lambda now: now["status"] == "resolved")
    assert Counter(each["id"] for each in product.cloud.writes(before)) == {each["resourceId"]: 1 for each in findings}

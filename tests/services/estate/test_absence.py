"""Whatever the cloud leaves out, halves or garbles: nothing fails, passes or is gone for it, and the scan says so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from local.cloud.server import Sandbox, sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.catalog import PackagedCatalog
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain.compliance import ComplianceSummary
from shared.domain.scan import Scan, ScanRequest, ScanStatus
from shared.domain.scan_difference import ScanMode
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services import finding
from shared.services.estate import judgement, resource
from shared.services.policy import effective_policy
from tests.fakes import scan_run
from tests.fakes.caller import caller
from tests.fakes.clock import Clock
from tests.fakes.summary import summary_of

TENANT = "contoso"
CATALOG = PackagedCatalog(Path(__file__).parents[3] / "catalog")
POLICIES = effective_policy.packaged(CATALOG)
GRAPH = "resourcegraph/resources"


@dataclass(frozen=True)
class Calm:
    """How the estate stood after a scan without faults."""

    failing: set[str]
    opened: set[str]
    summary: ComplianceSummary


class Estate:
    """A tenant over a sandbox cloud, scanned as the workflow does it, without the waits."""

    def __init__(self, store: Store, queue: SqliteQueue, cloud: Sandbox) -> None:
        self.store, self.queue, self.cloud, self.number = store, queue, cloud, 0
        connection = ArmConnection(TENANT, cloud.url, StaticToken(cloud.token))
        self.inventory = ArmInventory(connection, resource_types=CATALOG.resource_types(), sleep=lambda _: None)

    def scan(self) -> Scan:
        self.number += 1
        name = f"s{self.number}"
        # Everything, each time: what is not asked for cannot be answered wrongly.
        asked = ScanRequest(mode=ScanMode.FULL)
        return scan_run.run(name, self.store, self.queue, self.inventory, POLICIES, asked)

    @cached_property
    def calm(self) -> Calm:
        """As it was when this was first asked."""
        summary = summary_of(self.store)
        assert summary
        return Calm(self.failing(), self.opened(), summary)

    def findings(self) -> dict[str, Mapping[str, Any]]:
        return {body["id"]: body for body in finding.stored(Query(), self.store)}

    def failing(self) -> set[str]:
        return {key for key, body in self.findings().items() if body["open"] and body["state"] == "nonCompliant"}

    def opened(self) -> set[str]:
        return {key for key, body in self.findings().items() if body["open"]}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    place = tmp_path_factory.mktemp("absence")
    with (
        sandbox(place / "cloud.db", resources=60, seed=11) as cloud,
        SqliteDocuments(place / "d.db", indexes=INDEXES) as documents,
        SqliteQueue(place / "q.db") as queue,
    ):
        blobs = FileBlobs(place / "blobs")
        store = Store(documents=documents, blobs=blobs, now=Clock(), caller=caller(), correlation="c1")
        made = Estate(store, queue, cloud)
        assert made.scan().status == ScanStatus.COMPLETED
        assert made.calm.failing
        yield made
        made.inventory.close()


@pytest.fixture(autouse=True)
def _calmed(estate: Estate) -> Iterator[None]:
    yield
    estate.cloud.faults.clear()


def nothing_is_lost(estate: Estate) -> Scan:
    """Scan, and see that nothing fails that did not, and that nothing is closed, for want of an answer."""
    ended = estate.scan()
    assert estate.failing() - estate.calm.failing == set(), "no verdict fails for what was left out"
    assert estate.calm.opened - estate.opened() == set(), "nothing is resolved for what was left out"
    after = summary_of(estate.store)
    assert after
    assert after.resources == estate.calm.summary.resources
    return ended


ANYTHING = "^/(subscriptions|providers)"


@pytest.mark.parametrize(
    ("path", "keep"),
    [
        ("^/subscriptions$", 0.5),
        (ANYTHING, 0.5),
        pytest.param(GRAPH, 0.5, marks=pytest.mark.slow),
        pytest.param(ANYTHING, 0.0, marks=pytest.mark.slow),
    ],
)
def test_lists_that_are_silently_cut_short_cause_no_finding(estate: Estate, path: str, keep: float) -> None:
    estate.cloud.faults.add("shortened", path=path, keep=keep)
    ended = nothing_is_lost(estate)
    if path != GRAPH:
        assert ended.status == ScanStatus.PARTIAL
        assert ended.gaps[0].scope == "/"


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("emptied", ANYTHING),
        pytest.param("emptied", "^/subscriptions$", marks=pytest.mark.slow),
        pytest.param("html", GRAPH, marks=pytest.mark.slow),
        pytest.param("garbled", "^/subscriptions/[^/]+$", marks=pytest.mark.slow),
    ],
)
def test_malformed_answers_are_gaps_with_a_reason(estate: Estate, path: str, kind: str) -> None:
    estate.cloud.faults.add(kind, path=path)
    ended = nothing_is_lost(estate)
    assert ended.status == ScanStatus.PARTIAL
    assert all("NoneType" not in gap.message for gap in ended.gaps)
    assert ended.gaps[0].message.startswith(("the cloud answered", "the cloud's answer"))
    assert ended.as_of is not None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["emptied", "html", "garbled", "shortened", "partialPage"])
@pytest.mark.parametrize(
    "path", ["^/subscriptions$", "^/subscriptions/[^/]+$", "resourceGroups$", GRAPH, "/providers/", ANYTHING]
)
def test_no_answer_of_any_call_causes_a_wrong_finding(estate: Estate, path: str, kind: str) -> None:
    for keep in (0.5, 0.0):
        estate.cloud.faults.add(kind, path=path, keep=keep, probability=0.7, seed=int(keep * 10))
        nothing_is_lost(estate)
        estate.cloud.faults.clear()


@pytest.mark.slow
def test_a_scan_of_a_wrong_endpoint_ends_as_partial(estate: Estate) -> None:
    estate.cloud.faults.add("unavailable", status=404, path="^/subscriptions")
    assert nothing_is_lost(estate).status == ScanStatus.PARTIAL


@pytest.mark.parametrize("kind", ["emptied", "html", "garbled", "shortened"])
def test_a_first_scan_that_sees_nothing_fails(estate: Estate, kind: str, tmp_path: Path) -> None:
    estate.cloud.faults.add(kind, path="^/subscriptions$", keep=0)
    with SqliteDocuments(tmp_path / "empty.db", indexes=INDEXES) as documents:
        first = Estate(replace(estate.store, documents=documents), estate.queue, estate.cloud)
        ended = first.scan()
        first.inventory.close()
    assert ended.status == ScanStatus.FAILED
    assert "/subscriptions" in ended.reason or "Reader" in ended.reason


def test_a_change_judged_by_a_cut_list_causes_no_finding(estate: Estate) -> None:
    store, inventory = estate.store, estate.inventory
    rows = [row for _, row in resource.stored(Query(equals={"gone": False}), store) if _has_settings(row)]
    assert rows
    for row in rows[:5]:
        states = judgement.judge_resource(row["resourceId"], store=store, inventory=inventory, policies=POLICIES)
        fault = estate.cloud.faults.add("shortened", path="diagnosticSettings$", keep=0)
        assert (
            judgement.judge_resource(row["resourceId"], store=store, inventory=inventory, policies=POLICIES) == states
        )
        estate.cloud.faults.remove(fault)


def _has_settings(row: Mapping[str, Any]) -> bool:
    found = row["record"].get("related", {}).get("microsoft.insights/diagnosticsettings")
    return isinstance(found, list) and bool(found)


@pytest.mark.slow
def test_a_scan_without_faults_finds_the_same_as_the_first(estate: Estate) -> None:
    estate.cloud.faults.add("shortened", keep=0.3, path="^/(subscriptions|providers)")
    estate.scan()
    estate.cloud.faults.clear()
    assert estate.scan().status == ScanStatus.COMPLETED
    assert (estate.failing(), estate.opened()) == (estate.calm.failing, estate.calm.opened)

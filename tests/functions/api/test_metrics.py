"""Metrics: who may scrape, what is exposed, that nothing in it grows without bound, and that the guide lists all."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from functions.api import health, metrics
from functions.api.app import build
from shared.adapters import throttling
from shared.adapters.azure.storage_error import translate
from shared.bootstrap import Ports
from shared.domain.error import Unavailable
from shared.domain.scan import ScanRequest, ScanTrigger
from shared.services import poison
from shared.services.import_job import import_job
from shared.services.installation import gauge
from shared.services.scan import scan
from tests.fakes.caller import caller
from tests.fakes.clock import TENANT, Clock
from tests.fakes.world import World
from tests.functions.api.conftest import problem

TOKEN = "a-scrape-token-of-the-tests"
GUIDE = Path(__file__).parents[3] / "docs" / "metrics.md"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def client(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("CORTEX_METRICS_TOKEN", TOKEN)
    monkeypatch.setenv("CORTEX_TENANT", TENANT)
    monkeypatch.setattr(metrics, "CACHE_SECONDS", 0.0)
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    return TestClient(build(ports))


@pytest.fixture
def scrape(client: TestClient) -> Callable[[], Samples]:
    """Scrapes as a scraper would; name and labels of each sample -> value."""

    def read() -> Samples:
        answer = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        families = text_string_to_metric_families(answer.text)
        return {(each.name, tuple(sorted(each.labels.items()))): each.value for one in families for each in one.samples}

    return read


def test_only_the_scrape_token_opens_it(client: TestClient) -> None:
    for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
        answer = client.get("/metrics", headers=given)
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem(client.get(f"/metrics?token={TOKEN}"), 401)
    problem(client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}é".encode()}), 401)


def test_without_a_token_there_is_no_such_address(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORTEX_METRICS_TOKEN", raising=False)
    client = TestClient(build(ports))
    body = problem(client.get("/metrics", headers={"authorization": "Bearer "}), 404)
    nowhere = problem(client.get("/nothing"), 404)
    assert {**body, "instance": "", "correlationId": ""} == {**nowhere, "instance": "", "correlationId": ""}


def test_a_short_token_is_refused() -> None:
    from shared.settings import Settings  # noqa: PLC0415 - only here

    with pytest.raises(ValueError, match="metrics_token"):
        Settings(metrics_token="short")  # type: ignore[arg-type]


def test_requests_are_timed_under_their_declared_address(client: TestClient, scrape: Callable[[], Samples]) -> None:
    for number in range(20):
        client.get(f"/api/v1/findings/{number}")
        client.get(f"/nowhere/{number}")
    client.request("BREW", "/api/v1/health")
    found = scrape()
    counted = {labels: value for (name, labels), value in found.items() if name.endswith("seconds_count")}
    assert counted[("method", "GET"), ("route", "/api/v1/findings/{id}"), ("status", "4xx")] == 20
    assert counted[("method", "GET"), ("route", "other"), ("status", "4xx")] == 20
    assert sum(value for labels, value in counted.items() if ("method", "other") in labels) == 1
    assert len(counted) == 3


def test_queues_and_poison_are_counted(ports: Ports, scrape: Callable[[], Samples]) -> None:
    ports.queue.send("scan-requests", "a")
    ports.queue.send("scan-requests-poison", "a")
    ports.queue.send("scan-requests-poison", "b")
    found = scrape()
    assert found["cortex_queue_messages", (("queue", "scan-requests"),)] == 1
    assert found["cortex_poison_messages", (("queue", "scan-requests"),)] == 2
    assert found["cortex_poison_messages", (("queue", "import-requests"),)] == 0


def test_poison_that_was_recorded_is_counted_for_a_day(
    world: World, ports: Ports, clock: Clock, scrape: Callable[[], Samples]
) -> None:
    ports.queue.send("scan-requests-poison", "a")
    poison.collect("scan-requests", give_up=None, queue=ports.queue, store_of=lambda _: world.store)
    assert ports.queue.length("scan-requests-poison") == 0
    assert scrape()["cortex_poison_messages", (("queue", "scan-requests"),)] == 1
    clock.at += timedelta(days=1)
    assert scrape()["cortex_poison_messages", (("queue", "scan-requests"),)] == 0


def test_the_alarms_of_the_last_scan(world: World, clock: Clock, scrape: Callable[[], Samples]) -> None:
    assert scrape()["cortex_scan_alarms", ()] == 0
    for number, alarms in enumerate((3, 2)):
        body = {"id": "s", "status": "completed", "endedAt": clock().isoformat(), "sequence": 1, "alarmCount": alarms}
        world.store.documents.put(tenant=TENANT, kind="scan", id=f"s{number}", body=body)
    clock.at += timedelta(seconds=30)
    assert scrape()["cortex_scan_alarms", ()] == 2


def test_the_age_of_the_last_scan(world: World, clock: Clock, scrape: Callable[[], Samples]) -> None:
    assert ("cortex_last_scan_age_seconds", ()) not in scrape()
    body = {"id": "s", "status": "partial", "endedAt": clock().isoformat(), "sequence": 1}
    world.store.documents.put(tenant=TENANT, kind="scan", id="s", body=body)
    clock.at += timedelta(hours=30)
    assert scrape()["cortex_last_scan_age_seconds", ()] == pytest.approx(108_000, abs=1)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("somebody other than the requester has to approve the plan", "approval"),
        ("the cloud asks to wait 600 s for /subscriptions/a: throttled", "throttled"),
        ("Resource Graph's quota is used up for 20 s", "throttled"),
        ("the cloud does not answer", "unavailable"),
        ("/subscriptions/secret is odd", "other"),
        ("", "other"),
    ],
)
def test_waits_are_reported_by_classes_of_reasons(
    ports: Ports, clock: Clock, scrape: Callable[[], Samples], reason: str, expected: str
) -> None:
    waiting: dict[str, Any] = {
        "status": "running", "restarts": 0, "waitingUntil": (clock() + timedelta(minutes=9)).isoformat(),
        "reason": reason,
    }  # fmt: skip
    over = {**waiting, "waitingUntil": (clock() - timedelta(minutes=9)).isoformat()}
    for id_, body in (("a", waiting), ("b", over), ("c", {**waiting, "status": "completed"})):
        ports.documents.put(tenant=TENANT, kind="scan", id=id_, body=body)
    ports.documents.put(tenant=TENANT, kind="remediation", id="r", body={"status": "applying", "restarts": 2})
    found = scrape()
    waits = {labels: value for (name, labels), value in found.items() if name == "cortex_workflows_waiting" and value}
    assert waits == {(("kind", "scan"), ("reason", expected)): 1}
    assert found["cortex_workflows_active", (("kind", "scan"),)] == 2
    assert found["cortex_workflows_stuck", (("kind", "scan"),)] == 0
    assert found["cortex_workflows_stuck", (("kind", "remediation"),)] == 1


def test_all_tenants_count_and_none_is_named(ports: Ports, scrape: Callable[[], Samples], world: World) -> None:
    for name in ("tenant-one", "tenant-two"):
        store = replace(world.store, caller=caller(tenant=name))
        scan.request(f"s-{name}", ScanRequest(), ScanTrigger.HTTP, store=store, queue=ports.queue)
    found = scrape()
    assert found["cortex_tenants", ()] == 3
    assert found["cortex_workflows_active", (("kind", "scan"),)] == 2
    assert "tenant-" not in str(found)


def test_what_was_throttled_is_counted(scrape: Callable[[], Samples]) -> None:
    before = scrape()["cortex_throttled_requests_total", (("source", "store"),)]
    error = type("Refused", (Exception,), {"status_code": 429})()
    translate(error, "a document")
    throttling.record_throttling("store")
    assert scrape()["cortex_throttled_requests_total", (("source", "store"),)] == before + 2


def test_a_store_that_does_not_answer_leaves_the_rest(
    ports: Ports, scrape: Callable[[], Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert scrape()["cortex_gauges_read", ()] == 1

    def failing(_queue: str) -> int:
        raise Unavailable("down")

    monkeypatch.setattr(ports.queue, "length", failing)
    found = scrape()
    assert found["cortex_gauges_read", ()] == 0
    assert found["cortex_ready", (("check", "documents"),)] == 1
    assert not [name for name, _ in found if name == "cortex_queue_messages"]


def test_the_stores_are_asked_once_for_many_scrapes(
    ports: Ports, scrape: Callable[[], Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "CACHE_SECONDS", 60.0)
    asked: list[str] = []
    length = ports.queue.length
    monkeypatch.setattr(ports.queue, "length", lambda name: asked.append(name) or length(name))
    for _ in range(5):
        scrape()
    assert len(asked) == 2 * len(gauge.QUEUES)


def test_every_queue_of_the_app_is_watched() -> None:
    import function_app  # noqa: PLC0415 - only here

    # Not get_functions(), which a process may call once.
    triggers = [each._function._trigger.get_dict_repr() for each in function_app.app._function_builders]
    queues = {each["queueName"] for each in triggers if "queueName" in each}
    assert {name.removesuffix(poison.POISON_QUEUE_SUFFIX) for name in queues} == set(gauge.QUEUES)
    assert import_job.QUEUE in gauge.QUEUES


def test_the_guide_lists_every_metric_and_every_alert_names_one(
    ports: Ports, clock: Clock, client: TestClient, scrape: Callable[[], Samples]
) -> None:
    client.get("/api/v1/health")
    ports.documents.put(tenant=TENANT, kind="scan", id="s", body={"status": "partial", "endedAt": clock().isoformat()})
    exposed = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name, _ in scrape()}
    text = GUIDE.read_text(encoding="utf-8")
    listing, alerts = text.split("## Alerts")
    listed = set(re.findall(r"^\| `(cortex_\w+)`", listing, re.MULTILINE))
    assert listed == exposed | {"cortex_document_request_units_total"}
    rows = [row for row in alerts.splitlines() if row.startswith("| ") and not row.startswith("| alert")]
    assert len(rows) > 5
    for row in rows:
        named = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"cortex_\w+", row.split("|")[2])}
        assert named, row
        assert named <= listed, row

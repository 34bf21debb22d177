"""A diagnosis: what works, what does not, in the order to mend it; and nothing is changed by it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.diagnosis import DiagnosisCheck, Health
from shared.domain.error import Forbidden, Unavailable
from shared.domain.identity import REGISTRY_TENANT
from shared.domain.poison import MessagePoisoned
from shared.eventstore import aggregate, projection
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services import poison
from shared.services.installation import gauge, heartbeat
from shared.services.installation.diagnosis import TIMERS, examine
from tests.fakes.clock import START, Clock
from tests.services.installation.test_permission import FIRST, Cloud, tried

AT = START + timedelta(hours=1)
SOUND = Cloud({FIRST: [tried(FIRST, "a/read", allowed=True)]})


class Broken:
    """A store of which every call fails."""

    def check(self) -> None:
        raise Unavailable("the store does not answer")


def look(store: Store, queue: Queue, cloud: Any = SOUND, at: datetime = AT, **more: Any) -> tuple[DiagnosisCheck, ...]:
    given = {"documents": store.documents, "blobs": store.blobs, "queue": queue, **more}
    return examine(tenant=store.tenant, inventory=cloud, wanted=dict, at=at, **given)


def ill(checks: tuple[DiagnosisCheck, ...]) -> list[str]:
    return [each.name for each in checks if each.health is Health.BROKEN]


@pytest.fixture
def running(store: Store, clock: Clock) -> Store:
    """Timers that ran, an event that came, a scan that ended."""
    for name in (*TIMERS, heartbeat.EVENT_HEARTBEAT):
        heartbeat.beat(name, documents=store.documents, at=AT - timedelta(minutes=1))
    ended = {
        "requestedAt": (AT - timedelta(hours=3)).isoformat(),
        "id": "s1",
        "status": "completed",
        "endedAt": (AT - timedelta(hours=2)).isoformat(),
    }
    store.documents.put(tenant=store.tenant, kind="scan", id="s1", body=ended)
    assert clock
    return store


def test_a_healthy_installation_needs_no_fix(running: Store, queue: Queue) -> None:
    checks = look(running, queue)
    assert ill(checks) == []
    assert {each.health for each in checks} == {Health.OK}
    assert not [each for each in checks if each.remedy]


def test_the_order_is_stores_cloud_permissions_events_projections_queues_timers_scan(
    running: Store, queue: Queue
) -> None:
    names = [each.name.partition(" ")[0] for each in look(running, queue)]
    asked = ["documents", "blobs", "queue", "subscriptions", "permissions", "events", "projections"]
    assert list(dict.fromkeys(names)) == [*asked, "queues", "failed", "timer", "last"]


def test_events_that_could_not_be_projected_are_broken(running: Store, queue: Queue) -> None:
    running.documents.put(tenant=running.tenant, kind=projection.GAP_KIND, id="scan:s:1", body={"stream": "scan:s"})
    (told,) = (each for each in look(running, queue) if each.name == "projections")
    assert (told.health, told.detail) == (Health.BROKEN, "1 recorded event could not be projected")
    stopped = {"stream": "scan:s", "sequence": 2, "type": "scanMerged", "version": 1}
    running.documents.put(tenant=running.tenant, kind=projection.STOPPED_KIND, id="scan:s", body=stopped)
    (told,) = (each for each in look(running, queue) if each.name == "projections")
    assert "scan:s stops at event 2: scanMerged version 1 is not known" in told.detail
    assert told.remedy is not None
    assert "deploy" in told.remedy


def put_aside(store: Store, queue: str, at: datetime) -> None:
    told = MessagePoisoned(queue=queue, text="x", reason="the last one: \x1bUnavailable", sent_at=at)
    then = replace(store, now=lambda: at)
    aggregate.decide(poison.STREAM, f"{queue}{at:%d%H}", lambda _: (told,), store=then)


def test_failed_messages_are_listed_for_a_week_and_broken_for_a_day(running: Store, queue: Queue) -> None:
    for queue_name, hours in (("scan-requests", 2), ("scan-requests", 1), ("change-events", 72), ("imports", 400)):
        put_aside(running, queue_name, AT - timedelta(hours=hours))
    checks = {each.name: each for each in look(running, queue)}
    fresh = checks["failed messages of scan-requests"]
    told = r"2 in 7 days, the last 60 min ago: the last one: \x1bUnavailable"
    assert (fresh.health, fresh.detail) == (Health.BROKEN, told)
    assert "GET /api/v1/poison" in str(fresh.remedy)
    old = checks["failed messages of change-events"]
    assert (old.health, old.remedy) == (Health.OK, None)
    assert "failed messages of imports" not in checks


def test_while_a_store_is_broken_nothing_else_is_checked(running: Store, queue: Queue) -> None:
    checks = look(running, queue, blobs=Broken(), cloud=None)
    assert ill(checks) == ["blobs"]
    assert checks[1].remedy
    assert checks[-1].health is Health.UNKNOWN


def test_roles_that_are_missing_are_one_line_a_subscription(running: Store, queue: Queue) -> None:
    refused = [tried(FIRST, action, allowed=False) for action in ("a/read", "b/read", "a/read")]
    checks = look(running, queue, Cloud({FIRST: refused}))
    assert ill(checks) == [f"permissions on /subscriptions/{FIRST}"]
    (found,) = [each for each in checks if each.health is Health.BROKEN]
    assert found.detail == "a/read, b/read"
    assert f"--scope /subscriptions/{FIRST}" in str(found.remedy)


def test_a_cloud_that_fails_does_not_affect_the_other_checks(running: Store, queue: Queue) -> None:
    checks = look(running, queue, Cloud(error=Forbidden("the identity has no role")))
    assert ill(checks) == ["subscriptions"]
    assert checks[-1].name == "last scan"


def test_timers_of_a_new_installation_are_unknown_and_not_broken(store: Store, queue: Queue) -> None:
    checks = {each.name: each for each in look(store, queue)}
    assert checks["events"].health is Health.UNKNOWN
    assert "watch.bicep" in str(checks["events"].remedy)
    assert checks["timer scan_nightly"].detail == "has not run yet; it should run every 24 h"
    assert {each.health for name, each in checks.items() if name.startswith("timer")} == {Health.UNKNOWN}
    assert (checks["last scan"].health, checks["last scan"].remedy) == (Health.BROKEN, "cortex scan start")


@pytest.mark.parametrize(
    ("later", "broken"),
    [
        (timedelta(minutes=2), set()),
        (timedelta(minutes=5), {"scan_reconcile", "remediation_reconcile", "poison_collect"}),
        (timedelta(hours=20), {name for name, period in TIMERS.items() if period < timedelta(days=1)}),
    ],
)
def test_a_timer_that_stopped_is_broken(running: Store, queue: Queue, later: timedelta, broken: set[str]) -> None:
    checks = look(running, queue, at=AT + later)
    assert set(ill(checks)) == {f"timer {name}" for name in broken}


def test_timers_that_never_ran_are_late_once_the_installation_is_old(store: Store, queue: Queue) -> None:
    asked = {"id": "s1", "status": "requested", "requestedAt": (AT - timedelta(hours=1)).isoformat()}
    store.documents.put(tenant=store.tenant, kind="scan", id="s1", body=asked)
    late = {each for each in ill(look(store, queue)) if each.startswith("timer")}
    assert late == {f"timer {name}" for name, period in TIMERS.items() if period < timedelta(days=1)}


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_that_is_late_is_broken(running: Store, queue: Queue, name: str) -> None:
    period = TIMERS[name]
    beat(running, name, AT - period - max(timedelta(minutes=2), period / 10) - timedelta(seconds=1))
    assert ill(look(running, queue)) == [f"timer {name}"]
    beat(running, name, AT - period - timedelta(minutes=1))
    assert ill(look(running, queue)) == []


def test_times_in_the_future_are_not_taken_for_fresh(running: Store, queue: Queue) -> None:
    ahead = AT + timedelta(days=800)
    for name in (*TIMERS, heartbeat.EVENT_HEARTBEAT):
        beat(running, name, ahead)
    running.documents.put(
        tenant=running.tenant,
        kind="scan",
        id="s2",
        body={"requestedAt": ahead.isoformat(), "id": "s2", "status": "completed", "endedAt": ahead.isoformat()},
    )
    checks = {each.name: each for each in look(running, queue)}
    assert ill(tuple(checks.values())) == [*(f"timer {name}" for name in TIMERS), "last scan"]
    assert checks["events"].health is Health.UNKNOWN
    for name in (*(f"timer {each}" for each in TIMERS), "events", "last scan"):
        assert f"{ahead:%Y-%m-%dT%H:%M}+00:00, which is in the future" in checks[name].detail
    assert "clock" in str(checks["timer scan_nightly"].remedy)


def test_clocks_that_differ_a_little_are_healthy(running: Store, queue: Queue) -> None:
    beat(running, "scan_nightly", AT + timedelta(seconds=30))
    assert ill(look(running, queue)) == []


def beat(store: Store, name: str, at: datetime) -> None:
    store.documents.put(tenant=REGISTRY_TENANT, kind=heartbeat.KIND, id=name, body={"at": at.isoformat()})


def test_a_heartbeat_is_written_after_the_clock_was_set_back(store: Store) -> None:
    for at in (START + timedelta(days=800), START):
        heartbeat.beat("t", documents=store.documents, at=at)
    assert heartbeat.last(documents=store.documents)["t"] == START


def test_an_old_scan_and_poison_messages_are_broken(running: Store, queue: Queue) -> None:
    name = gauge.QUEUES[0]
    queue.send(f"{name}{poison.POISON_QUEUE_SUFFIX}", "broken")
    for each in TIMERS:
        beat(running, each, AT + gauge.POISON_PERIOD * 2)
    checks = look(running, queue, at=AT + gauge.POISON_PERIOD * 2)
    assert ill(checks) == [f"poison queue of {name}", "last scan"]


def test_heartbeats_are_written_at_intervals_and_hold_the_last(store: Store) -> None:
    writes: list[str] = []
    kept = store.documents.put

    def counted(**given: Any) -> Any:
        writes.append(given["id"])
        return kept(**given)

    store.documents.put = counted  # type: ignore[method-assign]
    for second in range(0, 120, 10):
        heartbeat.beat("t", documents=store.documents, at=START + timedelta(seconds=second))
    assert len(writes) == 3
    assert heartbeat.last(documents=store.documents)["t"] == START + timedelta(seconds=100)

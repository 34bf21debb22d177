"""Every queue handler, activity and timer, delivered twice, ten times and at once, has the effect of one delivery."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions import context
from shared.domain.error import CortexError
from shared.domain.exemption import ExemptionCategory, ExemptionRequest
from shared.domain.rebuild import RebuildRequest
from shared.domain.scan import ScanRequest, ScanTrigger
from shared.services import exemption, rebuild, reconciliation
from shared.services.estate import change
from shared.services.import_job import import_job, upload
from shared.services.scan import scan
from tests.fakes.clock import TENANT
from tests.fakes.cloud import SUBSCRIPTION, account
from tests.fakes.exemption import approved_exemption
from tests.fakes.stale_documents import UnseenWrites
from tests.functions.harness import FUNCTIONS, AppHarness

BODY = account()
OTHER = account("beta", supportsHttpsTrafficOnly=True)
EVENT = {"id": "e", "source": "s", "type": "t", "subject": BODY["id"], "data": {"resourceUri": BODY["id"]}}
AT_ONCE = 4

Given = Any
Case = Callable[[AppHarness], Given]
"""Brings a room to where the delivery comes in, and answers what is delivered."""


def nothing(_room: AppHarness) -> Given:
    return None


def judged(room: AppHarness) -> Given:
    room.world.put(BODY, OTHER)
    return None


def changed(room: AppHarness) -> Given:
    judged(room)
    room.world.cloud.put({**BODY, "properties": {**BODY["properties"], "supportsHttpsTrafficOnly": True}})
    return room.text(BODY["id"].lower())


def event(room: AppHarness) -> Given:
    changed(room)
    return json.dumps(EVENT)


def requested(room: AppHarness) -> Given:
    judged(room)
    room.world.request(BODY, "https-only", "tls-1-2")
    return room.given(room.world.id)


def planned(room: AppHarness) -> Given:
    requested(room)
    room.world.plan()
    return room.given(room.world.id)


def approved(room: AppHarness) -> Given:
    planned(room)
    room.world.approve()
    return room.given(room.world.id)


def applied(room: AppHarness) -> Given:
    given = approved(room)
    room.world.apply()
    return given


def to_restore(room: AppHarness) -> Given:
    given = applied(room)
    room.settle()
    room.world.rollback()
    return given


def verified(room: AppHarness) -> Given:
    given = applied(room)
    room.world.verify()
    return given


def scanning(room: AppHarness) -> Given:
    judged(room)
    scan.request("s1", ScanRequest(), ScanTrigger.HTTP, store=room.store, queue=room.queue)
    return room.given("s1")


def started(room: AppHarness) -> Given:
    given = scanning(room)
    scan.prepare("s1", store=room.store, inventory=room.inventory)
    return {**given, "subscription": SUBSCRIPTION, "reason": "it fails"}


def cancelled(room: AppHarness) -> Given:
    given = started(room)
    scan.cancel("s1", store=room.store, queue=room.queue)
    return given


def stuck(room: AppHarness) -> Given:
    """A scan whose workflow has done nothing for an hour: what the reconciler sends of it."""
    given = scanning(room)
    room.deliver("scan_start", room.text(given["id"]))
    room.empty(scan.QUEUE)
    room.later(minutes=60)
    room.deliver("scan_reconcile", None)
    (sent,) = room.empty(reconciliation.RESTART_QUEUE)
    return sent


def scanned(room: AppHarness) -> Given:
    given = started(room)
    while room.deliver("scan_step", given)["state"] != "done":
        pass
    return given


def imported(room: AppHarness) -> Given:
    lines = b"\n".join(json.dumps(each).encode() for each in (BODY, OTHER, BODY, {"name": "no id"}))
    upload.take("i1", "file.jsonl", [lines], store=room.store, queue=room.queue)
    return room.text("i1")


def stalled(room: AppHarness) -> Given:
    given = imported(room)
    room.later(minutes=10)
    return given


def abandoned(room: AppHarness) -> Given:
    """An upload that was not completed, one whose file came after its import had ended, and one that goes on."""
    upload.start("i1", "never", store=room.store)
    imported_late = upload.take("i2", "late", [b"[]"], store=room.store, queue=room.queue)
    import_job.fail(imported_late.id, "stopped", store=room.store)
    for name in ("i1", "i2"):
        room.blobs.put(tenant=room.store.tenant, name=import_job.content_name(name), data=b"x")
    room.later(hours=1)
    upload.start("i3", "now", store=room.store)
    room.blobs.put(tenant=room.store.tenant, name=import_job.content_name("i3"), data=b"x")


def exempted(room: AppHarness) -> Given:
    judged(room)
    asked = ExemptionRequest(
        scope=f"/subscriptions/{SUBSCRIPTION}",
        assignment="baseline",
        references=("https-only",),
        category=ExemptionCategory.WAIVER,
        reason="tested elsewhere",
        owner="team-a",
        expires_at=room.clock() + exemption.EXEMPTION_DURATION / 2,
    )
    approved_exemption("e1", asked, store=room.store, queue=room.queue, policies=room.world.policies)
    return room.text("e1")


def due(room: AppHarness) -> Given:
    given = exempted(room)
    room.settle()
    room.later(days=366)
    return given


def poisoned(room: AppHarness) -> Given:
    for queue, text in ((scan.QUEUE, "no message"), (import_job.QUEUE, imported(room)), (change.QUEUE, "{}")):
        room.queue.send(f"{queue}-poison", text)


def rebuilding(room: AppHarness) -> Given:
    judged(room)
    asked = RebuildRequest()
    rebuild.request("r1", asked, store=room.store, generations=room.generations, queue=room.queue)
    return room.text("r1")


def aged(room: AppHarness) -> Given:
    """Things that have been kept for long enough, among others."""
    judged(room)
    for kind, body in (("change", {"at": "2020-01-01T00:00:00Z"}), ("idempotency", {"expiresAt": "2020-01-01T00:00Z"})):
        for number in range(3):
            room.documents.put(tenant=TENANT, kind=kind, id=f"old-{number}", body=body)
    return room.text("current")


def function_of(case: str) -> str:
    """The function of a case, whose name may go on."""
    return case.partition(" ")[0]


CASES: Mapping[str, Case] = {
    "alias_read": lambda room: room.text("current"),
    "alias_refresh": nothing,
    "change_judge": changed,
    "change_receive": event,
    "exemption_expire": due,
    "exemption_judge": exempted,
    "poison_collect": poisoned,
    "rebuild_run": rebuilding,
    "remediation_execute": approved,
    "remediation_execute once applied": applied,
    "remediation_execute to roll back": to_restore,
    "remediation_finish": verified,
    "remediation_give_up": lambda room: {**approved(room), "reason": "it fails"},
    "remediation_look": planned,
    "remediation_plan": requested,
    "remediation_reconcile": approved,
    "remediation_wake": lambda room: room.text(approved(room)["id"]),
    "remediation_start": lambda room: room.text(requested(room)["id"]),
    "retention_plan": aged,
    "retention_purge": lambda room: room.deliver("scan_start", room.text(scanning(room)["id"])),
    "retention_run": aged,
    "scan_abandon": started,
    "scan_fail": started,
    "scan_finish": scanned,
    "scan_look": started,
    "scan_nightly": judged,
    "scan_note_slow": scanning,
    "scan_prepare": scanning,
    "scan_reconcile": scanning,
    "scan_wake": lambda room: room.text(cancelled(room)["id"]),
    "scan_start": lambda room: room.text(scanning(room)["id"]),
    "scan_step": started,
    "import_expire": abandoned,
    "import_reconcile": stalled,
    "import_run": imported,
    "workflow_restart": stuck,
}


def test_every_function_that_may_be_delivered_twice_has_a_case() -> None:
    assert {*map(function_of, CASES)} == {*FUNCTIONS}


def attempt(room: AppHarness, name: str, given: Given) -> None:
    """A delivery that may fail because others are at it: the host would deliver it again."""
    with suppress(CortexError):
        room.deliver(name, given)


def outcome(folder: Path, name: str, times: int, monkeypatch: pytest.MonkeyPatch, *, at_once: bool = False) -> Any:
    """What is there once all has come to its end after so many deliveries."""
    with AppHarness(folder) as room:
        room.connect(monkeypatch)
        given = CASES[name](room)

        if at_once:
            with ThreadPoolExecutor(times) as pool:
                list(pool.map(lambda _: attempt(room, function_of(name), given), range(times)))
        for _ in range(1 if at_once else times):
            room.deliver(function_of(name), given)
        room.settle()
        return room.state()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_many_deliveries_have_the_effect_of_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = outcome(tmp_path / "once", name, 1, monkeypatch)
    assert any(once.values()), "the case does something"
    for times in (2, 10):
        assert outcome(tmp_path / str(times), name, times, monkeypatch) == once, f"{times} deliveries"
    assert outcome(tmp_path / "at once", name, AT_ONCE, monkeypatch, at_once=True) == once, "deliveries at once"


COMING_AGAIN = {"retention_run", *(name for name, each in FUNCTIONS.items() if each.kind == "timer")}
"""Timers, and what a timer asks for each time."""


def unseen(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, *, first: bool) -> Any:
    """What is there once a message was delivered, `first` to a process that does not see yet what it is about."""
    with AppHarness(folder) as room:
        room.connect(monkeypatch)
        given, name = CASES[name](room), function_of(name)
        if FUNCTIONS[name].queue:
            room.empty(FUNCTIONS[name].queue)
        again = not first
        if first:
            truth = context.ports()
            documents = UnseenWrites(room.documents)
            monkeypatch.setattr(context, "ports", lambda: SimpleNamespace(**{**vars(truth), "documents": documents}))
            try:
                room.deliver(name, given)
            except CortexError:
                again = True
            monkeypatch.setattr(context, "ports", lambda: truth)
        if again:
            room.deliver(name, given)
        room.settle()
        return room.state()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES.keys() - COMING_AGAIN))
def test_what_is_not_seen_yet_is_tried_again_and_never_taken_for_done(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = unseen(tmp_path / "seen", name, monkeypatch, first=False)
    assert unseen(tmp_path / "unseen", name, monkeypatch, first=True) == seen

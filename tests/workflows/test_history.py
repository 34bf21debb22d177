"""Workflows that began under earlier code go on under today's: every saved history is replayed from every point.

Histories are kept for ever. `CORTEX_RECORD=NAME pytest tests/workflows/test_history.py` saves one of today's plot.
"""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from azure.durable_functions.worker import DurableFunctionsWorker
from durabletask.internal import orchestrator_service_pb2 as pb

from shared.domain.remediation import Status
from shared.ports.queue import Queue
from shared.services.estate import Store
from shared.workflows import remediation
from tests.cloud import account
from tests.durable import Engine, connect, until
from tests.world import World

HISTORIES = Path(__file__).parent / "histories"
PLOTS = {"remediation_workflow": remediation.remediate}
GIVEN = {"executionStarted", "taskCompleted", "taskFailed", "timerFired", "eventRaised"}
ASKED = {"taskScheduled": "scheduleTask", "timerCreated": "createTimer"}


def read(path: Path) -> list[pb.HistoryEvent]:
    return [pb.HistoryEvent.FromString(base64.b64decode(each)) for each in json.loads(path.read_text())["events"]]


def kind(event: pb.HistoryEvent) -> str:
    return str(event.WhichOneof("eventType"))


def turns(events: list[pb.HistoryEvent]) -> list[tuple[list[pb.HistoryEvent], list[pb.HistoryEvent], list[str]]]:
    """For each turn of the workflow: what was behind it, what was new, and what it asked for."""
    found = []
    starts = [index for index, event in enumerate(events) if kind(event) == "orchestratorStarted"]
    for start, end in zip(starts, [*starts[1:], len(events)], strict=True):
        turn = events[start:end]
        new = [event for event in turn if kind(event) in GIVEN | {"orchestratorStarted"}]
        asked = [ASKED[kind(event)] for event in turn if kind(event) in ASKED]
        found.append((events[:start], new, asked or ["completeOrchestration"]))
    return found


def replay(behind: list[pb.HistoryEvent], new: list[pb.HistoryEvent]) -> list[pb.OrchestratorAction]:
    started = next(event for event in (*behind, *new) if kind(event) == "executionStarted").executionStarted
    request = pb.OrchestratorRequest(instanceId="saved", pastEvents=behind, newEvents=new)
    body = base64.b64encode(request.SerializeToString()).decode()
    plot: Any = PLOTS[started.name]
    answer = DurableFunctionsWorker().execute_orchestration_request(plot, body)
    return list(pb.OrchestratorResponse.FromString(base64.b64decode(answer)).actions)


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
def test_a_saved_history_goes_on_under_today_s_code(path: Path) -> None:
    checked = 0
    for behind, new, asked in turns(read(path)):
        actions = replay(behind, new)
        assert [action.WhichOneof("orchestratorActionType") for action in actions] == asked
        for action in actions:
            if action.HasField("completeOrchestration"):
                assert action.completeOrchestration.orchestrationStatus == pb.ORCHESTRATION_STATUS_COMPLETED
        checked += 1
    assert checked > 1


def test_every_plot_has_a_saved_history() -> None:
    saved = {
        event.executionStarted.name
        for path in HISTORIES.glob("*.json")
        for event in read(path)
        if kind(event) == "executionStarted"
    }
    assert saved == set(PLOTS)


@pytest.mark.skipif("CORTEX_RECORD" not in os.environ, reason="records a history only when told a name for it")
def test_record(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store, queue)
    connect(world, monkeypatch)
    engine = Engine()
    body = account()
    world.put(body)
    world.request(body, "https-only")
    engine.start(world)
    until(world, Status.AWAITING_APPROVAL)
    world.approve()
    engine.ring(world)
    engine.end(world)
    events = [base64.b64encode(event.SerializeToString()).decode() for event in engine.history(world)]
    engine.stop()
    path = HISTORIES / f"{os.environ['CORTEX_RECORD']}.json"
    path.write_text(json.dumps({"plot": "remediation_workflow", "events": events}, indent=1) + "\n")
    assert read(path)

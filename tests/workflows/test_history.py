"""Workflows that began under earlier code go on under today's: every saved history is replayed from every point.

Histories are kept for ever, in a folder for each version; those of 0.1 began before orchestrations had versions.
`CORTEX_RECORD=VERSION pytest tests/workflows/test_history.py` saves those of a new version.
"""

import base64
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.durable_functions.worker import DurableFunctionsWorker
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.task import OrchestrationContext

from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy import effective_policy
from shared.workflows import remediation, scan
from tests.fakes.catalog import FixingCatalog, SmallCatalog
from tests.fakes.durable import Engine, connect
from tests.fakes.world import World
from tests.workflows.recording import RUNS, world_of

HISTORIES = Path(__file__).parent / "histories"
SAVED = sorted(HISTORIES.glob("*/*.json"))
VERSIONS = sorted(each.name for each in HISTORIES.iterdir())
WORKFLOWS: Mapping[str, Callable[..., Any]] = {
    "remediation_workflow": remediation.remediate,
    "scan_workflow": scan.scan,
}
GIVEN = {"executionStarted", "taskCompleted", "taskFailed", "timerFired", "eventRaised", "orchestratorStarted"}
ASKED = {"taskScheduled": "scheduleTask", "timerCreated": "createTimer"}
ACTIVITIES = 100
"""The most that one history may ask for."""
REPLAY_SECONDS = 0.025


def read(path: Path) -> list[pb.HistoryEvent]:
    return [pb.HistoryEvent.FromString(base64.b64decode(each)) for each in json.loads(path.read_text())["events"]]


def kind(event: pb.HistoryEvent) -> str:
    return str(event.WhichOneof("eventType"))


def start(events: list[pb.HistoryEvent]) -> pb.ExecutionStartedEvent:
    return next(event for event in events if kind(event) == "executionStarted").executionStarted


def turns(events: list[pb.HistoryEvent]) -> Iterator[tuple[list[pb.HistoryEvent], list[pb.HistoryEvent], list[str]]]:
    """For each turn of the workflow: what was behind it, what was new, and what it asked for; the last one ends it."""
    starts = [index for index, event in enumerate(events) if kind(event) == "orchestratorStarted"]
    for begin, end in zip(starts, [*starts[1:], len(events)], strict=True):
        turn = events[begin:end]
        new = [event for event in turn if kind(event) in GIVEN]
        asked = [ASKED[kind(event)] for event in turn if kind(event) in ASKED]
        yield events[:begin], new, asked + ["completeOrchestration"] * (end == len(events))


def replay(behind: list[pb.HistoryEvent], new: list[pb.HistoryEvent]) -> list[pb.OrchestratorAction]:
    request = pb.OrchestratorRequest(instanceId="saved", pastEvents=behind, newEvents=new)
    body = base64.b64encode(request.SerializeToString()).decode()
    workflow: Any = WORKFLOWS[start([*behind, *new]).name]
    answer = DurableFunctionsWorker().execute_orchestration_request(workflow, body)
    return list(pb.OrchestratorResponse.FromString(base64.b64decode(answer)).actions)


def anonymous(event: pb.HistoryEvent) -> pb.HistoryEvent:
    """An event without the stack of a failure, which names the folders of whoever recorded it."""
    if event.HasField("taskFailed"):
        event.taskFailed.failureDetails.ClearField("stackTrace")
    return event


def check(path: Path) -> None:
    """Replay a history from every point; AssertionError where today's code asks for something else."""
    for behind, new, asked in turns(read(path)):
        actions = replay(behind, new)
        assert [action.WhichOneof("orchestratorActionType") for action in actions] == asked
        for action in actions:
            if action.HasField("completeOrchestration"):
                assert action.completeOrchestration.orchestrationStatus == pb.ORCHESTRATION_STATUS_COMPLETED


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", SAVED, ids=named)
def test_a_saved_history_goes_on_under_todays_code(path: Path) -> None:
    check(path)


@pytest.mark.parametrize("path", SAVED, ids=named)
def test_a_history_is_bounded_and_has_its_version(path: Path) -> None:
    events = read(path)
    asked = sum(kind(event) == "taskScheduled" for event in events)
    assert 1 < asked <= ACTIVITIES
    version = start(events).version.value
    assert version == ("" if path.parent.name == "0.1" else path.parent.name)


def test_todays_version_has_a_history_of_every_run() -> None:
    settings = json.loads((Path(__file__).parents[2] / "host.json").read_text())
    version = settings["extensions"]["durableTask"]["defaultVersion"]
    saved = {path.stem: start(read(path)).name for path in SAVED if path.parent.name == version}
    assert saved.keys() == RUNS.keys()
    assert set(saved.values()) == set(WORKFLOWS)


def test_the_largest_history_is_replayed_in_25_ms() -> None:
    events = max(map(read, SAVED), key=len)
    *_, (behind, new, _) = turns(events)
    spent = []
    for _ in range(10):
        begun = time.process_time()
        replay(behind, new)
        spent.append(time.process_time() - begun)
    assert min(spent) <= REPLAY_SECONDS


@pytest.mark.parametrize(
    ("workflow", "swapped", "path"),
    [
        (remediation, ("apply", "verify"), "1.1/remediation.json"),
        (remediation, ("execute", "finish"), "1.2/remediation.json"),
        (remediation, ("look", "plan"), "0.1/remediation.json"),
        (scan, ("look", "prepare"), "1.1/scan.json"),
        (scan, ("step", "finish"), "1.1/scan-waits.json"),
    ],
)
def test_two_activities_in_another_order_fail_the_replay(
    monkeypatch: pytest.MonkeyPatch, workflow: Any, swapped: tuple[str, str], path: str
) -> None:
    activity = workflow._activity
    one, other = swapped
    names = {one: other, other: one}

    def in_another_order(context: OrchestrationContext, step: str, given: Any) -> Any:
        return activity(context, names.get(step, step), given)

    check(HISTORIES / path)
    monkeypatch.setattr(workflow, "_activity", in_another_order)
    with pytest.raises(AssertionError):
        check(HISTORIES / path)


@pytest.mark.skipif("CORTEX_RECORD" not in os.environ, reason="records histories only for a version that is named")
@pytest.mark.parametrize("run", RUNS)
def test_histories_are_recorded_for_a_version(
    run: str, store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = os.environ["CORTEX_RECORD"]
    patient = {workflow: workflow.RETRY_POLICY for workflow in (remediation, scan)}
    catalog = SmallCatalog() if run.startswith("scan") else FixingCatalog()
    world = world_of(run, World(store, queue, policies=effective_policy.packaged(catalog), id=run))
    connect(world, monkeypatch)
    for workflow, policy_of_retries in patient.items():
        monkeypatch.setattr(workflow, "RETRY_POLICY", policy_of_retries)
    engine = Engine()
    instance = RUNS[run](world, engine, version)
    engine.ended(instance)
    events = [base64.b64encode(anonymous(event).SerializeToString()).decode() for event in engine.events(instance)]
    engine.stop()
    (HISTORIES / version).mkdir(exist_ok=True)
    path = HISTORIES / version / f"{run}.json"
    path.write_text(json.dumps({"events": events}, indent=1) + "\n")
    assert read(path)

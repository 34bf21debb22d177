"""The task hub against the documented behaviour of Durable Functions: waits, timers, executions, payloads, histories.

Microsoft's own worker and client talk to it, and the clock of its timers is moved by hand.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import grpc  # type: ignore[import-untyped]  # it ships no types
import pytest
from durabletask.client import OrchestrationState, OrchestrationStatus, TaskHubGrpcClient
from durabletask.grpc_options import GrpcChannelOptions
from durabletask.history import OrchestratorStartedEvent, TimerCreatedEvent
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as rpc
from durabletask.task import ActivityContext, OrchestrationContext, RetryPolicy, when_all, when_any
from durabletask.testing import InMemoryOrchestrationBackend
from durabletask.worker import TaskHubGrpcWorker

from local.host import alarm, backend
from local.host.hub import TaskHub
from local.host.setting import DurableTask

TIMEOUT_SECONDS = 20
HOUR = timedelta(hours=1)
Steps = Generator[Any, Any, Any]


class Clock:
    """The real time, and as much later as it was moved."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def reset(self) -> None:
        self._ahead = timedelta(0)

    def move(self, by: timedelta) -> None:
        self._ahead += by


class World:
    """A hub with a worker whose activities the test holds back, and a client."""

    def __init__(self, settings: DurableTask) -> None:
        self.clock = Clock()
        self.hub = TaskHub(settings, now=self.clock)
        large = GrpcChannelOptions(max_receive_message_length=-1, max_send_message_length=-1)
        self.worker = TaskHubGrpcWorker(host_address=self.hub.address, channel_options=large)
        self.client = TaskHubGrpcClient(host_address=self.hub.address, channel_options=large)
        self.done: list[Any] = []
        self.free = {name: threading.Event() for name in ("old", "new")}
        for each in (sleep, nap, parent, crowd, turns, echo, timers, patient, held, sub, tell_version, asking):
            self.worker.add_orchestrator(each)
        for activity in (self.repeat, self.fail, self.hold):
            self.worker.add_activity(activity)
        self.worker.start()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        for each in self.free.values():
            each.set()
        self.worker.stop()  # type: ignore[no-untyped-call]
        self.client.close()
        self.hub.close()

    def repeat(self, _: ActivityContext, given: Any) -> Any:
        return given

    def fail(self, _: ActivityContext, given: Any) -> None:
        self.done.append(given)
        raise ValueError("as asked")

    def hold(self, _: ActivityContext, given: Any) -> Any:
        self.done.append(given)
        assert self.free[given].wait(TIMEOUT_SECONDS)
        self.done.append(f"{given} ended")
        return given

    def start(self, name: str, given: Any = None, **options: Any) -> str:
        return str(self.client.schedule_new_orchestration(name, input=given, **options))

    def state(self, instance: str) -> OrchestrationStatus:
        found = self.client.get_orchestration_state(instance)
        return OrchestrationStatus.PENDING if found is None else found.runtime_status

    def result(self, instance: str) -> OrchestrationState:
        found = self.client.wait_for_orchestration_completion(instance, timeout=TIMEOUT_SECONDS)
        assert found is not None
        return found

    def waits(self, instance: str) -> None:
        """Return when the instance has begun to wait."""
        until(lambda: self.state(instance) == OrchestrationStatus.RUNNING)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(alarm, "_SLEEP_SECONDS", 0.02)  # the clock is moved by hand, and that is to be noticed soon
        opened = World(DurableTask(default_version="2.0"))
        yield opened
        opened.close()


@pytest.fixture
def world(shared: World) -> World:
    """The one world of this file, as new."""
    shared.clock.reset()
    shared.done.clear()
    return shared


# Orchestrators


def sleep(context: OrchestrationContext, hours: float) -> Steps:
    yield context.create_timer(timedelta(hours=hours))
    return "slept"


def nap(context: OrchestrationContext, _: Any) -> Steps:
    return (yield context.wait_for_external_event("wake"))


def parent(context: OrchestrationContext, given: dict[str, Any]) -> Steps:
    return (yield context.call_sub_orchestrator(given["name"], input=given["input"], instance_id=given.get("id")))


def crowd(context: OrchestrationContext, count: int) -> Steps:
    answers = yield when_all([context.call_sub_orchestrator("sleep", input=1) for _ in range(count)])
    return len(answers)


def turns(context: OrchestrationContext, turn: int) -> Steps:
    timer = context.create_timer(timedelta(hours=1 + turn))
    turned = context.wait_for_external_event("turn")
    first = yield when_any([timer, turned])
    if first is timer:
        return f"fired in turn {turn}"
    context.continue_as_new(turn + 1)
    return None


def echo(context: OrchestrationContext, given: str) -> Steps:
    return (yield context.call_activity("repeat", input=given))


def timers(context: OrchestrationContext, count: int) -> Steps:
    yield when_all([context.create_timer(timedelta(0)) for _ in range(count)])
    return count


def patient(context: OrchestrationContext, _: Any) -> Steps:
    policy = RetryPolicy(
        first_retry_interval=HOUR, max_number_of_attempts=4, backoff_coefficient=10, max_retry_interval=2 * HOUR
    )
    return (yield context.call_activity("fail", input=1, retry_policy=policy))


def held(context: OrchestrationContext, given: str) -> Steps:
    return (yield context.call_activity("hold", input=given))


def sub(_context: OrchestrationContext, _: Any) -> None:
    raise ValueError("the sub-orchestration fails")


def tell_version(context: OrchestrationContext, _: Any) -> str:
    return str(context.version)


def asking(context: OrchestrationContext, version: str | None) -> Steps:
    return (yield context.call_sub_orchestrator("tell_version", version=version))


# Waiting


@pytest.fixture
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the backend's own limit for waits that have none, 30 seconds, pass at once."""
    limited = InMemoryOrchestrationBackend._wait_for_state

    def wait(self: Any, instance_id: str, predicate: Any, timeout: float | None) -> Any:
        return limited(self, instance_id, predicate, timeout or 0.001)

    monkeypatch.setattr(InMemoryOrchestrationBackend, "_wait_for_state", wait)


@pytest.mark.usefixtures("_no_patience")
def test_a_parent_gets_the_result_however_long_its_sub_orchestration_takes(world: World) -> None:
    child = uuid4().hex
    instance = world.start("parent", {"name": "sleep", "input": 3, "id": child})
    world.waits(child)
    time.sleep(0.05)
    for _ in range(3):
        assert world.state(instance) == OrchestrationStatus.RUNNING
        world.clock.move(HOUR)
    assert world.result(instance).serialized_output == '"slept"'


@pytest.mark.usefixtures("_no_patience")
def test_a_client_without_a_deadline_waits_to_the_end(world: World) -> None:
    instance = world.start("nap")
    world.waits(instance)
    found: list[Any] = []
    asked = pb.GetInstanceRequest(instanceId=instance, getInputsAndOutputs=True)
    with grpc.insecure_channel(world.hub.address) as channel:
        stub = rpc.TaskHubSidecarServiceStub(channel)  # type: ignore[no-untyped-call]
        waiting = threading.Thread(target=lambda: found.append(stub.WaitForInstanceCompletion(asked)))
        waiting.start()
        time.sleep(0.05)
        assert waiting.is_alive()
        world.client.raise_orchestration_event(instance, "wake", data="up")
        waiting.join(TIMEOUT_SECONDS)
    assert found[0].orchestrationState.output.value == '"up"'


@pytest.mark.slow
def test_300_sub_orchestrations_and_their_timers_wait_on_no_thread_of_their_own(world: World) -> None:
    instance = world.start("crowd", 300)
    until(lambda: len(running(world)) == 301)
    assert threading.active_count() < 100
    world.clock.move(2 * HOUR)
    assert world.result(instance).serialized_output == "300"


def running(world: World) -> list[OrchestrationState]:
    return [
        each
        for each in world.client.get_all_orchestration_states()
        if each.runtime_status == OrchestrationStatus.RUNNING
    ]


@pytest.mark.slow
def test_a_hundred_waiting_clients_leave_the_hub_free(world: World) -> None:
    instance = world.start("nap")
    found: list[Any] = []
    clients = [threading.Thread(target=lambda: found.append(world.result(instance))) for _ in range(100)]
    for each in clients:
        each.start()
    assert world.result(world.start("echo", "free")).serialized_output == '"free"'
    world.client.raise_orchestration_event(instance, "wake")
    for each in clients:
        each.join(TIMEOUT_SECONDS)
    assert len(found) == 100


def test_a_parent_gets_the_failure_of_its_sub_orchestration(world: World) -> None:
    ended = world.result(world.start("parent", {"name": "sub", "input": None}))
    assert ended.runtime_status == OrchestrationStatus.FAILED
    assert ended.failure_details is not None
    assert "the sub-orchestration fails" in ended.failure_details.message


def test_a_sub_orchestration_that_is_terminated_fails_its_parent(world: World) -> None:
    child = uuid4().hex
    instance = world.start("parent", {"name": "nap", "input": None, "id": child})
    world.waits(child)
    world.client.terminate_orchestration(child)
    ended = world.result(instance)
    assert ended.failure_details is not None
    assert f"'{child}' ended as TERMINATED" in ended.failure_details.message


# Executions


def test_what_a_terminated_parent_started_runs_on(world: World) -> None:
    child = uuid4().hex
    instance = world.start("parent", {"name": "nap", "input": None, "id": child})
    world.waits(child)
    world.client.terminate_orchestration(instance)
    assert world.result(instance).runtime_status == OrchestrationStatus.TERMINATED
    assert world.state(child) == OrchestrationStatus.RUNNING
    world.client.raise_orchestration_event(child, "wake")
    assert world.result(child).runtime_status == OrchestrationStatus.COMPLETED


def test_a_parent_started_again_does_not_get_the_result_of_an_earlier_sub_orchestration(world: World) -> None:
    first = world.start("parent", {"name": "nap", "input": None, "id": "old"}, instance_id="again")
    world.waits("old")
    world.client.terminate_orchestration(first)
    world.result(first)
    world.start("parent", {"name": "nap", "input": None, "id": "new"}, instance_id="again")
    world.waits("new")
    world.client.raise_orchestration_event("old", "wake", data="old")
    world.result("old")
    assert world.state("again") == OrchestrationStatus.RUNNING
    world.client.raise_orchestration_event("new", "wake", data="new")
    assert world.result("again").serialized_output == '"new"'


def test_a_timer_does_not_fire_in_a_later_execution(world: World) -> None:
    instance = world.start("turns", 0)
    world.waits(instance)
    world.client.raise_orchestration_event(instance, "turn")
    until(lambda: world.client.get_orchestration_state(instance).serialized_input == "1")  # type: ignore[union-attr]
    world.waits(instance)
    world.clock.move(HOUR + timedelta(minutes=1))  # the first turn's timer, of the same number, is due
    time.sleep(0.05)
    assert world.state(instance) == OrchestrationStatus.RUNNING
    world.clock.move(HOUR)
    assert world.result(instance).serialized_output == '"fired in turn 1"'


def test_an_activity_of_an_earlier_execution_does_not_answer_a_later_one(world: World) -> None:
    instance = world.start("held", "old", instance_id="again")
    until(lambda: world.done == ["old"])
    world.client.terminate_orchestration(instance)
    world.result(instance)
    world.start("held", "new", instance_id="again")
    until(lambda: world.done == ["old", "new"])
    world.free["old"].set()
    until(lambda: "old ended" in world.done)
    time.sleep(0.1)
    assert world.state("again") == OrchestrationStatus.RUNNING
    world.free["new"].set()
    assert world.result("again").serialized_output == '"new"'


def test_an_event_for_an_unknown_instance_is_refused(world: World) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        world.client.raise_orchestration_event("nobody", "wake")
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_suspended_instance_goes_on_where_it_was_when_it_is_resumed(world: World) -> None:
    instance = world.start("nap")
    world.waits(instance)
    world.client.suspend_orchestration(instance)
    until(lambda: world.state(instance) == OrchestrationStatus.SUSPENDED)
    world.client.raise_orchestration_event(instance, "wake", data="kept")
    assert world.state(instance) == OrchestrationStatus.SUSPENDED
    world.client.resume_orchestration(instance)
    assert world.result(instance).serialized_output == '"kept"'


def test_only_what_has_ended_can_be_purged(world: World) -> None:
    instance = world.start("nap")
    world.waits(instance)
    assert world.client.purge_orchestration(instance).deleted_instance_count == 0
    world.client.raise_orchestration_event(instance, "wake")
    world.result(instance)
    assert world.client.purge_orchestration(instance).deleted_instance_count == 1
    assert world.client.get_orchestration_state(instance) is None


# Size


def test_the_oldest_of_many_ended_instances_are_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "ENDED_INSTANCES", 3)
    alive = world.start("nap")
    ended = [world.start("echo", str(count)) for count in range(6)]
    for each in ended:
        until(lambda each=each: world.state(each) != OrchestrationStatus.RUNNING)  # type: ignore[misc]
    until(lambda: sum(world.client.get_orchestration_state(each) is not None for each in ended) == 3)
    world.waits(alive)


@pytest.mark.slow
def test_a_payload_of_megabytes_passes_whole(world: World) -> None:
    large = "x" * 6_000_000
    assert len(cast("str", world.result(world.start("echo", large)).serialized_output)) == len(large) + 2


@pytest.mark.slow
def test_a_history_of_more_than_ten_thousand_events_goes_on(world: World) -> None:
    assert world.result(world.start("timers", 5_100)).serialized_output == "5100"


def test_retries_wait_as_their_policy_says_and_no_longer_than_its_longest_interval(world: World) -> None:
    world.clock.move(100 * HOUR)  # all waits are over as soon as they begin
    instance = world.start("patient")
    assert world.result(instance).runtime_status == OrchestrationStatus.FAILED
    assert world.done == [1] * 4
    assert [round(each / HOUR, 2) for each in waits(world, instance)] == [1, 2, 2]


def waits(world: World, instance: str) -> Iterator[timedelta]:
    """How long each timer of an instance was to run."""
    began = datetime(1, 1, 1)  # noqa: DTZ001 - the library's times have no zone
    for event in world.client.get_orchestration_history(instance):
        if isinstance(event, OrchestratorStartedEvent):
            began = event.timestamp
        if isinstance(event, TimerCreatedEvent):
            yield event.fire_at - began


# Versions


def test_an_instance_has_the_apps_version_unless_its_starter_names_one(world: World) -> None:
    assert world.result(world.start("tell_version")).serialized_output == '"2.0"'
    assert world.result(world.start("tell_version", version="1.0")).serialized_output == '"1.0"'


def test_a_sub_orchestration_has_the_version_its_parent_names_and_otherwise_none(world: World) -> None:
    assert world.result(world.start("asking", "1.5")).serialized_output == '"1.5"'
    assert world.result(world.start("asking", None)).serialized_output == '"None"'

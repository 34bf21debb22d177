"""Everything but HTTP that runs functions: timers, queues, the durable engine, and the admin route."""

import asyncio
import logging
import os
import uuid
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.host import queue, retry, schedule
from local.host.durable import DurableEngine
from local.host.function import AppFunction
from local.host.invocation import InvocationInput, InvocationResult, Invoker
from local.host.proto import TypedData
from local.host.queue import QueueConsumer
from local.host.setting import HostSettings, SettingError, resolve_names
from local.host.timer import Timer
from local.host.wait import drain_tasks, wait_within
from shared.ports.clock import Now
from shared.ports.queue import Queue, QueueMessage

logger = logging.getLogger("Host.Startup")

_OTHER_TRIGGERS = frozenset({"http", "orchestration", "activity", "entity"})


@dataclass(frozen=True, slots=True)
class TriggerContext:
    """What triggers need: the queues, the folder with the status of timers, the clock, the length of leases."""

    queue: Queue
    state: Path
    now: Now
    lease: timedelta


class Triggers:
    """The triggers of an app. A function whose settings cannot be resolved is left out, and the log says why."""

    def __init__(
        self,
        functions: Iterable[AppFunction],
        *,
        invoker: Invoker,
        engine: DurableEngine,
        settings: HostSettings,
        context: TriggerContext,
    ) -> None:
        self._invoker = invoker
        self._engine = engine
        self._settings = settings
        self._context = context
        self._stop = asyncio.Event()
        self._timers: dict[str, Timer] = {}
        self._consumers: list[QueueConsumer] = []
        self._loops: list[asyncio.Task[None]] = []
        self._fired: set[asyncio.Task[Any]] = set()
        for each in functions:
            self._add(each)

    def start(self) -> None:
        """Start to run functions."""
        self._engine.start()
        runs = [each.run for each in self._timers.values()] + [each.run for each in self._consumers]
        self._loops = [asyncio.create_task(run(self._stop)) for run in runs]

    def wake(self) -> None:
        """Let all consumers look for messages now."""
        for each in self._consumers:
            each.wake()

    async def fire(self, function: AppFunction, given: str) -> None:
        """Start a function without waiting for its end; ValueError when its kind cannot be started so."""
        if function.kind == "http":
            raise ValueError(f"'{function.name}' is an HTTP function: call its route")
        if function.kind == "entity":
            raise ValueError(f"'{function.name}' is an entity: signal it through a durable client")
        work: Coroutine[Any, Any, object]
        if function.kind == "orchestration":
            work = self._engine.begin(function, given)
        else:
            work = self._run_with_retries(function, self._call(function, given))
        task = asyncio.create_task(work)
        # The loop keeps only weak references to tasks: without this one a task could vanish.
        self._fired.add(task)
        task.add_done_callback(self._fired.discard)

    async def stop(self, seconds: float) -> None:
        """Take no new work; wait for what is under way. After `seconds` messages go back, the rest is cancelled."""
        self._stop.set()
        self.wake()
        await asyncio.to_thread(self._engine.stop)
        await asyncio.gather(
            drain_tasks([*self._loops, *self._fired], seconds),
            self._engine.drain(seconds),
            *(each.drain(seconds) for each in self._consumers),
        )

    def _add(self, function: AppFunction) -> None:
        try:
            if function.kind == "timer":
                when = schedule.parse_schedule(resolve_names(function.trigger.data["schedule"]))
                path = self._context.state / "timers" / f"{function.name}.json"
                timer = Timer(function, when, run=self._run_with_retries, path=path, now=self._context.now)
                self._timers[function.name] = timer
            elif function.kind == "queue":
                consumer = QueueConsumer(
                    function,
                    resolve_names(function.trigger.data["queueName"]),
                    queue=self._context.queue,
                    invoker=self._invoker,
                    settings=self._settings.extensions.queues,
                    lease=self._context.lease,
                )
                self._consumers.append(consumer)
            elif function.kind not in _OTHER_TRIGGERS:
                logger.warning("%s: a %s function has no trigger on one machine", function.name, function.kind)
        except SettingError as error:
            logger.error("%s is left out: %s", function.name, error)  # noqa: TRY400 - the message says it all

    async def _run_with_retries(self, function: AppFunction, call: InvocationInput) -> InvocationResult:
        """Run a function, and again as its retry policy says until it succeeds."""
        result = await self._invoker.invoke(function, call)
        for seconds in retry.retry_delays(function.retry):
            if result.ok or await wait_within(self._stop, seconds):
                break
            result = await self._invoker.invoke(function, replace(call, id=str(uuid.uuid4())))
        return result

    def _call(self, function: AppFunction, given: str) -> InvocationInput:
        if function.kind == "timer" and function.name in self._timers:
            return self._timers[function.name].call()
        if function.kind == "queue":
            now = self._context.now()
            return queue.queue_input(QueueMessage("", given, "", 1, now, now + timedelta(days=7), now), given)
        return InvocationInput(
            TypedData(string=given or "null") if function.kind == "activity" else TypedData(string=given)
        )


def is_disabled(function: AppFunction) -> bool:
    """Return whether the setting AzureWebJobs.NAME.Disabled (or with underscores) turns it off."""
    names = (f"AzureWebJobs.{function.name}.Disabled", f"AzureWebJobs_{function.name}_Disabled")
    return any(os.environ.get(name, "").lower() in {"1", "true"} for name in names)

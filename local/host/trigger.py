"""Everything but HTTP that runs functions: timers, queues, the durable engine, and firing by hand."""

import asyncio
import logging
import os
import uuid
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from local.host import queue, retry, schedule
from local.host.durable import Engine
from local.host.function import Function
from local.host.invocation import Call, Invoker, Result
from local.host.proto import TypedData
from local.host.queue import Consumer
from local.host.setting import HostSettings, SettingError, resolve
from local.host.timer import Timer
from local.host.wait import drain, within
from shared.ports.clock import Now
from shared.ports.queue import Message, Queue

logger = logging.getLogger("Host.Startup")

_ELSEWHERE = frozenset({"http", "orchestration", "activity", "entity"})


@dataclass(frozen=True, slots=True)
class World:
    """What triggers stand on: the queues, the folder that keeps timers' status, the clock, the length of leases."""

    queue: Queue
    state: Path
    now: Now
    lease: timedelta


class Triggers:
    """Built stopped. A function whose settings cannot be resolved is left out, and the log says why."""

    def __init__(
        self, functions: Iterable[Function], *, invoker: Invoker, engine: Engine, settings: HostSettings, world: World
    ) -> None:
        self._invoker = invoker
        self._engine = engine
        self._settings = settings
        self._world = world
        self._stop = asyncio.Event()
        self._timers: dict[str, Timer] = {}
        self._consumers: list[Consumer] = []
        self._loops: list[asyncio.Task[None]] = []
        self._fired: set[asyncio.Task[Any]] = set()
        for each in functions:
            self._add(each)

    def start(self) -> None:
        """Begin to run functions."""
        self._engine.start()
        runs = [each.run for each in self._timers.values()] + [each.run for each in self._consumers]
        self._loops = [asyncio.create_task(run(self._stop)) for run in runs]

    def wake(self) -> None:
        """There may be messages: let the consumers look now."""
        for each in self._consumers:
            each.wake()

    async def fire(self, function: Function, given: str) -> None:
        """Start a function by hand, without waiting for it to end; ValueError when its kind cannot be started so."""
        starter = self._starter(function, given)
        task = asyncio.create_task(starter)
        self._fired.add(task)
        task.add_done_callback(self._fired.discard)

    async def stop(self, seconds: float) -> None:
        """Take no new work and let what is under way end; after `seconds` messages go back, the rest is abandoned."""
        self._stop.set()
        self.wake()
        await asyncio.to_thread(self._engine.stop)
        await asyncio.gather(
            drain([*self._loops, *self._fired], seconds),
            self._engine.drain(seconds),
            *(each.drain(seconds) for each in self._consumers),
        )

    def _add(self, function: Function) -> None:
        try:
            if function.kind == "timer":
                self._timers[function.name] = self._timer(function)
            elif function.kind == "queue":
                self._consumers.append(self._consumer(function))
            elif function.kind not in _ELSEWHERE:
                logger.warning("%s: nothing triggers a %s function on one machine", function.name, function.kind)
        except SettingError as error:
            logger.error("%s is left out: %s", function.name, error)  # noqa: TRY400 - the message says it all

    def _timer(self, function: Function) -> Timer:
        when = schedule.parse(resolve(function.trigger.data["schedule"]))
        path = self._world.state / "timers" / f"{function.name}.json"
        return Timer(function, when, run=self._insist, path=path, now=self._world.now)

    async def _insist(self, function: Function, call: Call) -> Result:
        """Run it, and again as its retry policy says until it ends well."""
        result = await self._invoker.invoke(function, call)
        for seconds in retry.delays(function.retry):
            if result.ok or await within(self._stop, seconds):
                break
            result = await self._invoker.invoke(function, replace(call, id=str(uuid.uuid4())))
        return result

    def _consumer(self, function: Function) -> Consumer:
        return Consumer(
            function,
            resolve(function.trigger.data["queueName"]),
            queue=self._world.queue,
            invoker=self._invoker,
            settings=self._settings.extensions.queues,
            lease=self._world.lease,
        )

    def _starter(self, function: Function, given: str) -> Coroutine[Any, Any, object]:
        if function.kind == "http":
            raise ValueError(f"'{function.name}' is an HTTP function: call its route")
        if function.kind == "entity":
            raise ValueError(f"'{function.name}' is an entity: signal it through a durable client")
        if function.kind == "orchestration":
            return self._engine.begin(function, given)
        return self._insist(function, self._call(function, given))

    def _call(self, function: Function, given: str) -> Call:
        if function.kind == "timer" and function.name in self._timers:
            return self._timers[function.name].call()
        if function.kind == "queue":
            return queue.call(_by_hand(given, self._world.now()))
        return Call(TypedData(string=given or "null") if function.kind == "activity" else TypedData(string=given))


def _by_hand(body: str, now: datetime) -> Message:
    return Message("", body, "", 1, now, now + timedelta(days=7), now)


def is_disabled(function: Function) -> bool:
    """Whether the setting AzureWebJobs.NAME.Disabled (or with underscores) turns it off."""
    names = (f"AzureWebJobs.{function.name}.Disabled", f"AzureWebJobs_{function.name}_Disabled")
    return any(os.environ.get(name, "").lower() in {"1", "true"} for name in names)

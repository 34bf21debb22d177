"""Running a function: its inputs, its time limit, its log line and its queue outputs."""

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from local.host import log, output
from local.host.function import Function
from local.host.log import Ended, Invocation
from local.host.proto import InvocationResponse, StatusResult, TypedData
from local.host.stack import own_part
from local.host.worker import Worker

_CORRELATION = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """What one invocation is given: the trigger's data and what is told about it. `detail` is for the log."""

    data: TypedData
    metadata: Mapping[str, TypedData] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    correlation: str = ""
    trace: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended. `value` is the function's answer; `error` and `stack` tell of a failure.

    A function that timed out in a thread goes on there; nothing can stop it.
    """

    outcome: str
    value: TypedData | None = None
    error: str = ""
    stack: str = ""

    @property
    def ok(self) -> bool:
        """Whether the function returned and its outputs were sent."""
        return self.outcome == "ok"


class Invoker:
    """Runs functions, any number side by side.

    `clients` makes the text of a durable-client binding; `send` puts a text on a queue and may block; `limit` is
    functionTimeout; `changed` is told when an invocation ended that may have sent messages by itself.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        limit: timedelta | None,
        clients: Callable[[str | None], str],
        send: output.Send,
        changed: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._limit = limit.total_seconds() if limit else None
        self._clients = clients
        self._send = send
        self._changed = changed

    async def invoke(self, function: Function, call: Call) -> Result:
        """Run it and write its line; never raises but for cancellation, which is logged too."""
        known = invocation(function, call)
        started = time.perf_counter()
        result = Result("stopped")
        try:
            result = await self.run(function, call, known)
        finally:
            log.ended(Ended(known, result.outcome, time.perf_counter() - started), result.stack or result.error)
            self._changed()
        return result

    async def run(self, function: Function, call: Call, known: Invocation) -> Result:
        """Run it and leave the line to the caller; never raises but for cancellation."""
        token = log.current.set(known)
        log.running[known.id] = known
        try:
            answer = await self._ask(function, call)
            return answer if isinstance(answer, Result) else await self._settle(function, answer)
        except Exception as error:  # noqa: BLE001 - the door: whatever goes wrong with a function is its failure
            return Result("failed", error=f"{type(error).__name__}: {error}")
        finally:
            log.running.pop(known.id, None)
            log.current.reset(token)

    async def _ask(self, function: Function, call: Call) -> InvocationResponse | Result:
        clients = function.inputs("durableClient")
        inputs = {each.name: TypedData(string=self._clients(each.data.get("taskHub"))) for each in clients}
        inputs[function.trigger.name] = call.data
        try:
            async with asyncio.timeout(self._limit):
                return await self._worker.invoke(
                    function, inputs, invocation_id=call.id, metadata=call.metadata, trace=call.trace
                )
        except TimeoutError:
            return Result("timed out", error=f"Timeout: no end within functionTimeout, {self._limit:g} seconds")

    async def _settle(self, function: Function, answer: InvocationResponse) -> Result:
        if answer.result.status != StatusResult.Success:
            error = answer.result.exception
            return Result("failed", error=str(error.message), stack=own_part(str(error.stack_trace)))
        sending = output.messages(function, answer)
        if sending:
            await asyncio.to_thread(lambda: [self._send(queue, text) for queue, text in sending])
        return Result("ok", answer.return_value)


def invocation(function: Function, call: Call) -> Invocation:
    """What the log knows of a call."""
    return Invocation(call.id, function.name, function.kind, call.correlation or call.id, call.detail)


def correlation(header: bytes | None) -> str:
    """A correlation id as sent, when it is one that can stand in a log line; otherwise nothing."""
    text = header.decode("latin-1") if header else ""
    return text if _CORRELATION.fullmatch(text) else ""

"""Running a function: its inputs, its time limit, its log line and its queue outputs."""

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from local.host import log, output
from local.host.function import AppFunction
from local.host.log import EndedInvocation, Invocation
from local.host.proto import InvocationResponse, StatusResult, TypedData
from local.host.stack_trace import own_frames
from local.host.worker import Worker

_CORRELATION_PATTERN = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class InvocationInput:
    """The input of one invocation: the trigger's data and metadata. `detail` is for the log."""

    data: TypedData
    metadata: Mapping[str, TypedData] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    correlation: str = ""
    trace: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How an invocation ended. `value` is what the function returned; `error` and `stack` are those of a failure.

    A function that timed out in a thread goes on there; nothing can stop it.
    """

    outcome: str
    value: TypedData | None = None
    error: str = ""
    stack: str = ""

    @property
    def ok(self) -> bool:
        """Return whether the function returned and its outputs were sent."""
        return self.outcome == "ok"


class Invoker:
    """Runs functions, any number of them concurrently.

    `clients` makes the text of a durable-client binding; `send` puts a text on a queue and may block; `limit` is
    functionTimeout; `changed` is called after an invocation, which may have sent messages.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        limit: timedelta | None,
        clients: Callable[[str | None], str],
        send: output.SendMessage,
        changed: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._limit = limit.total_seconds() if limit else None
        self._clients = clients
        self._send = send
        self._changed = changed

    async def invoke(self, function: AppFunction, call: InvocationInput) -> InvocationResult:
        """Run a function and log its line. Raises nothing but cancellation, which is logged too."""
        known = make_invocation(function, call)
        started = time.perf_counter()
        # What the log says when the run is cancelled.
        result = InvocationResult("stopped")
        try:
            result = await self.run(function, call, known)
        finally:
            log.log_ended(
                EndedInvocation(known, result.outcome, time.perf_counter() - started), result.stack or result.error
            )
            self._changed()
        return result

    async def run(self, function: AppFunction, call: InvocationInput, known: Invocation) -> InvocationResult:
        """Run a function and leave the log line to the caller. Raises nothing but cancellation."""
        token = log.current.set(known)
        log.running[known.id] = known
        try:
            response = await self._call(function, call)
            return response if isinstance(response, InvocationResult) else await self._settle(function, response)
        except Exception as error:  # noqa: BLE001 - a door: whatever goes wrong with a function is its failure
            return InvocationResult("failed", error=f"{type(error).__name__}: {error}")
        finally:
            log.running.pop(known.id, None)
            log.current.reset(token)

    async def _call(self, function: AppFunction, call: InvocationInput) -> InvocationResponse | InvocationResult:
        clients = function.inputs("durableClient")
        inputs = {each.name: TypedData(string=self._clients(each.data.get("taskHub"))) for each in clients}
        inputs[function.trigger.name] = call.data
        try:
            async with asyncio.timeout(self._limit):
                return await self._worker.invoke(
                    function, inputs, invocation_id=call.id, metadata=call.metadata, trace=call.trace
                )
        except TimeoutError:
            return InvocationResult(
                "timed out", error=f"Timeout: no end within functionTimeout, {self._limit:g} seconds"
            )

    async def _settle(self, function: AppFunction, response: InvocationResponse) -> InvocationResult:
        if response.result.status != StatusResult.Success:
            error = response.result.exception
            return InvocationResult("failed", error=str(error.message), stack=own_frames(str(error.stack_trace)))
        sending = output.output_messages(function, response)
        if sending:
            # In order, and on a thread: a store may block.
            await asyncio.to_thread(lambda: [self._send(queue, text) for queue, text in sending])
        return InvocationResult("ok", response.return_value)


def make_invocation(function: AppFunction, call: InvocationInput) -> Invocation:
    """Return what the log knows of a call."""
    return Invocation(call.id, function.name, function.kind, call.correlation or call.id, call.detail)


def correlation_of(header: bytes | None) -> str:
    """Return the correlation id of a header; "" when it is missing or not fit for a log line."""
    text = header.decode("latin-1") if header else ""
    return text if _CORRELATION_PATTERN.fullmatch(text) else ""

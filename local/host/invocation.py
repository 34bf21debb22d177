"""Running a function: its inputs, its time limit, its log line and its queue outputs."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from local.host import log
from local.host.function import Function
from local.host.log import Ended, Invocation
from local.host.proto import InvocationResponse, ParameterBinding, RpcException, StatusResult, TypedData
from local.host.worker import Worker

_CORRELATION = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)

Output = Callable[[str, str], None]
"""Sends a text to a queue; may block."""


@dataclass(frozen=True, slots=True)
class Call:
    """What one invocation is given: the trigger's data and what is told about it."""

    data: TypedData
    metadata: Mapping[str, TypedData] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    correlation: str = ""
    trace: str = ""
    only_reads: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended. `value` is the function's answer; `error` and `stack` tell of a failure."""

    outcome: str
    value: TypedData | None = None
    error: str = ""
    stack: str = ""

    @property
    def ok(self) -> bool:
        """Whether the function returned and its outputs were sent."""
        return self.outcome == "ok"


class Invoker:
    """Runs functions one call at a time each, any number side by side.

    `clients` makes the text of a durable-client binding; `send` puts a message on a queue; `limit` is functionTimeout.
    `changed` is told when an invocation ended that may have sent messages by itself.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        limit: timedelta | None,
        clients: Callable[[str | None], str],
        send: Output,
        changed: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._limit = limit.total_seconds() if limit else None
        self._clients = clients
        self._send = send
        self._changed = changed

    async def invoke(self, function: Function, call: Call) -> Result:
        """Run it and write its line; never raises but for cancellation, which is logged too."""
        known = Invocation(call.id, function.name, function.kind, call.correlation or call.id)
        started = time.perf_counter()
        token = log.current.set(known)
        log.running[known.id] = known
        result = Result("stopped")
        try:
            result = await self._run(function, call)
        finally:
            log.running.pop(known.id, None)
            log.current.reset(token)
            end = Ended(known, result.outcome, time.perf_counter() - started)
            log.ended(end, result.stack or result.error)
            if not call.only_reads:
                self._changed()
        return result

    async def _run(self, function: Function, call: Call) -> Result:
        inputs = {function.trigger.name: call.data} | self._durable_clients(function)
        try:
            async with asyncio.timeout(self._limit):
                answer = await self._worker.invoke(
                    function, inputs, invocation_id=call.id, metadata=call.metadata, trace=call.trace
                )
            return await self._settle(function, answer)
        except TimeoutError:
            return Result("timed out", error=f"Timeout: no answer within functionTimeout, {self._limit:g} seconds")
        except Exception as error:  # noqa: BLE001 - the door: whatever a function or its outputs raise is its failure
            return Result("failed", error=f"{type(error).__name__}: {error}")

    def _durable_clients(self, function: Function) -> dict[str, TypedData]:
        clients = function.inputs("durableClient")
        return {each.name: TypedData(string=self._clients(each.data.get("taskHub"))) for each in clients}

    async def _settle(self, function: Function, answer: InvocationResponse) -> Result:
        status = cast("StatusResult", answer.result)
        if status.status != StatusResult.Success:
            error = cast("RpcException", status.exception)
            return Result("failed", error=str(error.message), stack=str(error.stack_trace))
        value = cast("TypedData | None", answer.return_value)
        outputs = cast("list[ParameterBinding]", answer.output_data or [])
        named = [(str(each.name), cast("TypedData", each.data)) for each in outputs]
        for name, data in [*named, *([("$return", value)] if value else [])]:
            binding = function.output(name)
            if binding is not None and binding.type == "queue":
                for text in messages(data):
                    await asyncio.to_thread(self._send, str(binding.data["queueName"]), text)
        return Result("ok", value)


def messages(data: TypedData) -> list[str]:
    """The messages of a queue output: one, or one for each element of a JSON list."""
    kind = data.WhichOneof("data")
    value: Any = getattr(data, kind) if kind else ""
    if kind == "bytes":
        return [value.decode()]
    if kind != "json":
        return [str(value)] if value not in {"", None} else []
    decoded = json.loads(value)
    return [_body(each) for each in decoded] if isinstance(decoded, list) else [_body(decoded)]


def _body(value: object) -> str:
    # A QueueMessage travels as {"id", "body"}; the host sends the body alone.
    if isinstance(value, dict) and set(value) == {"id", "body"}:
        return str(value["body"])
    return value if isinstance(value, str) else json.dumps(value)


def correlation(header: bytes | None) -> str:
    """A correlation id as sent, when it is one that can stand in a log line; otherwise nothing."""
    text = header.decode("latin-1") if header else ""
    return text if _CORRELATION.fullmatch(text) else ""

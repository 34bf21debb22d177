"""A function app with every kind of trigger, for the tests of the local host.

What the functions see is kept in `SEEN` and read back over HTTP, as a stranger would.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableFunctionsClient, SyncDurableFunctionsClient
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, Response, StreamingResponse
from durabletask import task
from durabletask.entities import EntityContext, EntityInstanceId
from durabletask.task import OrchestrationContext, RetryPolicy

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

SEEN: dict[str, list[Any]] = {}
RELEASE = asyncio.Event()
TOGETHER = threading.Barrier(4)
STORAGE = "AzureWebJobsStorage"

Orchestration = Generator[Any, Any, Any]


def see(name: str, value: Any) -> int:
    """Keep a value; answer how many there are now under that name."""
    SEEN.setdefault(name, []).append(value)
    return len(SEEN[name])


async def released() -> None:
    """Wait until the test says so."""
    await RELEASE.wait()
    RELEASE.clear()


# HTTP


@app.route(route="hello/{name}", methods=["GET"])
async def hello(req: Request) -> JSONResponse:
    return JSONResponse({"name": req.path_params["name"], "query": dict(req.query_params)})


@app.route(route="number/{value:int}", methods=["GET"])
def number(req: Request) -> JSONResponse:
    return JSONResponse({"value": req.path_params["value"]})


@app.route(route="files/{*path}", methods=["GET", "PUT"])
async def files(req: Request) -> JSONResponse:
    return JSONResponse({"path": req.path_params.get("path", ""), "method": req.method})


@app.route(route="seen/{name}", methods=["GET"])
async def seen(req: Request) -> JSONResponse:
    return JSONResponse(SEEN.get(req.path_params["name"], []))


@app.route(route="events", methods=["GET"])
async def events(req: Request) -> StreamingResponse:
    async def body() -> AsyncIterator[str]:
        for each in range(int(req.query_params["count"])):
            yield f"data: {each}\n\n"
            await released()

    return StreamingResponse(body(), media_type="text/event-stream")


@app.route(route="release", methods=["POST"])
async def release(req: Request) -> Response:  # noqa: ARG001 - a route must take it
    RELEASE.set()
    return Response(status_code=204)


@app.route(route="upload", methods=["POST"])
async def upload(req: Request) -> JSONResponse:
    total = 0
    async for chunk in req.stream():
        total += len(chunk)
        see("uploaded", len(chunk))
    return JSONResponse({"bytes": total})


@app.route(route="together", methods=["GET"])
def together(req: Request) -> Response:  # noqa: ARG001 - a route must take it
    TOGETHER.wait(timeout=10)
    return Response()


@app.route(route="wait", methods=["GET"])
async def wait(req: Request) -> Response:  # noqa: ARG001 - a route must take it
    see("wait", "begun")
    await released()
    return Response()


@app.route(route="broken", methods=["GET"])
async def broken(req: Request) -> StreamingResponse:  # noqa: ARG001 - a route must take it
    async def body() -> AsyncIterator[str]:
        yield "half"
        raise RuntimeError("no second half")

    return StreamingResponse(body())


@app.route(route="large", methods=["GET"])
async def large(req: Request) -> StreamingResponse:  # noqa: ARG001 - a route must take it
    async def body() -> AsyncIterator[bytes]:
        for _ in range(400):
            yield b"x" * 100_000

    return StreamingResponse(body())


@app.route(route="crash", methods=["GET"])
async def crash(req: Request) -> Response:  # noqa: ARG001 - a route must take it
    raise RuntimeError("as asked")


@app.route(route="log/thread", methods=["GET"])
def log_thread(req: Request) -> Response:  # noqa: ARG001 - a route must take it
    logging.getLogger("fixture").info("from a thread")
    return Response(status_code=204)


@app.route(route="log/coroutine", methods=["GET"])
async def log_coroutine(req: Request) -> Response:  # noqa: ARG001 - a route must take it
    logging.getLogger("fixture").info("from a coroutine")
    return Response(status_code=204)


@app.route(route="nap", methods=["GET"])
def nap(req: Request) -> Response:
    see("nap", "begun")
    time.sleep(float(req.query_params["seconds"]))
    return Response()


@app.route(route="stuck", methods=["GET"])
def stuck(req: Request) -> Response:  # noqa: ARG001 - a route must take it
    logging.getLogger("fixture").info("stuck begins")
    time.sleep(60)
    return Response()


# Timers


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
def tick(timer: func.TimerRequest) -> None:
    see("tick", timer.schedule_status)


@app.timer_trigger(arg_name="timer", schedule="%HOURLY%")
def hourly(timer: func.TimerRequest) -> None:
    see("hourly", {"past_due": timer.past_due, "status": timer.schedule_status})


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def startup(timer: func.TimerRequest) -> None:
    see("startup", timer.past_due)


bp = func.Blueprint()


@bp.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
@bp.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
def stubborn(timer: func.TimerRequest) -> None:  # noqa: ARG001 - a timer must take it
    if see("stubborn", "tried") < 3:
        raise RuntimeError("not yet")


app.register_functions(bp)


# Queues


@app.queue_trigger(arg_name="message", queue_name="work", connection=STORAGE)
@app.queue_output(arg_name="done", queue_name="%DONE%", connection=STORAGE)
def work(message: func.QueueMessage, done: func.Out[str]) -> None:
    see("work", {"body": message.get_body().decode(), "count": message.dequeue_count, "id": message.id})
    done.set(message.get_body().decode().upper())


@app.queue_trigger(arg_name="message", queue_name="%DONE%", connection=STORAGE)
def done(message: func.QueueMessage) -> None:
    see("done", message.get_body().decode())


@app.queue_trigger(arg_name="message", queue_name="split", connection=STORAGE)
@app.queue_output(arg_name="$return", queue_name="%DONE%", connection=STORAGE)
def split(message: func.QueueMessage):  # noqa: ANN201 - the worker knows no annotation for many messages
    return message.get_body().decode().split()


@app.queue_trigger(arg_name="message", queue_name="failing", connection=STORAGE)
def failing(message: func.QueueMessage) -> None:
    see("failing", message.dequeue_count)
    raise RuntimeError("never works")


@app.queue_trigger(arg_name="message", queue_name="failing-poison", connection=STORAGE)
def failing_poison(message: func.QueueMessage) -> None:
    see("failing_poison", message.get_body().decode())


@app.queue_trigger(arg_name="message", queue_name="long", connection=STORAGE)
async def long(message: func.QueueMessage) -> None:
    see("long", message.dequeue_count)
    await released()
    see("long", "end")


@app.queue_trigger(arg_name="message", queue_name="brief", connection=STORAGE)
def brief(message: func.QueueMessage) -> None:
    see("brief", message.dequeue_count)
    time.sleep(float(message.get_body()))


# Durable


@app.queue_trigger(arg_name="message", queue_name="start", connection=STORAGE)
@app.durable_client_input(client_name="client")
async def start(message: func.QueueMessage, client: DurableFunctionsClient) -> None:
    asked = message.get_json()
    try:
        await client.schedule_new_orchestration(
            asked["name"], input=asked.get("input"), instance_id=asked["id"], version=asked.get("version")
        )
    finally:
        see("start", asked["id"])


@app.route(route="orchestrations/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def status(req: Request, client: DurableFunctionsClient) -> JSONResponse:
    instance = req.path_params["id"]
    if "wait" in req.query_params:
        state = await client.wait_for_orchestration_completion(instance, timeout=float(req.query_params["wait"]))
    else:
        state = await client.get_orchestration_state(instance)
    if state is None:
        return JSONResponse(None, status_code=404)
    failure = state.failure_details.message if state.failure_details else None
    output = json.loads(state.serialized_output) if state.serialized_output else None
    return JSONResponse({"status": state.runtime_status.name, "output": output, "failure": failure})


@app.route(route="orchestrations/{id}/events/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
def ring(req: Request, client: SyncDurableFunctionsClient) -> Response:
    client.raise_orchestration_event(req.path_params["id"], req.path_params["name"], data="yes")
    return Response(status_code=202)


@app.route(route="entities/{key}/{operation}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def signal(req: Request, client: DurableFunctionsClient) -> Response:
    entity = EntityInstanceId("counter", req.path_params["key"])
    await client.signal_entity(entity, req.path_params["operation"], await req.json())
    return Response(status_code=202)


@app.orchestration_trigger(context_name="context")
def fan_out(context: OrchestrationContext, given: list[int]) -> Orchestration:
    squares = yield task.when_all([context.call_activity("square", input=each) for each in given])
    return sum(squares)


@app.orchestration_trigger(context_name="context")
def family(context: OrchestrationContext, given: list[list[int]]) -> Orchestration:
    sums = yield task.when_all([context.call_sub_orchestrator("fan_out", input=each) for each in given])
    return sums


@app.orchestration_trigger(context_name="context")
def patient(context: OrchestrationContext, given: dict[str, Any]) -> Orchestration:
    policy = RetryPolicy(first_retry_interval=timedelta(milliseconds=1), max_number_of_attempts=given["attempts"])
    return (yield context.call_activity("flaky", input=given, retry_policy=policy))


@app.orchestration_trigger(context_name="context")
def approval(context: OrchestrationContext, seconds: float) -> Orchestration:
    answer = context.wait_for_external_event("approved")
    deadline = context.create_timer(timedelta(seconds=seconds))
    first = yield task.when_any([answer, deadline])
    return answer.get_result() if first is answer else "too late"


@app.orchestration_trigger(context_name="context")
def counting(context: OrchestrationContext, steps: list[int]) -> Orchestration:
    counter = EntityInstanceId("counter", context.instance_id)
    for each in steps:
        yield context.call_entity(counter, "add", each)
    return (yield context.call_entity(counter, "get"))


@app.orchestration_trigger(context_name="context")
def asking(context: OrchestrationContext, given: dict[str, str]) -> Orchestration:
    return (yield context.call_entity(EntityInstanceId("counter", given["key"]), given["operation"]))


@app.orchestration_trigger(context_name="context")
def stranger(context: OrchestrationContext, name: str) -> Orchestration:
    return (yield context.call_entity(EntityInstanceId(name, "1"), "get"))


@app.orchestration_trigger(context_name="context")
def lost(context: OrchestrationContext, given: Any) -> Orchestration:
    return (yield context.call_activity("no_such_activity", input=given))


@app.activity_trigger(input_name="value")
def square(value: int) -> int:
    return value * value


@app.activity_trigger(input_name="given")
def flaky(given: dict) -> int:
    attempt = see(given["name"], "tried")
    if attempt <= given["failures"]:
        raise ValueError(f"attempt {attempt} fails")
    return attempt


@app.entity_trigger(context_name="context", entity_name="counter")
def counter(context: EntityContext, given: Any) -> Any:
    total = context.get_state(int, 0)
    if context.operation == "break":
        raise ValueError("broken as asked")
    if context.operation == "add":
        total += given
        context.set_state(total)
    return total

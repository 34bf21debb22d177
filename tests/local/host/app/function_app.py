"""A function app with every kind of trigger, for the tests of the local host.

What the functions see is kept in `SEEN` and read back over HTTP, as a stranger would.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableFunctionsClient
from azurefunctions.extensions.http.fastapi import JSONResponse, Request, Response, StreamingResponse
from durabletask import task
from durabletask.entities import EntityContext, EntityInstanceId
from durabletask.task import OrchestrationContext, RetryPolicy

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

SEEN: dict[str, list[Any]] = {}
RELEASE = threading.Event()
STORAGE = "AzureWebJobsStorage"


def see(name: str, value: Any) -> int:
    """Keep a value; answer how many there are now under that name."""
    SEEN.setdefault(name, []).append(value)
    return len(SEEN[name])


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
            await asyncio.to_thread(RELEASE.wait, 5)
            RELEASE.clear()

    return StreamingResponse(body(), media_type="text/event-stream")


@app.route(route="release", methods=["POST"])
async def release(req: Request) -> Response:
    RELEASE.set()
    return Response(status_code=204)


@app.route(route="upload", methods=["POST"])
async def upload(req: Request) -> JSONResponse:
    sizes = [len(chunk) async for chunk in req.stream()]
    return JSONResponse({"bytes": sum(sizes), "chunks": len([size for size in sizes if size])})


@app.route(route="slow", methods=["GET"])
def slow(req: Request) -> JSONResponse:
    time.sleep(float(req.query_params["seconds"]))
    return JSONResponse({"thread": threading.get_ident()})


@app.route(route="crash", methods=["GET"])
async def crash(req: Request) -> Response:
    raise RuntimeError("as asked")


# Queues


@app.queue_trigger(arg_name="message", queue_name="work", connection=STORAGE)
@app.queue_output(arg_name="done", queue_name="done", connection=STORAGE)
def work(message: func.QueueMessage, done: func.Out[str]) -> None:
    see("work", {"body": message.get_body().decode(), "count": message.dequeue_count})
    done.set(message.get_body().decode().upper())


@app.queue_trigger(arg_name="message", queue_name="done", connection=STORAGE)
def done(message: func.QueueMessage) -> None:
    see("done", message.get_body().decode())


@app.queue_trigger(arg_name="message", queue_name="failing", connection=STORAGE)
def failing(message: func.QueueMessage) -> None:
    see("failing", message.dequeue_count)
    raise RuntimeError("never works")


@app.queue_trigger(arg_name="message", queue_name="failing-poison", connection=STORAGE)
def failing_poison(message: func.QueueMessage) -> None:
    see("failing_poison", message.get_body().decode())


# Durable


@app.queue_trigger(arg_name="message", queue_name="start", connection=STORAGE)
@app.durable_client_input(client_name="client")
async def start(message: func.QueueMessage, client: DurableFunctionsClient) -> None:
    asked = message.get_json()
    await client.schedule_new_orchestration(asked["name"], input=asked.get("input"), instance_id=asked["id"])


@app.route(route="orchestrations/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def status(req: Request, client: DurableFunctionsClient) -> JSONResponse:
    wait = float(req.query_params.get("wait", "0"))
    instance = req.path_params["id"]
    state = await (
        client.wait_for_orchestration_completion(instance, timeout=wait)
        if wait
        else client.get_orchestration_state(instance)
    )
    if state is None:
        return JSONResponse(None, status_code=404)
    failure = state.failure_details.message if state.failure_details else None
    return JSONResponse({"status": state.runtime_status.name, "output": state.serialized_output, "failure": failure})


@app.orchestration_trigger(context_name="context")
def fan_out(context: OrchestrationContext, given: list[int]) -> Generator[Any, Any, int]:
    squares = yield task.when_all([context.call_activity("square", input=each) for each in given])
    return sum(squares)


@app.activity_trigger(input_name="value")
def square(value: int) -> int:
    return value * value

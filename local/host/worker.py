"""The function app, loaded and run by Microsoft's own worker library (`azure-functions-runtime`)."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, cast

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from local.host import proto
from local.host.function import Function, read
from local.host.proto import InvocationResponse, Message, ParameterBinding, RpcException, StatusResult, TypedData

LIBRARY = "azure_functions_runtime"
APP = "function_app"
ADDRESS = "127.0.0.1"
INVOCATION = b"x-ms-invocation-id"


class LoadError(Exception):
    """The app cannot be loaded; the message holds the library's own account of it."""


class Worker:
    """One function app. `web` is the library's own app for HTTP functions; None when there are none.

    The library and the app are imported anew for each worker, because both keep what they know in their modules.
    """

    def __init__(self, library: ModuleType, functions: Sequence[Function], web: ASGIApp | None) -> None:
        self.functions = functions
        self._web = web
        self._library = library
        self._events = sys.modules[f"{LIBRARY}.handle_event"]
        self._coordinator = self._events.http_coordinator

    async def invoke(
        self,
        function: Function,
        inputs: Mapping[str, TypedData],
        *,
        invocation_id: str,
        metadata: Mapping[str, TypedData],
        trace: str = "",
    ) -> InvocationResponse:
        """Run a function once; the library answers a failure as a status, not as an exception."""
        request = Message(
            invocation_id=invocation_id,
            function_id=function.id,
            input_data=[ParameterBinding(name=name, data=data) for name, data in inputs.items()],
            trigger_metadata=metadata,
            trace_context=Message(trace_parent=trace, trace_state="", attributes={}),
            retry_context=Message(),
        )
        answer = await self._events.invocation_request(_envelope(invocation_request=request))
        return cast("InvocationResponse", answer)

    async def answer(self, invocation_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the function of an HTTP invocation read the request and write the answer, both as streams."""
        assert self._web is not None, "the app has HTTP functions, or there would be no route"
        others = [each for each in scope["headers"] if each[0] != INVOCATION]
        inner = {**scope, "headers": [*others, (INVOCATION, invocation_id.encode())]}
        try:
            await self._web(inner, receive, send)
        finally:
            # The library keeps what it knows of an exchange for ever.
            self._coordinator._context_references.pop(invocation_id, None)  # noqa: SLF001 - there is no other way

    def close(self) -> None:
        """Stop taking work; threads that still run a function are left to end by themselves."""
        pool: ThreadPoolExecutor = self._library.get_threadpool_executor()
        pool.shutdown(wait=False, cancel_futures=True)
        if sys.modules.get(LIBRARY) is self._library:
            _forget_modules()


async def load(root: str) -> Worker:
    """Load the app in the folder `root`, an absolute path; LoadError when it cannot be imported or indexed."""
    _forget_modules()
    library = importlib.import_module(LIBRARY)
    library.start_threadpool_executor()
    if root not in sys.path:
        sys.path.insert(0, root)
    apps = _take_server()
    init = Message(capabilities={}, function_app_directory=root)
    _check(await library.worker_init_request(_envelope(worker_init_request=init)))
    indexed = await library.functions_metadata_request(_envelope())
    functions = [read(each) for each in _check(indexed).function_metadata_results or ()]
    for each in functions:
        loading = Message(function_id=each.id, metadata=None)
        _check(await library.function_load_request(_envelope(function_load_request=loading)))
    if not apps and any(each.kind == "http" for each in functions):
        raise LoadError("the HTTP functions must use azurefunctions.extensions.http.fastapi; nothing else is run here")
    return Worker(library, functions, _only_catch_all(apps[0]) if apps else None)


def _envelope(**request: Message) -> Message:
    return Message(request=Message(**request), properties={"host": ADDRESS, "protos": proto})


def _check[Answer: Message](answer: Answer) -> Answer:
    result = cast("StatusResult", answer.result)
    if result.status != StatusResult.Success:
        error = cast("RpcException", result.exception)
        raise LoadError(f"{error.message}\n{error.stack_trace}")
    return answer


def _forget_modules() -> None:
    for name in [APP, *(each for each in sys.modules if each == LIBRARY or each.startswith(f"{LIBRARY}."))]:
        sys.modules.pop(name, None)


def _take_server() -> list[FastAPI]:
    """Let the library make its HTTP app as ever, but hand it over here instead of serving it on a port of its own.

    The front calls it directly: no second hop over a socket, no port that someone else may have taken meanwhile, and
    no second server that catches signals.
    """
    events = sys.modules[f"{LIBRARY}.handle_event"]
    initialize = events.initialize_http_server
    apps: list[FastAPI] = []

    class Handover:
        def __init__(self, _host: str, _port: int, app: Any) -> None:  # noqa: ANN401 - the extension's WebApp
            apps.append(app.get_app())

        async def serve(self) -> None:
            """Nothing to do: the app is handed over."""

    def initialize_here(host: str) -> str:
        extension = importlib.import_module(events.HttpV2Registry.ext_base().ModuleTrackerMeta.get_module())
        server = extension.WebServer
        vars(extension)["WebServer"] = Handover
        try:
            return cast("str", initialize(host))
        finally:
            vars(extension)["WebServer"] = server

    vars(events)["initialize_http_server"] = initialize_here
    return apps


def _only_catch_all(app: FastAPI) -> FastAPI:
    """Without FastAPI's own /docs and /openapi.json, which would answer before the function is asked."""
    app.router.routes[:] = [each for each in app.router.routes if getattr(each, "name", "") == "catch_all"]
    return app

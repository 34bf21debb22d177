"""The function app, loaded and run by Microsoft's own worker library (`azure-functions-runtime`)."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send

from local.host import library, proto
from local.host.function import AppFunction, read_function
from local.host.proto import InvocationResponse, ParameterBinding, ProtocolMessage, StatusResult, TypedData
from local.host.stack_trace import own_frames

_ADDRESS = "127.0.0.1"
_INVOCATION = b"x-ms-invocation-id"


class LoadError(Exception):
    """The app cannot be loaded; the message has the library's reason."""


class Worker:
    """One function app. `web` is the library's own app for HTTP functions; None when there are none."""

    def __init__(
        self, module: ModuleType, functions: Sequence[AppFunction], web: ASGIApp | None, exits: ExitStack
    ) -> None:
        self.functions = functions
        self._module = module
        self._web = web
        self._exits = exits

    async def invoke(
        self,
        function: AppFunction,
        inputs: Mapping[str, TypedData],
        *,
        invocation_id: str,
        metadata: Mapping[str, TypedData],
        trace: str = "",
    ) -> InvocationResponse:
        """Run a function once. The library reports a failure as a status, not as an exception."""
        request = ProtocolMessage(
            invocation_id=invocation_id,
            function_id=function.id,
            input_data=[ParameterBinding(name=name, data=data) for name, data in inputs.items()],
            trigger_metadata=metadata,
            trace_context=ProtocolMessage(trace_parent=trace, trace_state="", attributes={}),
            retry_context=ProtocolMessage(),
        )
        response = await self._module.invocation_request(_envelope(invocation_request=request))
        return cast("InvocationResponse", response)

    async def serve_http(self, invocation_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the function of an HTTP invocation read the request and write the response, both as streams."""
        assert self._web is not None, "the app has HTTP functions, or there would be no route"
        others = [each for each in scope["headers"] if each[0] != _INVOCATION]
        inner = {**scope, "headers": [*others, (_INVOCATION, invocation_id.encode())]}
        try:
            await self._web(inner, receive, send)
        finally:
            # The library would keep the context of every exchange for ever.
            self._module.http_coordinator._context_references.pop(invocation_id, None)  # noqa: SLF001 - no other way

    def close(self) -> None:
        """Stop taking work; threads that still run a function are left to end by themselves."""
        self._exits.close()


async def load(folder: Path) -> Worker:
    """Load the app in the folder; LoadError when it cannot be imported or indexed."""
    with ExitStack() as exits:
        # Undone when loading fails; a worker that is loaded takes over what is to be undone.
        own = library.import_fresh()
        exits.callback(library.close, own)
        exits.callback(library.on_path(str(folder)))
        module = library.events(own)
        apps = library.capture_server(module)
        init = ProtocolMessage(capabilities={}, function_app_directory=str(folder))
        _check(await module.worker_init_request(_envelope(worker_init_request=init)))
        functions = await _index(module, folder)
        if not apps and any(each.kind == "http" for each in functions):
            raise LoadError("HTTP functions must use azurefunctions.extensions.http.fastapi; others cannot run here")
        return Worker(module, functions, apps[0] if apps else None, exits.pop_all())


async def _index(module: ModuleType, folder: Path) -> list[AppFunction]:
    indexed = _check(await module.functions_metadata_request(_envelope())).function_metadata_results
    if indexed is None:
        raise LoadError(f"there is no function_app.py with functions in {folder}")
    functions = [read_function(each) for each in indexed]
    for each in functions:
        request = ProtocolMessage(function_id=each.id, metadata=None)
        _check(await module.function_load_request(_envelope(function_load_request=request)))
    return functions


def _envelope(**request: ProtocolMessage) -> ProtocolMessage:
    return ProtocolMessage(request=ProtocolMessage(**request), properties={"host": _ADDRESS, "protos": proto})


def _check[Response: ProtocolMessage](response: Response) -> Response:
    """Return a response of the library; LoadError when it reports a failure."""
    if response.result.status != StatusResult.Success:
        error = response.result.exception
        message, stack = str(error.message), own_frames(str(error.stack_trace))
        raise LoadError(message if stack in message else f"{message}\n{stack}")
    return response

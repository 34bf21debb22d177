"""Microsoft's worker library, imported anew for each app, because it keeps what it knows in its modules."""

import contextlib
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

from fastapi import FastAPI

LIBRARY = "azure_functions_runtime"
_APP = "function_app"


def import_anew() -> ModuleType:
    """A copy of the library of our own; it will import the app anew as well."""
    forget()
    library = importlib.import_module(LIBRARY)
    library.start_threadpool_executor()
    return library


def forget() -> None:
    """Let the next import of the library and the app be a new one."""
    for name in [_APP, *(each for each in sys.modules if each == LIBRARY or each.startswith(f"{LIBRARY}."))]:
        sys.modules.pop(name, None)


def close(library: ModuleType) -> None:
    """Stop taking work; threads that still run a function are left to end by themselves."""
    library.get_threadpool_executor().shutdown(wait=False, cancel_futures=True)
    if sys.modules.get(LIBRARY) is library:
        forget()


def events(library: ModuleType) -> ModuleType:
    """The module that answers the worker protocol's requests."""
    return sys.modules[library.worker_init_request.__module__]


def on_path(folder: str) -> Callable[[], None]:
    """Let modules be imported from the folder; call the answer to undo it."""
    sys.path.insert(0, folder)

    def undo() -> None:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)

    return undo


def take_server(module: ModuleType) -> list[FastAPI]:
    """Let the library make its HTTP app as ever, but hand it over here instead of serving it on a port of its own.

    The front calls it directly: no second hop over a socket, no port that someone else may have taken meanwhile, and
    no second server that catches signals. The list holds the app once the library has been initialised.
    """
    initialize = module.initialize_http_server
    apps: list[FastAPI] = []

    class Handover:
        def __init__(self, _host: str, _port: int, app: Any) -> None:  # noqa: ANN401 - the extension's WebApp
            apps.append(_only_catch_all(app.get_app()))

        async def serve(self) -> None:
            """Nothing to do: the app is handed over."""

    def initialize_here(host: str) -> str:
        extension = importlib.import_module(module.HttpV2Registry.ext_base().ModuleTrackerMeta.get_module())
        server = extension.WebServer
        vars(extension)["WebServer"] = Handover
        try:
            return cast("str", initialize(host))
        finally:
            vars(extension)["WebServer"] = server

    vars(module)["initialize_http_server"] = initialize_here
    return apps


def _only_catch_all(app: FastAPI) -> FastAPI:
    """Without FastAPI's own /docs and /openapi.json, which would answer before the function is asked."""
    app.router.routes[:] = [each for each in app.router.routes if getattr(each, "name", "") == "catch_all"]
    return app

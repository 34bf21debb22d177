"""Microsoft's worker library, imported again for each app, because it keeps its state in its modules."""

import contextlib
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

from fastapi import FastAPI

LIBRARY = "azure_functions_runtime"
_APP = "function_app"


def import_fresh() -> ModuleType:
    """Import a new copy of the library, which will import the app again too."""
    unload()
    library = importlib.import_module(LIBRARY)
    library.start_threadpool_executor()
    return library


def unload() -> None:
    """Forget the modules of the library and the app, so that the next import runs them again."""
    # Listed first: importing and removing change `sys.modules` under a loop.
    for name in [_APP, *(each for each in sys.modules if each == LIBRARY or each.startswith(f"{LIBRARY}."))]:
        sys.modules.pop(name, None)


def close(library: ModuleType) -> None:
    """Stop taking work; threads that still run a function are left to end by themselves."""
    library.get_threadpool_executor().shutdown(wait=False, cancel_futures=True)
    # Another app may have imported a copy of its own meanwhile.
    if sys.modules.get(LIBRARY) is library:
        unload()


def events(library: ModuleType) -> ModuleType:
    """Find the module with the handlers of the worker protocol's requests."""
    return sys.modules[library.worker_init_request.__module__]


def on_path(folder: str) -> Callable[[], None]:
    """Put a folder on the import path. Return a function that takes it off again."""
    sys.path.insert(0, folder)

    def undo() -> None:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)

    return undo


def capture_server(module: ModuleType) -> list[FastAPI]:
    """Let the library make its HTTP app, but hand it over instead of serving it on a port of its own.

    The front calls it directly: there is no second hop over a socket, no port that may be taken, and no second
    server that catches signals. The list holds the app once the library has been initialised.
    """
    initialize = module.initialize_http_server
    apps: list[FastAPI] = []

    class Handover:
        def __init__(self, _host: str, _port: int, app: Any) -> None:  # noqa: ANN401 - the extension's WebApp
            made: FastAPI = app.get_app()
            # FastAPI's own /docs and /openapi.json would respond before the function runs.
            made.router.routes[:] = [each for each in made.router.routes if getattr(each, "name", "") == "catch_all"]
            apps.append(made)

        async def serve(self) -> None:
            """Do nothing: the app has been handed over."""

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

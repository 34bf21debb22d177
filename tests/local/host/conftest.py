"""A host that runs the fixture app on a thread, and what tests need to talk to it."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from local.host.host import HostOptions
from local.host.run import run_in_thread
from shared.adapters.local.queue import SqliteQueue

APP = Path(__file__).parent / "app"
TIMEOUT_SECONDS = 10.0
SETTINGS = {
    "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1",  # otherwise its library warns
    "DONE": "done",
    "HOURLY": "0 0 * * * *",
}
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a running host here has one started."""
    for item in items:
        if item.path.is_relative_to(HERE) and {"host", "serve"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.host)


@dataclass(frozen=True)
class Running:
    """A host under test: its client, its queues, its folder of state."""

    client: httpx2.Client
    queue: SqliteQueue
    state: Path

    def seen(self, name: str) -> Any:
        """What the function of that name has seen."""
        return self.client.get(f"/api/seen/{name}").json()

    def send(self, queue: str, body: Any) -> None:
        """Put a message, JSON unless it is text."""
        self.queue.send(queue, body if isinstance(body, str) else json.dumps(body))

    def emptied(self, queue: str) -> bool:
        """Whether the queue is empty, given a little time to become so."""
        return self.wait(lambda: self.queue.length(queue), lambda length: length == 0) == 0

    def until(self, name: str, true: Callable[[Any], bool]) -> Any:
        """What the function has seen, as soon as it is as expected; the last look otherwise, for the assertion."""
        return self.wait(lambda: self.seen(name), true)

    def wait(self, look: Callable[[], Any], true: Callable[[Any], bool]) -> Any:
        """What is looked at, as soon as it is as expected; the last look otherwise, for the assertion."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not true(value := look()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return value


@contextmanager
def _serve(
    state: Path,
    *,
    settings: dict[str, Any] | None = None,
    values: dict[str, str] | None = None,
    options: HostOptions | None = None,
) -> Iterator[Running]:
    app = state / "app"
    shutil.copytree(APP, app, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (app / "host.json").write_text(json.dumps({"version": "2.0"} | (settings or {})))
    (app / "local.settings.json").write_text(json.dumps({"Values": SETTINGS | (values or {})}))
    with (
        SqliteQueue(state / "queue.db") as queue,
        run_in_thread(app, queue=queue, state=state, options=options) as host,
        httpx2.Client(base_url=host.url, timeout=TIMEOUT_SECONDS) as client,
    ):
        yield Running(client, queue, state)


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Running]]:
    """Starts a host of its own, with host.json and settings of its own, keeping everything in the given folder."""
    return _serve


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One host for all tests of a file."""
    with _serve(tmp_path_factory.mktemp("host")) as started:
        yield started

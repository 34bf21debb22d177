"""Starting and stopping: what is under way ends well or goes back, within the time that is given."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from local.host.host import HostOptions
from local.host.run import run_in_thread
from local.host.server import PortTakenError
from shared.adapters.local.queue import SqliteQueue

pytestmark = pytest.mark.host

ROOT = Path(__file__).parents[3]
APP = Path(__file__).parent / "app"
SETTINGS = {"DONE": "done", "HOURLY": "0 0 * * * *", "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1"}


class Held:
    """A host that the test stops when it wants to, while it goes on asking."""

    def __init__(self, state: Path, grace: float) -> None:
        self.queue = SqliteQueue(state / "queue.db")
        self._running = run_in_thread(
            APP, queue=self.queue, state=state, options=HostOptions(port=0, grace=timedelta(seconds=grace))
        )
        self.client = httpx2.Client(base_url=self._running.__enter__().url, timeout=10)

    def stop(self) -> None:
        self._running.__exit__(None, None, None)

    def close(self) -> None:
        self.client.close()
        self.queue.close()

    def wait_for(self, name: str) -> None:
        """Wait until the function has seen something."""
        deadline = time.monotonic() + 10
        while not self.client.get(f"/api/seen/{name}").json():
            assert time.monotonic() < deadline, f"{name} was never called"
            time.sleep(0.01)


@contextmanager
def held(state: Path, *, grace: float) -> Iterator[Held]:
    host = Held(state, grace)
    try:
        yield host
    finally:
        host.close()


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def test_a_message_whose_handler_takes_too_long_goes_back_at_once(tmp_path: Path) -> None:
    with held(tmp_path, grace=0.1) as host:
        host.queue.send("long", "slow")
        host.wait_for("long")
        host.stop()
        (back,) = host.queue.receive("long")
        assert (back.body, back.dequeue_count) == ("slow", 2)


def test_a_message_whose_handler_ends_in_time_is_done(tmp_path: Path) -> None:
    with held(tmp_path, grace=8) as host:
        host.queue.send("brief", "0.3")
        host.wait_for("brief")
        host.stop()
        assert host.queue.length("brief") == 0


def test_a_request_under_way_is_answered(tmp_path: Path) -> None:
    with held(tmp_path, grace=8) as host:
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(host.client.get("/api/nap?seconds=0.3").status_code))
        asking.start()
        host.wait_for("nap")
        host.stop()
        asking.join()
        assert answers == [200]
        with pytest.raises(httpx2.ConnectError):
            host.client.get("/api/hello/Ada")


def test_a_stream_of_events_ends_properly(tmp_path: Path) -> None:
    with held(tmp_path, grace=8) as host, host.client.stream("GET", "/api/events?count=9") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "data: 0"
        host.stop()
        assert [line for line in lines if line] == []  # an end, not an error


def test_a_taken_port_is_an_error_before_anything_is_loaded(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        SqliteQueue(tmp_path / "queue.db") as queue,
        pytest.raises(PortTakenError, match="Choose another port"),
        run_in_thread(APP, queue=queue, state=tmp_path, options=HostOptions(port=taken.getsockname()[1])),
    ):
        pass
    assert "function_app" not in sys.modules


class TestCommand:
    """`python -m local.host` as a process of its own."""

    def start(self, state: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "local.host", "--app", str(APP), "--state", str(state), *arguments]
        return subprocess.Popen(
            command, cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def test_the_process_serves_logs_json_lines_and_ends_on_a_signal(self, tmp_path: Path) -> None:
        with self.start(tmp_path, "--json", PORT="0") as process:
            assert process.stdout
            ready = json.loads(process.stdout.readline())
            url = ready["message"].rpartition(" ")[2]
            answer = httpx2.get(f"{url}/api/hello/Ada", headers={"x-correlation-id": "abc-1"})
            process.send_signal(signal.SIGTERM)
            rest, errors = process.communicate(timeout=90)
        assert answer.json()["name"] == "Ada"
        lines = [json.loads(line) for line in rest.splitlines()]
        (line,) = [each for each in lines if each.get("correlationId") == "abc-1"]
        assert (line["function"], line["outcome"], line["status"]) == ("hello", "ok", 200)
        assert (process.returncode, errors) == (0, "")

    def test_a_thread_that_never_ends_does_not_keep_the_process(self, tmp_path: Path) -> None:
        with self.start(tmp_path, "--port", "0", "--grace", "0.2") as process:
            assert process.stdout
            url = process.stdout.readline().split()[-1]
            asking = threading.Thread(target=_ask, args=(f"{url}/api/stuck",))
            asking.start()
            assert any("stuck begins" in line for line in process.stdout)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=90)
            asking.join()
        assert process.returncode == 0

    def test_a_taken_port_ends_the_process_with_1_and_a_hint(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            with self.start(tmp_path, PORT=port) as process:
                _, errors = process.communicate(timeout=90)
        assert process.returncode == 1
        assert errors.startswith(f"The host cannot start: cannot listen on 127.0.0.1:{port}")
        assert "--port" in errors

    def test_an_app_that_cannot_be_loaded_ends_the_process_with_1(self, tmp_path: Path) -> None:
        (tmp_path / "function_app.py").write_text("import no_such_package")
        with self.start(tmp_path, "--port", "0", "--app", str(tmp_path)) as process:
            _, errors = process.communicate(timeout=90)
        assert process.returncode == 1
        assert "No module named 'no_such_package'" in errors


def _ask(url: str) -> Any:
    try:
        return httpx2.get(url, timeout=20)
    except httpx2.TransportError:
        return None

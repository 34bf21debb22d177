"""The command: what it prints, when it stops."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.cloud.__main__ import main
from local.cloud.store import ResourceStore

ROOT = Path(__file__).parents[3]


def run(state: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "local.cloud", "--port", "0", "--state", str(state), "--resources", "30", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_prints_its_address_and_stops_on_a_signal(tmp_path: Path) -> None:
    state = tmp_path / "cloud.db"
    process = run(state)
    assert process.stdout
    line = process.stdout.readline()
    place = tmp_path / "cloud.token"
    url = next(word for word in line.split() if word.startswith("http"))
    connection = HTTPConnection(urlsplit(url.rstrip(";")).netloc)
    connection.request("GET", "/admin/counts", headers={"Authorization": f"Bearer {place.read_text()}"})
    assert json.loads(connection.getresponse().read())["tables"]["resources"] == 30
    connection.close()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 0
    assert "generated an estate of 30 resources" in errors
    assert str(place) in line
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_an_estate_is_kept_until_reset(tmp_path: Path) -> None:
    seeds = []
    for options in (("--seed", "1"), ("--seed", "2"), ("--seed", "2", "--reset")):
        process = run(tmp_path / "cloud.db", *options)
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=90)
        with ResourceStore(tmp_path / "cloud.db") as store:
            seeds.append(store.fact("seed"))
    assert seeds == ["1", "1", "2"]


def test_it_stops_when_its_parent_has_ended(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)\n"
        "print(child.pid, child.stdout.readline(), flush=True)\n"
    )
    command = [sys.executable, "-m", "local.cloud", "--port", "0", "--state", str(tmp_path / "cloud.db")]
    command += ["--resources", "10", "--exit-with-parent", "--json"]
    found = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    pid, _, line = found.stdout.partition(" ")
    assert json.loads(line)["resources"] == 10
    for _ in range(200):
        if not _alive(int(pid)):
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("it is still there")


def test_it_goes_on_after_it_stood_still(tmp_path: Path) -> None:
    process = run(tmp_path / "cloud.db", "--exit-with-parent", "--json")
    assert process.stdout
    started = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGSTOP)
    subprocess.run(["sleep", "1"], check=True)  # longer than it waits between two looks at its parent
    process.send_signal(signal.SIGCONT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    connection = HTTPConnection(urlsplit(started["url"]).netloc)
    connection.request("GET", "/admin/counts", headers={"Authorization": f"Bearer {started['token']}"})
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=90)
    assert process.returncode == 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" not in status.read_text()


def test_a_taken_port_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--state", str(tmp_path / "cloud.db"), "--resources", "0"]) == 1
    assert f"port {port}" in capsys.readouterr().err


def test_a_damaged_state_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "cloud.db"
    state.write_bytes(b"no database " * 1000)
    assert main(["--port", "0", "--state", str(state)]) == 1
    found = capsys.readouterr().err
    assert found.startswith("The sandbox cloud cannot start: cloud.db holds no sandbox cloud (file is not a database)")
    assert found.count("\n") == 1


def test_a_state_path_that_cannot_be_written_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["--port", "0", "--state", str(tmp_path / "file" / "cloud.db"), "--resources", "1"]) == 1
    assert "File exists. Choose another with --state" in capsys.readouterr().err

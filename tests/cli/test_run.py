"""What `cortex run` refuses before it begins."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli import local, run
from cli.client import ApiError


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_STATE", str(tmp_path))


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LEAVING", 0.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ApiError, match=f"port {port} is taken"):
            run._claim(port)


CLAIM = "import sys; from cli import local; print(local.claim()); sys.stdout.flush(); sys.stdin.read()"


def test_a_state_folder_has_one_product_and_is_free_when_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", CLAIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert not local.claim()
        other.kill()
        other.wait()
    assert local.claim()


def test_the_secret_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    assert local.secret() == local.secret()
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert len(local.secret()) >= 32

"""What `cortex run` refuses before it begins."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import run, state_folder
from cli.client import ApiError
from cli.main import main
from shared import bootstrap
from shared.domain.error import Damaged, Unusable
from tests.fakes.corruption import unprivileged


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_STATE", str(tmp_path))


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SHUTDOWN_SECONDS", 0.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ApiError, match=f"port {port} is in use"):
            run._lock_state(port)


CLAIM = (
    "import sys; from cli import state_folder; print(state_folder.lock_state()); sys.stdout.flush(); sys.stdin.read()"
)


def test_a_state_folder_has_one_product_and_is_free_when_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", CLAIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert not state_folder.lock_state()
        other.kill()
        other.wait()
    assert state_folder.lock_state()


def test_the_secret_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    assert state_folder.load_secret() == state_folder.load_secret()
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
    assert len(state_folder.load_secret()) >= 32


def expected(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """The one line that a command ends with, and its exit code is 1."""
    monkeypatch.setattr(sys, "argv", ["cortex", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "Traceback" not in line
    return line


def make_file(text: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(text)

    return make


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("documents.db", make_file(b""), "documents.db is empty"),
        ("documents.db", make_file(b"garbage" * 1000), "documents.db is damaged (file is not a database)"),
        ("queue.db", make_file(b"garbage" * 1000), "queue.db is damaged"),
        ("queue.db", Path.mkdir, "queue.db is not a file"),
        ("blobs", Path.touch, "blobs is not a folder"),
        ("secret", Path.touch, "secret holds no secret"),
        ("secret", Path.mkdir, "secret cannot be used (Is a directory)"),
        ("lock", Path.mkdir, "lock cannot be used (Is a directory)"),
    ],
)
def test_run_refuses_damaged_stores_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    spoil(tmp_path / name)
    before = (tmp_path / name).stat()
    monkeypatch.setattr(run, "_configure", lambda **_given: None)
    monkeypatch.setattr(run, "_wait_for_port", lambda _port: True)
    monkeypatch.setattr(run.os, "umask", lambda _mask: 0)
    line = expected(capsys, monkeypatch, "run")
    assert words in line
    assert str(tmp_path / name) in line
    assert (tmp_path / name).stat().st_size == before.st_size


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (b"", ("status",)),
        (b"{", ("finding", "list")),
        (b"[]", ("scan", "start")),
        (b"null", ("remediation", "request", "f")),
        (b'{"address": 1}', ("remediation", "approve", "r")),
        (b"\xff\xfe", ("status",)),
    ],
)
def test_other_commands_tell_what_is_wrong_with_what_run_left(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    text: bytes,
    command: tuple[str, ...],
) -> None:
    (tmp_path / "local.json").write_bytes(text)
    assert "local.json is not what `cortex run` saved" in expected(capsys, monkeypatch, *command)


def test_a_state_folder_that_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CORTEX_STATE", str(tmp_path / "file"))
    assert "cannot be used (Not a directory)" in expected(capsys, monkeypatch, "token")


def test_a_state_folder_that_may_not_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o500)
    with unprivileged():
        assert "cannot be used (Permission denied)" in expected(capsys, monkeypatch, "token")
    tmp_path.chmod(0o700)


def test_the_host_refuses_damaged_stores_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from local.host.__main__ import main as host  # noqa: PLC0415 - only here

    monkeypatch.setattr(bootstrap, "_built", None)
    monkeypatch.setenv("CORTEX_SCAN_SCHEDULE", "0 0 2 * * *")
    (tmp_path / "documents.db").write_bytes(b"garbage" * 1000)
    assert host(["--port", "0", "--state", str(tmp_path)]) == 1
    line = capsys.readouterr().err
    assert line.startswith("The host cannot start: documents.db is damaged")
    assert line.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "host"])
def test_a_setting_that_cannot_be_used_is_one_line_without_its_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    from local.host.__main__ import main as host  # noqa: PLC0415 - only here

    monkeypatch.setenv("CORTEX_METRICS_TOKEN", "hush-5318")
    if command == "run":
        monkeypatch.setattr(run, "_configure", lambda **_: None)
        monkeypatch.setattr(run, "_wait_for_port", lambda _port: True)
        monkeypatch.setattr(run.os, "umask", lambda _mask: 0)
        line = expected(capsys, monkeypatch, "run")
    else:
        assert host(["--port", "0", "--state", str(tmp_path)]) == 1
        line = capsys.readouterr().err
    assert "CORTEX_METRICS_TOKEN must have 16 characters or more" in line
    assert line.count("\n") == 1
    assert "5318" not in line


@pytest.mark.parametrize(
    ("options", "said", "address"),
    [
        (("--port", "18100"), {}, "http://127.0.0.1:18100"),
        (("--port", "18100", "--host", "0.0.0.0"), {}, "http://127.0.0.1:18100"),  # noqa: S104 - an option, not an address to bind
        (("--port", "18100"), {"CORTEX_PUBLIC_URL": "https://cortex.example"}, "https://cortex.example"),
        (("--port", "18100"), {"WEBSITE_HOSTNAME": "app.example"}, "https://app.example"),
        (("--port", "0"), {}, None),
    ],
)
def test_the_product_names_the_port_that_it_was_started_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    said: dict[str, str],
    address: str | None,
) -> None:
    from local.host import __main__ as host  # noqa: PLC0415 - only here

    for name in ("CORTEX_PUBLIC_URL", "WEBSITE_HOSTNAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    seen: list[str | None] = []

    async def serve(_host: object) -> None:
        seen.append(bootstrap.address())

    monkeypatch.setattr(bootstrap, "_built", None)
    monkeypatch.setattr(host, "serve", serve)
    monkeypatch.setattr(host.log, "configure", lambda *_given, **_options: None)
    assert host.main([*options, "--state", str(tmp_path)]) == 0
    bootstrap.ports().close()
    assert seen == [address]
    assert bootstrap.address() == {**said}.get("CORTEX_PUBLIC_URL", "https://app.example" if said else None)


@pytest.mark.parametrize("reason", ["No space left on device", "Permission denied"])
def test_what_cannot_be_left_for_other_commands_is_one_sentence_and_the_product_runs_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def refuse(_path: Path, _text: str) -> None:
        raise OSError(28, reason)

    monkeypatch.setattr(state_folder, "_write", refuse)
    monkeypatch.setattr(run.httpx2, "get", lambda _url: run.httpx2.Response(200))
    monkeypatch.setattr(run, "run_reconcilers", lambda _url: None)
    run._welcome(18100, {"operator": "token"}, None)
    shown = capsys.readouterr().err
    assert f"cannot be used ({reason})" in shown
    assert "Traceback" not in shown
    assert "CORTEX_URL=http://127.0.0.1:18100" in shown


def test_an_empty_master_key_opens_nothing(tmp_path: Path) -> None:
    from local.host.host import _master_key  # noqa: PLC0415 - only here

    made = _master_key(tmp_path / "a" / "state")
    assert len(made) >= 32
    assert _master_key(tmp_path / "a" / "state") == made
    assert (tmp_path / "a" / "state" / "master.key").stat().st_mode & 0o077 == 0
    (tmp_path / "master.key").touch()
    with pytest.raises(Damaged, match=r"master\.key holds no key"):
        _master_key(tmp_path)
    (tmp_path / "folder" / "master.key").mkdir(parents=True)
    with pytest.raises(Unusable, match="Is a directory"):
        _master_key(tmp_path / "folder")

"""The installed entry point: where it finds the command line, and what it says when something is not installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("cli", "functions", "local", "shared")
WITHOUT = "import sys; sys.modules[sys.argv.pop(1)] = None; from policycortex.__main__ import main; main()"


def call(*arguments: str, path: tuple[Path, ...] = (ROOT,), cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "NO_COLOR": "1"}
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def test_its_own_rooms_come_before_packages_of_the_same_names(tmp_path: Path) -> None:
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise RuntimeError('the package of somebody else was imported')")
    result = call("-m", "policycortex", "estate", "--resources", "1", path=(tmp_path, ROOT), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("{")


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("typer", (), "cli"),
        ("rich", ("--version",), "cli"),
        ("uvicorn", ("run",), "local"),
        ("jwt", ("token",), "local"),
    ],
)
def test_a_missing_extra_is_named(tmp_path: Path, missing: str, arguments: tuple[str, ...], extra: str) -> None:
    result = call("-c", WITHOUT, missing, *arguments, cwd=tmp_path)
    assert result.returncode == 1
    sentence = f"This command needs {missing}, which is not installed: pip install 'policycortex[{extra}]'\n"
    assert result.stderr == sentence


def test_a_module_of_our_own_that_is_missing_is_a_fault_and_not_an_extra(tmp_path: Path) -> None:
    result = call("-c", WITHOUT, "shared.domain.error", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("Traceback")

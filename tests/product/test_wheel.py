"""What `pip install policycortex` brings: one package, whose command works next to whatever else is installed."""

import contextlib
import email
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.deployment import ROOT, kept
from tests.fakes.product import end_group, free_ports, until

pytestmark = pytest.mark.package

UV = [sys.executable, "-m", "uv", "--quiet"]
ROOMS = ("cli", "functions", "local", "shared")
POLICY = {
    "properties": {
        "displayName": "Locations",
        "policyType": "Custom",
        "mode": "Indexed",
        "policyRule": {"if": {"field": "location", "notEquals": "westeurope"}, "then": {"effect": "audit"}},
    }
}
ALIASED = {
    "if": {"field": "Microsoft.Storage/storageAccounts/isNfsV3Enabled", "exists": False},
    "then": {"effect": "audit"},
}
"""A rule about an alias that no policy of the catalog uses."""
RESOURCE = {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a", "name": "a",
            "type": "Microsoft.Storage/storageAccounts", "location": "eastus",
            "properties": {"supportsHttpsTrafficOnly": False}}  # fmt: skip
CASES = """
cases:
  - name: elsewhere
    definition: policy.json
    resource: {type: Microsoft.Storage/storageAccounts, location: eastus}
    expect: nonCompliant
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this repository, built as anybody builds it."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([*UV, "build", "--wheel", "--out-dir", out, ROOT], check=True)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of somebody else's, which owns every name that our rooms have."""
    path = tmp_path_factory.mktemp("foreign") / "foreign-1.0-py3-none-any.whl"
    files = {f"{room}/__init__.py": "OWNER = 'foreign'\n" for room in ROOMS}
    files["foreign-1.0.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n"
    files["foreign-1.0.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files["foreign-1.0.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="module", params=["foreign first", "foreign last"])
def environment(
    request: pytest.FixtureRequest, wheel: Path, foreign: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A new environment with the command line and the foreign wheel, installed in either order."""
    installed = [f"policycortex[cli] @ {wheel.as_uri()}", str(foreign)]
    ordered = reversed(installed) if request.param == "foreign first" else installed
    return install(tmp_path_factory.mktemp("environment"), *ordered)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of a user's, who has files with the names of our rooms as well."""
    for room in ROOMS:
        (tmp_path / f"{room}.py").write_text("raise RuntimeError('a file of the user was imported')\n")
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    (tmp_path / "aliased.json").write_text(json.dumps(ALIASED))
    (tmp_path / "resource.json").write_text(json.dumps(RESOURCE))
    (tmp_path / "cases.yaml").write_text(CASES)
    return tmp_path


def install(folder: Path, *packages: str) -> Path:
    """Make an environment and install the packages one after another."""
    subprocess.run([*UV, "venv", "--python", sys.executable, "--clear", folder], check=True)
    for each in packages:
        subprocess.run([*UV, "pip", "install", "--python", folder / "bin" / "python", each], check=True)
    return folder


def clean_env() -> dict[str, str]:
    """The variables of a user who does not have the repository."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NO_COLOR": "1", "COLUMNS": "200"}


def call(place: Path, *command: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=place, env=clean_env(), input=given, capture_output=True, text=True, check=False, timeout=120
    )


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path) -> Message:
    (name,) = (each for each in names(wheel) if each.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_the_rooms_in_one_package_and_nothing_else(wheel: Path) -> None:
    found = {Path(each) for each in names(wheel)}
    assert {each.parts[0] for each in found if not each.parts[0].endswith(".dist-info")} == {"policycortex"}
    rooms = {each for each in kept() if each.parts[0] in {*ROOMS, "catalog", "function_app.py", "host.json"}}
    rooms = {each for each in rooms if not each.is_relative_to("catalog/fixtures")}
    command = {Path("__init__.py"), Path("__main__.py")}
    assert {each.relative_to("policycortex") for each in found if each.parts[0] == "policycortex"} == rooms | command


def test_the_metadata_say_what_the_package_is_and_needs(wheel: Path) -> None:
    fields = metadata(wheel)
    assert fields["Name"] == "policycortex"
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["License-File"] == "LICENSE"
    assert fields["Requires-Python"] == ">=3.13"
    assert fields["Description-Content-Type"] == "text/markdown"
    assert str(fields.get_payload()).startswith("# PolicyCortex")
    assert set(fields.get_all("Provides-Extra", [])) == {"app", "cli", "local"}
    always = {each.partition("==")[0] for each in fields.get_all("Requires-Dist", []) if "extra ==" not in each}
    assert always == {"orjson", "pydantic", "rfc8785"}


def test_the_other_distribution_keeps_its_names(environment: Path, place: Path) -> None:
    code = f"import {', '.join(ROOMS)}; print({', '.join(f'{room}.OWNER' for room in ROOMS)})"
    result = call(place, environment / "bin" / "python", "-P", "-c", code)
    assert result.stdout.split() == ["foreign"] * len(ROOMS), result.stderr


def test_the_command_and_the_module_are_the_same(environment: Path, place: Path, wheel: Path) -> None:
    result = call(place, environment / "bin" / "cortex", "--version")
    assert result.stdout == f"cortex {metadata(wheel)['Version']}\n", result.stderr
    assert call(place, environment / "bin" / "python", "-m", "policycortex", "--version").stdout == result.stdout


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        (("policy", "lint", "policy.json"), 0, "1 file"),
        (("policy", "test", "cases.yaml"), 0, "1 of 1"),
        (("policy", "fmt", "--check", "policy.json"), 1, "policy.json"),
        (("policy", "explain", "--policy", "policy.json", "--resource", "resource.json"), 0, "location"),
        (("evaluate", "--policy", "policy.json", "--resource", "resource.json"), 3, "nonCompliant"),
        (("evaluate", "--policy", "aliased.json", "--resource", "resource.json"), 3, "nonCompliant"),
        (("evaluate", "--policy", "storage-secure-transfer", "--resource", "resource.json"), 3, "nonCompliant"),
    ],
    ids=[
        "lint",
        "test",
        "fmt",
        "explain",
        "evaluate a file",
        "evaluate an alias of the table",
        "evaluate by the catalog",
    ],
)
def test_what_authors_need_works_offline(
    environment: Path, place: Path, command: tuple[str, ...], code: int, expected: str
) -> None:
    result = call(place, environment / "bin" / "cortex", *command)
    assert result.returncode == code, result.stderr
    assert expected in result.stdout


def test_an_estate_is_judged_by_several_processes(environment: Path, place: Path) -> None:
    cortex = environment / "bin" / "cortex"
    estate = call(place, cortex, "estate", "--resources", "300")
    assert len(estate.stdout.splitlines()) > 300, estate.stderr
    judge = ("evaluate", "--policy", "catalog", "--resource", "-", "--json", "--jobs")
    one, two = (call(place, cortex, *judge, jobs, given=estate.stdout) for jobs in ("1", "2"))
    assert one.stdout == two.stdout != "", two.stderr


def test_a_missing_extra_is_named(wheel: Path, environment: Path, place: Path, tmp_path: Path) -> None:
    result = call(place, environment / "bin" / "cortex", "run")
    assert result.returncode == 1
    assert result.stderr.endswith("pip install 'policycortex[local]'\n")
    bare = install(tmp_path / "bare", str(wheel))
    result = call(place, bare / "bin" / "cortex")
    assert result.returncode == 1
    assert result.stderr == "This command needs typer, which is not installed: pip install 'policycortex[cli]'\n"


@contextlib.contextmanager
def running(environment: Path, place: Path, port: int) -> Iterator[Path]:
    """`cortex run` in the folder, and its log; all that it started is killed in the end."""
    log = place / "log"
    command = [environment / "bin" / "cortex", "run", "--port", str(port), "--resources", "60"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=place, env=clean_env(), stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield log
    finally:
        end_group(process)


def test_the_whole_product_runs_from_the_wheel(
    wheel: Path, foreign: Path, place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its stores and its cloud lie in the folder it was started in, and nothing is written into the environment."""
    environment = tmp_path_factory.mktemp("local")
    allow = ["--prerelease", "allow"]
    subprocess.run([*UV, "venv", "--python", sys.executable, "--clear", environment], check=True)
    to = [*UV, "pip", "install", "--python", environment / "bin" / "python"]
    subprocess.run([*to, *allow, foreign, f"policycortex[local] @ {wheel.as_uri()}"], check=True)
    port = free_ports()

    def scanned() -> list[Any]:
        with contextlib.suppress(OSError, httpx2.HTTPError):
            token = json.loads((place / ".cortex" / "local.json").read_text(encoding="utf-8"))["operator"]
            headers = {"authorization": f"Bearer {token}"}
            answer = httpx2.get(f"http://127.0.0.1:{port}/api/v1/scans", headers=headers)
            return [each for each in answer.json()["items"] if each["endedAt"]]
        return []

    with running(environment, place, port) as log:
        (scan,) = until(scanned, bool)
        assert scan["status"] in {"completed", "partial"}, log.read_text()
        result = call(place, environment / "bin" / "cortex", "status")
        assert result.returncode == 0, result.stderr
        assert httpx2.get(f"http://127.0.0.1:{port}/").is_success
    assert (place / ".cortex" / "cloud.db").is_file()
    assert not list((environment / "lib").rglob(".cortex"))

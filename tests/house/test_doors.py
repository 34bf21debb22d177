"""The front door opens in an empty environment, has every function it should, and loads nothing heavy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    "azure.cosmos",
    "azure.identity",
    "azure.mgmt",
    "azure.storage",
    "openai",
    "numpy",
    "duckdb",
    "strawberry",
    "msgraph",
    "sqlite3",
    "azure.monitor",
    "opentelemetry.exporter",
)
PROBE = """
import json, sys
import function_app
functions = [
    {"name": each.get_function_name(), "trigger": each.get_trigger().get_dict_repr()}
    for each in function_app.app.get_functions()
]
print(json.dumps({"functions": functions, "modules": sorted(sys.modules)}, default=str))
"""


@pytest.fixture(scope="module")
def door() -> dict[str, list[dict[str, dict[str, str]]]]:
    ran = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", PROBE],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    loaded: dict[str, list[dict[str, dict[str, str]]]] = json.loads(ran.stdout)
    return loaded


def test_every_function_is_registered_once_under_a_noun_and_a_verb(door: dict[str, list[dict[str, str]]]) -> None:
    names = [each["name"] for each in door["functions"] if not each["name"].startswith(("BuiltIn", "builtin"))]
    assert len(names) == len(set(names))
    assert [name for name in names if "_" not in name and name != "http"] == []
    expected = {"http", "scan_nightly", "scan_start", "scan_workflow", "scan_step", "change_judge", "import_run"}
    assert expected <= set(names)


def test_every_door_is_registered(door: dict[str, list[dict[str, str]]]) -> None:
    doors = {
        path.stem.partition("_")[0]
        for path in (ROOT / "functions").glob("*.py")
        if "\nbp = " in path.read_text(encoding="utf-8")
    }
    registered = {each["name"].partition("_")[0] for each in door["functions"]}
    assert doors <= registered


def test_nothing_heavy_is_loaded_with_the_front_door(door: dict[str, list[str]]) -> None:
    loaded = [name for name in door["modules"] if name.startswith(HEAVY)]
    assert loaded == []

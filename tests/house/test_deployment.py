"""What would be deployed is exactly what is meant: by azure.yaml, by .funcignore, and by what infra/ sets."""

import re
import shutil
from pathlib import Path

import pytest
from pydantic import AliasChoices

from shared.settings import Settings
from tests.deployment import ROOT, builder, deployed_by_azd, kept, kept_by_func, service

NOT_DEPLOYED = {"catalog/fixtures": "test cases for authors of policies; the app judges by the policies alone"}
ROOMS = ("catalog", "functions", "shared")


@pytest.fixture(scope="module")
def ours() -> set[Path]:
    """What the package holds of the repository."""
    return set(builder.deployed(ROOT))


def test_azd_deploys_the_folder_that_the_hook_has_just_built() -> None:
    settings = service()
    assert (ROOT / settings["project"] / settings["dist"]).resolve() == ROOT / "build" / "package"
    assert settings["remoteBuild"] is False
    before = settings["hooks"]["prepackage"]
    assert before["posix"]["run"] == "make package"
    assert before["windows"]["run"].endswith("scripts/package.py")
    assert re.search(r"(?m)^package: .*\n.*python scripts/package\.py$", (ROOT / "Makefile").read_text())


def test_every_file_of_a_deployed_room_is_deployed(ours: set[Path]) -> None:
    """A file of a new kind or in a new place fails here first, not on Azure."""
    rooms = {each for each in kept() if each.parts[0] in ROOMS}
    left_out = {each for each in rooms if any(each.is_relative_to(folder) for folder in NOT_DEPLOYED)}
    assert rooms - left_out == {each for each in ours if each.parts[0] in ROOMS}
    assert {each.as_posix() for each in ours if len(each.parts) == 1} == {
        "function_app.py",
        "host.json",
        "requirements.txt",
    }


def test_func_would_deploy_the_same_code(ours: set[Path]) -> None:
    litter = {
        Path("local.settings.json"), Path(".cortex/secret"), Path(".venv/bin/python"), Path("shared/__pycache__/x.pyc"),
        Path("local/host/host.py"), Path("build/package/host.json"), Path("infra/shared/host.json"),
    }  # fmt: skip
    assert kept_by_func((ROOT / ".funcignore").read_text(), litter | kept()) == ours


def test_a_bare_name_in_an_ignore_file_drops_code() -> None:
    """The rules are gitignore's: a name without a slash means every file and folder of that name."""
    assert Path("shared/adapters/local/queue.py") not in kept_by_func("local\n", kept())
    assert Path("shared/adapters/local/queue.py") in kept_by_func("/local\n", kept())


def test_without_its_own_ignore_file_a_package_would_lose_its_bytecode(tmp_path: Path) -> None:
    (tmp_path / "shared" / "__pycache__").mkdir(parents=True)
    (tmp_path / "shared" / "__pycache__" / "settings.cpython-313.pyc").touch()
    assert deployed_by_azd(tmp_path) == set()
    (tmp_path / ".funcignore").write_text(builder.FUNCIGNORE_TEXT)
    assert deployed_by_azd(tmp_path) == {Path("shared/__pycache__/settings.cpython-313.pyc")}


def test_files_outside_git_are_not_deployed(tmp_path: Path) -> None:
    for name in ("function_app.py", "shared/a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    meant = set(builder.deployed(tmp_path))
    for name in ("shared/.a.py.swp", "shared/local.settings.json", "shared/__pycache__/a.cpython-313.pyc", ".env"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "functions").mkdir()
    shutil.copy(ROOT / "local" / "estate.py", tmp_path / "estate.py")
    assert set(builder.deployed(tmp_path)) == meant


def test_infra_sets_only_what_the_app_reads() -> None:
    """A misspelt setting would be ignored on Azure without a word."""
    written = "".join(each.read_text(encoding="utf-8") for each in (ROOT / "infra").rglob("*.bicep"))
    names = set(re.findall(r"\bCORTEX_\w+", written))
    assert {"CORTEX_TENANT", "CORTEX_COSMOS_ENDPOINT", "CORTEX_STORAGE_ACCOUNT_URL"} <= names
    assert names <= set(_variables())


def _variables() -> list[str]:
    found = []
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        found += (
            [str(each) for each in alias.choices] if isinstance(alias, AliasChoices) else [f"CORTEX_{name.upper()}"]
        )
    return found

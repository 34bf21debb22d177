"""What is deployed is complete and the same each time."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment import ROOT, builder, deployed_by_azd, kept
from tests.product.deployed import build, clean_environment, contents

pytestmark = pytest.mark.package

ELSEWHERE = {"local", "cli", "tests", "benchmarks", "infra", "scripts", "docs", "web", ".cortex", ".venv", ".ci"}
IMPORT_ALL = """
import ast, importlib, json, pkgutil, sys
package, where = sys.argv[1:]
sys.path[:0] = [package, where]
import function_app
import functions, shared
for room in (functions, shared):
    for each in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        module = importlib.import_module(each.name)
        for node in ast.walk(ast.parse(open(module.__file__).read())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                importlib.import_module(name)
print(json.dumps([each.__file__ for each in sys.modules.values() if getattr(each, "__file__", None)]))
"""


def test_two_builds_are_the_same_to_the_byte(built: tuple[Path, Path], tmp_path: Path) -> None:
    """Of a copy elsewhere, whose files are newer, under another mask, seed, zone and language."""
    root = tmp_path / "another place"
    for each in kept():
        (root / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / each, root / each)
    before = os.umask(0o077)
    try:
        folder, archive = build(root, tmp_path / "out", PYTHONHASHSEED="7", TZ="Asia/Kathmandu", LC_ALL="C")
    finally:
        os.umask(before)
    assert archive.read_bytes() == built[1].read_bytes()
    assert contents(folder) == contents(built[0])
    assert {each.stat().st_mode & 0o777 for each in folder.rglob("*")} == {0o644, 0o755}


def test_azd_deploys_exactly_what_was_built(built: tuple[Path, Path], package: Path) -> None:
    """The folder but for the ignore file in it, and so the archive that these tests run."""
    folder, _ = built
    every = {each.relative_to(folder) for each in builder.files(folder)}
    assert deployed_by_azd(folder) == every - {Path(".funcignore")}
    assert deployed_by_azd(folder) == {each.relative_to(package) for each in builder.files(package)}


def test_the_package_holds_our_code_its_bytecode_and_nothing_else(package: Path) -> None:
    found = {each.relative_to(package) for each in builder.files(package)}
    ours = {each for each in found if not each.is_relative_to(builder.PACKAGES)}
    sources = {each for each in ours if each.suffix != ".pyc"}
    assert sources == set(builder.deployed(ROOT))
    bytecode = {
        each.parent / "__pycache__" / f"{each.stem}.cpython-313.pyc" for each in sources if each.suffix == ".py"
    }
    assert ours - sources == bytecode
    assert not {each.parts[0] for each in ours} & ELSEWHERE
    assert all((package / each).read_bytes() == (ROOT / each).read_bytes() for each in sources)


def test_all_that_the_app_can_import_comes_from_the_package(package: Path) -> None:
    """Everything in it is imported, late imports too, by an interpreter that has nothing but the package."""
    command = [sys.executable, "-I", "-S", "-B", "-c", IMPORT_ALL, str(package), str(package / builder.PACKAGES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=package.parent)
    assert done.returncode == 0, done.stderr
    found = {Path(each) for each in json.loads(done.stdout)}
    library = Path(os.__file__).parent
    assert not {each for each in found if not each.is_relative_to(package) and not each.is_relative_to(library)}
    assert package / "shared" / "adapters" / "local" / "queue.py" in found


def test_the_dependencies_are_those_that_the_hashes_name(package: Path, tmp_path: Path) -> None:
    """Another installer, from requirements.txt of the package alone, comes to the same files."""
    (theirs,) = (clean_environment(package, tmp_path / "environment") / "lib").glob("python*/site-packages")
    written = ("INSTALLER", "RECORD", "REQUESTED")
    installed = {name: text for name, text in contents(theirs).items() if not name.endswith(written)}
    for name in ("_virtualenv.py", "_virtualenv.pth"):
        installed.pop(name, None)
    carried = contents(package / builder.PACKAGES)
    assert {name: text for name, text in carried.items() if not name.endswith(".pyc")} == installed

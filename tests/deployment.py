"""What is deployed: the builder of the package, and the rules by which `azd` and `func` choose files."""

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from pathspec import GitIgnoreSpec

ROOT = Path(__file__).parents[1]


def script(name: str) -> ModuleType:
    """A program of scripts/, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


builder = script("package")


def service() -> dict[str, Any]:
    """The one service of azure.yaml."""
    (found,) = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))["services"].values()
    return dict(found)


def kept() -> set[Path]:
    """The files of the repository, relative to it: all that .gitignore does not name."""
    spec = GitIgnoreSpec.from_lines([*(ROOT / ".gitignore").read_text().splitlines(), ".git"])
    found = set()
    for folder, folders, names in ROOT.walk():
        here = folder.relative_to(ROOT)
        folders[:] = [each for each in folders if not spec.match_file(f"{(here / each).as_posix()}/")]
        found |= {here / each for each in names if not spec.match_file((here / each).as_posix())}
    return found


def kept_by_func(ignoring: str, files: Iterable[Path]) -> set[Path]:
    """What Core Tools deploy of the files by the text of a .funcignore, whose patterns are those of .gitignore."""
    spec = GitIgnoreSpec.from_lines(ignoring.splitlines())
    return {each for each in files if not spec.match_file(each)}


def deployed_by_azd(folder: Path) -> set[Path]:
    """What `azd` deploys of the folder of a Python function app: `createDeployableZip`, project_utils.go."""
    ignoring = folder / ".funcignore"
    spec = GitIgnoreSpec.from_lines(ignoring.read_text().splitlines()) if ignoring.is_file() else None
    return {each.relative_to(folder) for each in _zipped(folder, folder, spec)}


def _zipped(folder: Path, root: Path, spec: GitIgnoreSpec | None) -> Iterator[Path]:
    for path in folder.iterdir():
        if _left_out(path, root, spec):
            continue
        if path.is_dir():
            yield from _zipped(path, root, spec)
        else:
            yield path


def _left_out(path: Path, root: Path, spec: GitIgnoreSpec | None) -> bool:
    always = {".azure"} if path.is_dir() else {".funcignore", "local.settings.json"}
    if path.name in always:
        return True
    if spec:
        return spec.match_file(f"{path.relative_to(root).as_posix()}{'/' if path.is_dir() else ''}")
    return path.is_dir() and ((path / "pyvenv.cfg").exists() or path.name.lower() == "__pycache__")

"""Builds the deployment package: the folder `build/package`, which `azd` deploys, and the same as `build/package.zip`.

Usage: `make package`, or `python scripts/package.py [--root FOLDER] [--out FOLDER]` with Python 3.13 and pip.

The package is complete, nothing is built after it: our code by an allow-list, the locked requirements as wheels for
Linux on x86-64, each checked against its hash, and the bytecode of both. Two builds of one commit are the same to the
byte: entries are sorted, times and modes fixed, and bytecode is valid by itself (PEP 552), not by a file's time.
docs/decisions/package.md says why it is made this way.
"""
# ruff: noqa: INP001, T201, S603 - a script, run by its path, that prints and starts pip and compileall

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEPLOYED = (
    "catalog/*.json",
    "catalog/*.zip",
    "catalog/assignments/*.json",
    "catalog/frameworks/*.json",
    "catalog/initiatives/*.json",
    "catalog/policies/**/*.json",
    "function_app.py",
    "functions/**/*",
    "host.json",
    "requirements.txt",
    "shared/**/*",
)
"""What of the repository is deployed; everything else is not. `.funcignore` says the same to other tools."""
SUFFIXES = frozenset({".css", ".html", ".js", ".json", ".py", ".sh", ".svg", ".txt", ".zip"})
"""What kinds of files are deployed: what editors and interpreters leave in the folders is not."""
PACKAGES = ".python_packages/lib/site-packages"
"""Where the Functions host looks for the app's dependencies."""
DEPLOYED_ROOT = "/home/site/wwwroot"
"""Where the package lies on Azure: what bytecode names as its source."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""The wheels that run on Flex Consumption: Linux on x86-64 with glibc 2.28 or newer."""
WRITTEN_BY_PIP = ("*.dist-info/INSTALLER", "*.dist-info/RECORD", "*.dist-info/REQUESTED", "bin")
"""What differs from one version of pip to the next, and nothing on Azure reads."""
FUNCIGNORE_TEXT = (
    "# All of this folder is deployed: without this file azd leaves out __pycache__, and cold starts are slow.\n"
)
DEPENDENCIES_MB = 250
"""Unpacked dependencies may take up this much: the app's size is its cold start."""
EARLIEST_EPOCH = 315_532_800
"""1980-01-01, the earliest time an archive can hold; SOURCE_DATE_EPOCH names another."""


class BuildError(Exception):
    """The package cannot be built; the message says why and what to do."""


def build(root: Path, out: Path) -> tuple[Path, Path]:
    """Build the package of the repository at `root`: return the folder and the archive, both in `out`."""
    if sys.version_info[:2] != (3, 13):
        raise BuildError(f"bytecode is made for Python 3.13, and this is {sys.version.split()[0]}: use `make package`")
    folder, archive = out / "package", out / "package.zip"
    shutil.rmtree(folder, ignore_errors=True)
    copy(root, folder)
    install(folder / "requirements.txt", folder / PACKAGES)
    compile_all(folder)
    (folder / ".funcignore").write_text(FUNCIGNORE_TEXT, encoding="utf-8", newline="\n")
    normalize(folder)
    write(folder, archive)
    return folder, archive


def deployed(root: Path) -> Iterator[Path]:
    """Yield our own files that are deployed, relative to `root`."""
    for pattern in DEPLOYED:
        for path in root.glob(pattern):
            if path.is_file() and path.suffix in SUFFIXES and path.name != "local.settings.json":
                yield path.relative_to(root)


def copy(root: Path, folder: Path) -> None:
    """Copy our own files; BuildError when `root` is not the repository."""
    for each in deployed(root):
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / each, folder / each)
    if not (folder / "function_app.py").is_file():
        raise BuildError(f"{root} has no function_app.py: --root names the repository")


def install(requirements: Path, target: Path) -> None:
    """Install the locked requirements for Azure, whatever machine this is; nothing that no hash names."""
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile"]
    options += ["--python-version", "3.13", "--implementation", "cp"]
    options += [each for name in PLATFORMS for each in ("--platform", name)]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-conflicts"]
    command = [sys.executable, "-m", "pip", "install", *quiet, *options]
    done = subprocess.run([*command, "--target", target, "--requirement", requirements], check=False)
    if done.returncode:
        raise BuildError("the requirements cannot be installed; pip says why above")
    for pattern in WRITTEN_BY_PIP:
        for path in target.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    size = sum(each.stat().st_size for each in target.rglob("*") if each.is_file())
    if size > DEPENDENCIES_MB * 1_000_000:
        raise BuildError(f"the dependencies take up {size / 1_000_000:.0f} MB, more than {DEPENDENCIES_MB}: use fewer")


def compile_all(folder: Path) -> None:
    """Write the bytecode of everything, in one process and in order, so that it is the same each time."""
    options = ["-q", "--invalidation-mode", "unchecked-hash", "-s", folder, "-p", DEPLOYED_ROOT]
    # Constants such as sets are marshalled in the order of their hashes, so the seed is part of the bytecode.
    env = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": "", "PYTHONOPTIMIZE": ""}
    done = subprocess.run([sys.executable, "-m", "compileall", *options, folder], env=env, check=False)
    if done.returncode:
        raise BuildError("not everything can be compiled; the message above names the file")


def normalize(folder: Path) -> None:
    """Give every file and folder the same modes and the same time, whoever builds it and when."""
    at = _epoch()
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (at, at))


def write(folder: Path, archive: Path) -> None:
    """Write the archive: the folder's files but for `.funcignore`, which `azd` does not deploy either."""
    at = datetime.fromtimestamp(_epoch(), UTC).timetuple()[:6]
    archive.unlink(missing_ok=True)
    with zipfile.ZipFile(archive, "x", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for path in files(folder):
            name = path.relative_to(folder).as_posix()
            if name == ".funcignore":
                continue
            # What `ZipFile.write` takes from the machine and the file - system, mode and time - is the same for all.
            entry = zipfile.ZipInfo(name, at)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            made.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def files(folder: Path) -> list[Path]:
    """List all files of the folder, in the order of their names."""
    found = (each for each in folder.rglob("*") if each.is_file())
    return sorted(found, key=lambda each: each.relative_to(folder).as_posix())


def _epoch() -> int:
    return int(os.environ.get("SOURCE_DATE_EPOCH") or EARLIEST_EPOCH)


def _describe(folder: Path, archive: Path) -> Iterable[str]:
    sizes = {each: each.stat().st_size / 1_000_000 for each in files(folder)}
    theirs = [each for each in sizes if each.is_relative_to(folder / PACKAGES)]
    of_that = f"{sum(sizes[each] for each in theirs):.1f} MB in {len(theirs)} files are dependencies"
    yield f"{folder}: {sum(sizes.values()):.1f} MB in {len(sizes)} files, of which {of_that}"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    yield f"{archive}: {archive.stat().st_size / 1_000_000:.1f} MB, sha256 {digest}"


def main() -> int:
    """Build, and print the sizes and the digest; 1 when it could not be built."""
    parser = argparse.ArgumentParser(description="Build the deployment package.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository (default: this one)")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="where to put it (default: build)")
    options = parser.parse_args()
    try:
        folder, archive = build(options.root.resolve(), options.out.resolve())
    except BuildError as error:
        print(f"The package cannot be built: {error}", file=sys.stderr)
        return 1
    print("\n".join(_describe(folder, archive)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

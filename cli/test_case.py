"""`cortex policy test`: run test cases of policies in YAML, watch them, report them."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli import input_file, terminal, yaml_text
from cli.special_file import special_reason
from shared.authoring import junit, test_case
from shared.authoring.library import DocumentShape, Library
from shared.authoring.policy_file import read_policies
from shared.domain.error import CortexError, InvalidInput
from shared.domain.test_case import PolicyTestResult, PolicyTestSuite
from shared.engine import AliasCatalog
from shared.engine.error import nearest

EXIT_FAILED = 1
WATCH_SECONDS = 0.5
"""Seconds between two checks of the files."""
_CASE_PATTERNS = ("*.yaml", "*.yml")
_WATCHED_PATTERNS = (*_CASE_PATTERNS, *input_file.POLICY_PATTERNS)
FileResults = tuple[str, list[PolicyTestResult]]
FileTimes = dict[Path, tuple[int, int]]


def run_cases(
    places: Annotated[
        list[Path], typer.Argument(metavar="DIR|FILE…", exists=True, help="YAML files with test cases, or folders")
    ],
    aliases: input_file.Aliases = None,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="write a JUnit XML report to this file")] = None,
    only: Annotated[str, typer.Option("-k", help="run only the cases with this text in their name")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="run again whenever a file changes, until Ctrl-C")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Run test cases: a definition, a resource and the expected result. docs/test.md describes the format.

    Exit code 1 when a case fails, or when there is none.
    """
    known = input_file.load_facts(aliases).aliases

    def once() -> bool:
        suites = list(_suites(places, known, only))
        if junit_file is not None:
            junit_file.write_bytes(junit.junit_xml(suites))
        _print(suites, as_json=json)
        return all(each.passed for _, outcomes in suites for each in outcomes) and any(each for _, each in suites)

    if watch:
        keep_watching(places, once)
    raise typer.Exit(0 if once() else EXIT_FAILED)


def keep_watching(
    places: list[Path], act: Callable[[], object], *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Act now and whenever a file has changed; exit with 0 when interrupted."""
    seen: FileTimes | None = None
    try:
        while True:
            now = file_times(places)
            if now != seen:
                seen = now
                act()
            sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        terminal.print_err("stopped")
        raise typer.Exit(0) from None


def file_times(places: list[Path]) -> FileTimes:
    """Return the watched files with their modification time and size."""
    found: FileTimes = {}
    for path in _files(places, _WATCHED_PATTERNS):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # being replaced: the next check sees it
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def _files(places: list[Path], patterns: tuple[str, ...]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted({path for pattern in patterns for path in place.rglob(pattern)})
        else:
            yield place


def _suites(places: list[Path], aliases: AliasCatalog, only: str) -> Iterator[FileResults]:
    for path in _files(places, _CASE_PATTERNS):
        try:
            if path not in places and (reason := special_reason(path)):
                raise InvalidInput(reason)
            value = yaml_text.read(input_file.read_file_text(path))
            if path not in places and _is_other(value):
                continue
            table = test_case.read_suite(value)
        except CortexError as error:
            yield path.as_posix(), [PolicyTestResult(name="the file", passed=False, problems=(str(error),))]
            continue
        own = AliasCatalog.from_rows(each.model_dump() for each in table.aliases)
        yield path.as_posix(), list(_run(table, path.parent, aliases.merge(own) if len(own) else aliases, only))


def _is_other(value: object) -> bool:
    """Return whether a YAML file of a folder is no table of cases: pipelines and workflows are YAML too."""
    return isinstance(value, Mapping) and nearest("cases", map(str, value)) is None


def _run(table: PolicyTestSuite, folder: Path, aliases: AliasCatalog, only: str) -> Iterator[PolicyTestResult]:
    folder_library = _CaseFolder(folder)
    for each in table.test_cases():
        if only.lower() in each.name.lower():
            begun = time.perf_counter()
            definitions = folder_library.library if each.initiative is not None or each.assignment is not None else None
            outcome = test_case.run_case(each, aliases=aliases, find=folder_library.find, definitions=definitions)
            yield outcome.model_copy(update={"seconds": round(time.perf_counter() - begun, 6)})


class _CaseFolder:
    """The policy files next to the cases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def library(self) -> Library:
        """Return a library of the folder and the catalog; read on first use."""
        return input_file.build_library(input_file.read_policy_files([self._folder]))

    def find(self, name: str) -> Mapping[str, Any]:
        """Return the file of a name, otherwise what has that name or id in the folder or the catalog; InvalidInput."""
        candidate = self._folder / name
        if candidate.is_file():
            return read_policies(input_file.read_file_text(candidate))[0].source
        entry = self.library.find(name, *DocumentShape)
        if entry is None:
            near = self.library.near(name, *DocumentShape)
            hint = f"; did you mean {near!r}?" if near else ""
            raise InvalidInput(
                f"'{name}' is neither a file nor a policy file or a policy of the catalog{hint}", path="name"
            )
        return entry.source


def _print(suites: list[FileResults], *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(
            [{"file": name, **each.model_dump(mode="json")} for name, found in suites for each in found]
        )
        return
    for name, outcomes in suites:
        for each in outcomes:
            if not each.passed:
                terminal.print_out("[bold red]✗[/] {}: [bold]{}[/]", name, each.name)
                for problem in each.problems:
                    terminal.print_out("    {}", problem, soft_wrap=True)
    if not suites:
        terminal.print_out(
            "[yellow]no cases found[/]: no YAML file here has a table of test cases; docs/test.md shows one"
        )
        return
    terminal.table("Test cases", ("file", "passed", "failed", "seconds"), map(_row, suites))
    total = sum(len(outcomes) for _, outcomes in suites)
    failed = sum(not each.passed for _, outcomes in suites for each in outcomes)
    verdict = ("failed", "bold red") if failed else ("passed", "green") if total else ("no cases found", "yellow")
    cases = terminal.count(total, "case")
    terminal.print_out("{} of {} passed: {}", total - failed, cases, terminal.style_by(*verdict))


def _row(suite: FileResults) -> tuple[str, Text, Text, str]:
    name, outcomes = suite
    failed = sum(not each.passed for each in outcomes)
    seconds = sum(each.seconds for each in outcomes)
    passed, missed = (
        terminal.style_by(len(outcomes) - failed, "green"),
        terminal.style_by(failed, "red" if failed else "green"),
    )
    return name, passed, missed, f"{seconds:.2f}"

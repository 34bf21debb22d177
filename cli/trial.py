"""`cortex policy test`: folders of YAML cases that say what policies must come to; watch them, report them."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import show, source, yaml_text
from shared.domain.error import CortexError, InvalidInput
from shared.domain.trial import Outcome, TrialTable
from shared.engine import AliasCatalog, load_definition
from shared.services import junit, trial
from shared.services.library import Library, Shape

FAILED = 1
PAUSE = 0.5
"""Seconds between two looks at the files."""
_CASES = ("*.yaml", "*.yml")
_WATCHED = (*_CASES, "*.json")
Suite = tuple[str, list[Outcome]]
Snapshot = dict[Path, tuple[int, int]]


def run_cases(
    places: Annotated[list[Path], typer.Argument(metavar="DIR|FILE…", exists=True, help="YAML cases, or folders")],
    aliases: source.Aliases = None,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="write a JUnit XML report there")] = None,
    only: Annotated[str, typer.Option("-k", help="only cases with this in their name")] = "",
    watch: Annotated[bool, typer.Option("--watch", help="run again when a file changes, until Ctrl-C")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Run cases: definition, resource and what must come of them. docs/test.md has the format.

    Exit code 1 when one fails.
    """
    known = source.facts(aliases).aliases

    def once() -> bool:
        suites = list(_suites(places, known, only))
        if junit_file is not None:
            junit_file.write_bytes(junit.write(suites))
        _print(suites, as_json=json)
        return all(each.passed for _, outcomes in suites for each in outcomes) and any(each for _, each in suites)

    if watch:
        keep_watching(places, once)
    raise typer.Exit(0 if once() else FAILED)


def keep_watching(
    places: list[Path], act: Callable[[], object], *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Act now and whenever a file has changed, until interrupted; the last act is left to the caller."""
    seen: Snapshot | None = None
    try:
        while True:
            now = snapshot(places)
            if now != seen:
                seen = now
                act()
            sleep(PAUSE)
    except KeyboardInterrupt:
        show.errors.print("ended")
        raise typer.Exit(0) from None


def snapshot(places: list[Path]) -> Snapshot:
    """The files that count with their time and size."""
    found: Snapshot = {}
    for path in _files(places, _WATCHED):
        try:
            told = path.stat()
        except FileNotFoundError:
            continue  # replaced while we look: the next look sees it
        found[path] = (told.st_mtime_ns, told.st_size)
    return found


def _files(places: list[Path], patterns: tuple[str, ...]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted({path for pattern in patterns for path in place.rglob(pattern)})
        else:
            yield place


def _suites(places: list[Path], aliases: AliasCatalog, only: str) -> Iterator[Suite]:
    for path in _files(places, _CASES):
        try:
            table = trial.read(yaml_text.read(source.text_of(path)))
        except CortexError as error:
            yield path.as_posix(), [Outcome(name="the file", passed=False, problems=(str(error),))]
            continue
        own = AliasCatalog.from_rows(each.model_dump() for each in table.aliases)
        yield path.as_posix(), list(_run(table, path.parent, aliases.merge(own) if len(own) else aliases, only))


def _run(table: TrialTable, folder: Path, aliases: AliasCatalog, only: str) -> Iterator[Outcome]:
    shelf = _Shelf(folder)
    for each in table.trials():
        if only.lower() in each.name.lower():
            begun = time.perf_counter()
            beside = shelf.library if each.initiative is not None or each.assignment is not None else None
            outcome = trial.run(each, aliases=aliases, find=shelf.find, beside=beside)
            yield outcome.model_copy(update={"seconds": round(time.perf_counter() - begun, 6)})


class _Shelf:
    """The policy files beside the cases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def library(self) -> Library:
        """What the folder holds, and the catalog; read on first use."""
        return source.library_of(source.documents([self._folder]))

    def find(self, name: str) -> Mapping[str, Any]:
        """The file of that name, else what has the name or id in the folder or the catalog; InvalidInput."""
        beside = self._folder / name
        if beside.is_file():
            return load_definition(source.text_of(beside))
        entry = self.library.find(name, *Shape)
        if entry is None:
            near = self.library.near(name, *Shape)
            hint = f"; did you mean {near!r}?" if near else ""
            raise InvalidInput(
                f"'{name}' is neither a file nor a policy file or a policy of the catalog{hint}", path="name"
            )
        return entry.source


def _print(suites: list[Suite], *, as_json: bool) -> None:
    if as_json:
        show.as_json([{"file": name, **each.model_dump(mode="json")} for name, found in suites for each in found])
        return
    for name, outcomes in suites:
        for each in outcomes:
            if not each.passed:
                show.console.print(f"[bold red]✗[/] {escape(name)}: [bold]{escape(each.name)}[/]", highlight=False)
                for problem in each.problems:
                    show.console.print(f"    {escape(problem)}", highlight=False, soft_wrap=True)
    show.table("Cases", ("file", "passed", "failed", "seconds"), map(_row, suites))
    total = sum(len(outcomes) for _, outcomes in suites)
    failed = sum(not each.passed for _, outcomes in suites for each in outcomes)
    verdict = "[bold red]failed[/]" if failed else "[green]passed[/]" if total else "[yellow]no cases found[/]"
    show.console.print(f"{total - failed} of {total} cases passed: {verdict}", highlight=False)


def _row(suite: Suite) -> tuple[str, str, str, str]:
    name, outcomes = suite
    failed = sum(not each.passed for each in outcomes)
    colour = "red" if failed else "green"
    seconds = sum(each.seconds for each in outcomes)
    return escape(name), f"[green]{len(outcomes) - failed}[/]", f"[{colour}]{failed}[/]", f"{seconds:.2f}"

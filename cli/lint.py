"""`cortex policy lint` and `rules`: check definitions, initiatives and assignments against the lint rules."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli import input_file, terminal
from shared.authoring import lint as linter
from shared.authoring import sarif as sarif_log
from shared.authoring.source_location import SourceLocations
from shared.domain.lint import LintLevel, LintResult

EXIT_FAILED = 1
_STYLE = {LintLevel.ERROR: "bold red", LintLevel.WARNING: "yellow", LintLevel.NOTE: "cyan"}
_ORDER = tuple(LintLevel)
LintedFile = tuple[str, str, tuple[LintResult, ...]]


def lint(
    places: Annotated[list[Path], typer.Argument(metavar="FILE|DIR…", exists=True, help="policy files, or folders")],
    aliases: input_file.Aliases = None,
    fail_on: Annotated[
        LintLevel, typer.Option(help="exit with 1 when a result has this level or a worse one")
    ] = LintLevel.ERROR,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="leave out the notes")] = False,
    ignore: Annotated[list[str] | None, typer.Option(help="id of a rule to leave out; repeat for more")] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="print a SARIF 2.1.0 log, for code hosts")] = False,
) -> None:
    """Check definitions, initiatives and assignments against the lint rules, which docs/lint.md explains.

    Exit code 1 when a result has the level of --fail-on or a worse one.
    """
    known = input_file.load_facts(aliases)
    left_out = frozenset(ignore or ())
    files = list(input_file.read_policy_files(places))
    library = input_file.build_library(files)
    found: list[LintedFile] = []
    for file in files:
        around = library.seen_from(str(file.path.parent))
        results = (
            (linter.unreadable(file.problem),) if file.problem else linter.lint_policies(file.policies, known, around)
        )
        kept = tuple(
            each for each in results if each.rule not in left_out and not (quiet and each.level is LintLevel.NOTE)
        )
        found += _by_file(file, kept)
    _print(found, as_json=json, as_sarif=sarif)
    worst = any(_ORDER.index(each.level) <= _ORDER.index(fail_on) for _, _, results in found for each in results)
    raise typer.Exit(EXIT_FAILED if worst else 0)


def _by_file(file: input_file.PolicyFile, results: tuple[LintResult, ...]) -> Iterator[LintedFile]:
    """Yield the results of a file, and apart from them those on parameters that are a file of their own."""
    others = results
    if file.parameters:
        own = tuple(each for each in results if each.path.startswith(input_file.PARAMETERS_PATH))
        others = tuple(each for each in results if each not in own)
        moved = (
            each.model_copy(update={"path": each.path.replace(input_file.PARAMETERS_PATH, "$", 1)}) for each in own
        )
        yield file.parameters.path.as_posix(), file.parameters.text, tuple(moved)
    yield file.path.as_posix(), file.text, others


def _print(found: list[LintedFile], *, as_json: bool, as_sarif: bool) -> None:
    if as_sarif:
        terminal.print_json(sarif_log.sarif_log(found))
    elif as_json:
        terminal.print_json(
            [{"file": name, **each} for name, text, results in found for each in _located(text, results)]
        )
    else:
        for name, text, results in found:
            _print_results(name, text, results)
        numbers = Counter(each.level.value for _, _, results in found for each in results)
        by_level = (terminal.count(numbers[each], each) for each in LintLevel if numbers[each])
        terminal.print_out("{}: {}", terminal.count(len(found), "file"), ", ".join(by_level) or "no problems found")


def _located(text: str, results: tuple[LintResult, ...]) -> list[dict[str, object]]:
    places = SourceLocations(text)
    return [{"line": places.find(each.path).line, **each.model_dump(mode="json")} for each in results]


def _print_results(name: str, text: str, results: tuple[LintResult, ...]) -> None:
    places = SourceLocations(text)
    for each in results:
        where = places.find(each.path)
        level = terminal.style_by(each.level, _STYLE[each.level])
        hint = terminal.styled(" [dim]→ {}[/]", each.suggestion) if each.suggestion else ""
        place = f"{name}:{where.line}:{where.column}"
        terminal.print_out("{}: {} {}{} [dim]\\[{}][/]", place, level, each.message, hint, each.rule, soft_wrap=True)


def rules() -> None:
    """Print docs/lint.md: every lint rule, what it finds and what to do about it."""
    sys.stdout.write(guide())


def guide() -> str:
    """Return the text of docs/lint.md, which a test compares with the rules."""
    parts = [_GUIDE_HEAD]
    for title, group in linter.RULE_GROUPS.items():
        rows = (f"| `{each.id}` | {each.level} | {_cell(each.summary)} | {_cell(each.help)} |\n" for each in group)
        parts.append(f"\n## {title}\n\n| rule | level | finds | what to do |\n|---|---|---|---|\n{''.join(rows)}")
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_GUIDE_HEAD = """# Lint rules

`cortex policy lint FILE|DIR…` checks definitions, initiatives and assignments, which it recognizes by their shape. It
prints one line for each result; `--json` prints a list, `--sarif` a SARIF 2.1.0 log. The exit code is 1 when a result
is at least as severe as `--fail-on` says: error (the default), warning or note. `--ignore RULE` skips a rule, `--quiet`
hides the notes, `--aliases FILE` adds the aliases of a tenant.

An *error* means that Azure refuses the policy, or that the policy cannot do what it says; a *warning*, that it probably
does not mean what it says; a *note*, that it could be said better. What the language does not allow at all is the error
`definition-invalid`, with its place and what was probably meant. The error `file-unreadable` is a file that cannot be
opened, has more than 64 MB or is not text in UTF-8, UTF-16 or UTF-32, a folder without a policy, or a named pipe, a
socket or a device in a folder, which is not opened; in a folder, a `.json` file that is not JSON is an error too. One
bad file does not keep the others from being checked.

A file (`.json`, `.jsonc`) holds one policy, a list of them as `az policy definition list` prints it, a page of the API,
the members of an initiative, an ARM template that deploys policies, or a tree of assignments of Enterprise Policy as
Code. A rule (`rules.json`, `NAME.rules.json`) is read with the `parameters.json` next to it; in a folder, it is left to
the whole policy where that is there (`NAME.json`).

A template is read as it deploys to the public cloud, with the defaults of its parameters. A policy of a template that
depends on what only a deployment knows is the note `template-open`, one that cannot be evaluated an error; the others
of the template are checked all the same. A file whose expressions are all escaped with `[[`, as a template needs them,
is read as it is once it is deployed, and the note `expressions-escaped` says so.

What initiatives and assignments refer to is looked up among the files that are linted together and in the catalog: by
id, else by name at any scope; of several with one name, that in the folder most like their own counts. The rules under
*References* and *Arguments* apply to both; those under *Metadata*, and
those on declarations under *Parameters*, apply to initiatives as they do to definitions.

This page is written by `cortex policy rules > docs/lint.md`; a test compares it with the rules.
"""

"""`cortex policy lint`: what is wrong, doubtful or could be said better in definitions, initiatives, assignments."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import show, source
from shared.domain.lint import Level, Remark
from shared.services import lint as linter
from shared.services import sarif as sarif_log
from shared.services.location import Locations

FAILED = 1
_STYLE = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTE: "cyan"}
_ORDER = tuple(Level)
Linted = tuple[str, str, tuple[Remark, ...]]


def lint(
    places: Annotated[list[Path], typer.Argument(metavar="FILE|DIR…", exists=True, help="policy files, or folders")],
    aliases: source.Aliases = None,
    fail_on: Annotated[Level, typer.Option(help="exit with 1 when something is this bad or worse")] = Level.ERROR,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="leave the notes out")] = False,
    ignore: Annotated[list[str] | None, typer.Option(help="a rule to leave out; repeat for more")] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="print a SARIF 2.1.0 log, for code hosts")] = False,
) -> None:
    """Look definitions, initiatives and assignments over. The rules are explained in docs/lint.md.

    Exit code 1 when something is as bad as --fail-on says.
    """
    known = source.facts(aliases)
    left_out = frozenset(ignore or ())
    files = list(source.documents(places))
    library = source.library_of(files)
    found: list[Linted] = []
    for path, text in files:
        remarks = linter.lint_text(text, known, library)
        kept = tuple(each for each in remarks if each.rule not in left_out and not (quiet and each.level is Level.NOTE))
        found.append((path.as_posix(), text, kept))
    _print(found, as_json=json, as_sarif=sarif)
    worst = any(_ORDER.index(each.level) <= _ORDER.index(fail_on) for _, _, remarks in found for each in remarks)
    raise typer.Exit(FAILED if worst else 0)


def _print(found: list[Linted], *, as_json: bool, as_sarif: bool) -> None:
    if as_sarif:
        show.as_json(sarif_log.log(found))
    elif as_json:
        show.as_json([{"file": name, **remark} for name, text, remarks in found for remark in _placed(text, remarks)])
    else:
        for name, text, remarks in found:
            _tell(name, text, remarks)
        numbers = Counter(each.level.value for _, _, remarks in found for each in remarks)
        show.console.print(f"{len(found)} files: {show.counts({each: numbers[each] for each in Level})}")


def _placed(text: str, remarks: tuple[Remark, ...]) -> list[dict[str, object]]:
    places = Locations(text)
    return [{"line": places.find(each.path).line, **each.model_dump(mode="json")} for each in remarks]


def _tell(name: str, text: str, remarks: tuple[Remark, ...]) -> None:
    places = Locations(text)
    for each in remarks:
        where = places.find(each.path)
        hint = f" [dim]→ {escape(each.suggestion)}[/]" if each.suggestion else ""
        show.console.print(
            f"{escape(name)}:{where.line}:{where.column}: [{_STYLE[each.level]}]{each.level}[/] {escape(each.message)}"
            f"{hint} [dim]\\[{each.rule}][/]",
            highlight=False,
            soft_wrap=True,
        )


def rules() -> None:
    """Print every lint rule with what it finds and what to do, as docs/lint.md has it."""
    sys.stdout.write(guide())


def guide() -> str:
    """The text of docs/lint.md, which a test compares with the rules."""
    parts = [_HEAD]
    for title, chapter in linter.CHAPTERS.items():
        rows = (f"| `{each.id}` | {each.level} | {_cell(each.says)} | {_cell(each.mend)} |\n" for each in chapter)
        parts.append(f"\n## {title}\n\n| rule | level | finds | what to do |\n|---|---|---|---|\n{''.join(rows)}")
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_HEAD = """# Lint rules

`cortex policy lint FILE|DIR…` looks definitions, initiatives and assignments over, told apart by their shape. It
prints one line for each remark, `--json` a list, `--sarif` a SARIF 2.1.0 log. The exit code is 1 when something is as
bad as `--fail-on` says: error, warning or note; error unless told otherwise. `--ignore RULE` leaves a rule out,
`--quiet` the notes. `--aliases FILE` adds the aliases of a tenant.

An *error* means that Azure refuses the policy, or that it cannot do what it says; a *warning* that it probably does
not mean what it says; a *note* that it could be said better. What the language does not allow at all is the error
`definition-invalid`, with the place and what was probably meant.

What initiatives and assignments refer to is looked for among the files that are linted together and in the catalog:
by id, else by name at any scope. The chapters *References* and *Arguments* are about both; *Words*, and the
declarations under *Parameters*, apply to initiatives as they do to definitions.

This page is written by `cortex policy rules > docs/lint.md`; a test compares it with the rules.
"""

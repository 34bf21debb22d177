"""`cortex policy fmt`: definitions, initiatives and assignments in their canonical layout."""

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import show, source
from shared.domain.error import CortexError
from shared.services import layout

CHANGED = 1
BROKEN = 2


def fmt(
    places: Annotated[list[Path], typer.Argument(metavar="FILE|DIR…", help="policy files, or folders; - for stdin")],
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit with 1 where something would")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="print what would change, and write nothing")] = False,
) -> None:
    """Give policy files the documented key order and spelling and two spaces, without changing what they mean.

    Exit code 2 when a file is no definition, initiative or assignment; it is left as it is.
    """
    if places == [Path("-")]:
        sys.stdout.write(layout.arrange_text(sys.stdin.buffer.read()))
        return
    changed = broken = 0
    files = list(source.documents(places))
    for path, text in files:
        try:
            arranged = layout.arrange_text(text)
        except CortexError as error:
            show.errors.print(f"[bold red]✗[/] {escape(f'{path}: {error}')}", highlight=False, soft_wrap=True)
            broken += 1
            continue
        if arranged.encode() != path.read_bytes():
            changed += 1
            _change(path, text, arranged, check=check, diff=diff)
    done = "to change" if check or diff else "changed"
    show.errors.print(f"{len(files)} files: {changed} {done}, {broken} broken", highlight=False)
    raise typer.Exit(BROKEN if broken else CHANGED if changed and check else 0)


def _change(path: Path, text: str, arranged: str, *, check: bool, diff: bool) -> None:
    if diff:
        lines = text.splitlines(keepends=True), arranged.splitlines(keepends=True)
        sys.stdout.writelines(difflib.unified_diff(*lines, f"{path}", f"{path} (arranged)"))
        return
    print(path)  # noqa: T201 - the output itself
    if not check:
        _write(path, arranged)


def _write(path: Path, text: str) -> None:
    """Write beside and move there, so that nobody ever sees half a file; the permissions stay."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(text.encode())
    beside.chmod(path.stat().st_mode)
    beside.replace(path)

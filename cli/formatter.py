"""`cortex policy fmt`: definitions, initiatives and assignments in their canonical format."""

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import input_file, terminal
from shared.authoring import formatter
from shared.domain.error import CortexError

EXIT_CHANGED = 1
EXIT_BROKEN = 2


def fmt(
    places: Annotated[list[Path], typer.Argument(metavar="FILE|DIR…", help="policy files or folders; - for stdin")],
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit with 1 when a file would change")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="print what would change; write nothing")] = False,
) -> None:
    """Format policy files: documented key order and spelling, two spaces, UTF-8; their meaning stays the same.

    Exit code 2 when a file cannot be read or is not a definition, initiative or assignment; it is left as it is, and
    the others are formatted all the same.
    """
    if places == [Path("-")]:
        sys.stdout.write(formatter.format_text(input_file.read_text(sys.stdin.buffer, "standard input")))
        return
    changed = broken = 0
    files = list(input_file.read_policy_files(places))
    for file in files:
        try:
            changed += _format_file(file, check=check, diff=diff)
        except (CortexError, OSError) as error:
            terminal.print_err("[bold red]✗[/] {}: {}", file.path, error)
            broken += 1
    verb = "would change" if check or diff else "changed"
    failed = f", {broken} could not be formatted" if broken else ""
    terminal.print_err("{} of {} {}{}", changed, terminal.count(len(files), "file"), verb, failed)
    raise typer.Exit(EXIT_BROKEN if broken else EXIT_CHANGED if changed and check else 0)


def _format_file(file: input_file.PolicyFile, *, check: bool, diff: bool) -> bool:
    """Format a file, in UTF-8, and return whether that changes it."""
    if file.problem:
        raise file.problem
    formatted = formatter.format_text(file.text)
    # Bytes, not text: a byte order mark or another encoding is a change too.
    if formatted.encode() == file.path.read_bytes():
        return False
    _report_change(file.path, file.text, formatted, check=check, diff=diff)
    return True


def _report_change(path: Path, text: str, formatted: str, *, check: bool, diff: bool) -> None:
    if diff:
        lines = text.split("\n"), formatted.split("\n")
        for line in difflib.unified_diff(*lines, f"{path}", f"{path} (formatted)", lineterm=""):
            terminal.print_out("{}", line, soft_wrap=True)
        return
    terminal.print_out("{}", path, soft_wrap=True)
    if not check:
        _write(path, formatted)


def _write(path: Path, text: str) -> None:
    """Write a temporary file and rename it, so that a reader never sees a part; the permissions stay."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(text.encode())
    temporary.chmod(path.stat().st_mode)
    temporary.replace(path)

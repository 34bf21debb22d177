"""How things look in the terminal: tables, colours, progress; plain JSON when asked."""

import json
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

console = Console()
errors = Console(stderr=True)

SEVERITY = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
STATE = {
    "compliant": "green",
    "nonCompliant": "red",
    "unknown": "yellow",
    "exempt": "blue",
    "error": "magenta",
    "notApplicable": "dim",
}


def as_json(value: object) -> None:
    """Print JSON for other programs: no colours, no wrapping."""
    print(json.dumps(value, indent=2))  # noqa: T201 - the output itself


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; cells may have markup, and lines of their own. The last column takes what is left."""
    drawn = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    *fixed, last = columns
    for column in fixed:
        drawn.add_column(column, no_wrap=True)
    drawn.add_column(last, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)


def severity(text: str) -> str:
    """A severity in its colour."""
    return f"[{SEVERITY[text]}]{text}[/]" if text in SEVERITY else escape(text)


def state(text: str) -> str:
    """A state in its colour."""
    return f"[{STATE[text]}]{text}[/]" if text in STATE else escape(text)


def short(resource_id: str) -> str:
    """The telling end of an ARM id."""
    parts = resource_id.split("/")
    return escape("/".join(parts[-3:]) if len(parts) > 4 else resource_id)  # noqa: PLR2004 - beyond a subscription


def name(resource_id: str) -> str:
    """The last part of an ARM id."""
    return escape(resource_id.rpartition("/")[2])


def value(observed: object) -> str:
    """An observed or expected value on one line."""
    text = json.dumps(observed)
    return escape(text if len(text) <= 80 else f"{text[:77]}…")  # noqa: PLR2004 - a line's half


def progress() -> Progress:
    """A progress bar on the error stream, so that the output can be piped."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )


def counts(by_name: Mapping[str, int]) -> str:
    """Several numbers on one line, without the zeros."""
    return ", ".join(f"{number} {each}" for each, number in by_name.items() if number) or "none"

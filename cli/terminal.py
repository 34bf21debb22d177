"""Output in the terminal: tables, colours, progress; plain JSON when asked.

Text from elsewhere, such as the name of a resource, cannot steer the terminal: plain text is never markup. Markup is
only in the templates of `styled`, `print_out` and `print_err`, which are literals; every value is made printable.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, override

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.text import Text

from cli.response import Gap
from shared.domain.printable import printable, printable_json

SEVERITY_STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
STATE_STYLES = {
    "compliant": "green",
    "nonCompliant": "red",
    "unknown": "yellow",
    "exempt": "blue",
    "error": "magenta",
    "notApplicable": "dim",
}
_PLACEHOLDER = "\ufffc"
"""Stands for a value while a template is parsed."""
_TABLE_COLUMNS = 80
CELL_GAP = 2
"""Spaces between the cells of a table."""
_ENDLESS_COLUMNS = 100_000
"""The width of what is no terminal: other programs read lines, and a folded one is two."""


class Terminal(Console):
    """A console that prints plain text verbatim, and no control characters but its own."""

    @override
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False, "highlight": False})

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        # Every renderable ends here, tables and panels too; rich's own control codes are marked as such.
        for each in super().render(renderable, options):
            safe = each.text if each.control else printable(each.text, lines=True)
            yield each if safe == each.text else Segment(safe, each.style)


def _width() -> int | None:
    """Return the width where the terminal does not say it; None where it does, or COLUMNS."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _ENDLESS_COLUMNS


console = Terminal(width=_width())
errors = Terminal(stderr=True)


def styled(template: str, *values: object) -> Text:
    """Fill a template in rich's markup: each `{}` takes a value, a text verbatim on one line or a `Text` as it is."""
    given = iter(values)
    made = Text()
    for piece in _template_pieces(template):
        if piece.plain == _PLACEHOLDER:
            value = next(given)
            filled = value.copy() if isinstance(value, Text) else Text(printable(str(value)))
            # The template's styles go under those of the value, which may have its own.
            for span in reversed(piece.spans):
                filled.stylize_before(span.style)
            made.append_text(filled)
        else:
            made.append_text(piece)
    assert next(given, None) is None, "a value for each {}"
    return made


# Cached without a limit: templates are literals, so there are as many as the code has.
@cache
def _template_pieces(template: str) -> tuple[Text, ...]:
    parsed = Text.from_markup(template.replace("{}", _PLACEHOLDER), emoji=False)
    holes = [at for at, letter in enumerate(parsed.plain) if letter == _PLACEHOLDER]
    return tuple(parsed.divide([edge for at in holes for edge in (at, at + 1)]))


def print_out(template: str, *values: object, indent: int = 0, soft_wrap: bool = False) -> None:
    """Print a line of output; with `indent`, the lines of a long one are all indented."""
    line = styled(template, *values)
    console.print(Padding(line, (0, 0, 0, indent), expand=False) if indent else line, soft_wrap=soft_wrap)


def print_err(template: str, *values: object) -> None:
    """Print a line on the error stream, which keeps the output clean for pipes."""
    errors.print(styled(template, *values), soft_wrap=True)


def print_left_out(reason: object) -> None:
    """Print on the error stream what could not be used, and why."""
    print_err("[yellow]left out:[/] {}", reason)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print JSON for other programs: no colours, no wrapping."""
    print(printable_json(json.dumps(value, indent=indent)))  # noqa: T201 - the output itself


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str | Text]]) -> None:
    """Print a table; a cell is plain text or a `Text`.

    Where it is wider than the terminal, each row is printed on as many lines as it needs, cell after cell.
    """
    head = [Text(each, "bold") for each in columns]
    cells = [[_cell(each) for each in row] for row in rows]
    widths = [max(each.cell_len for each in column) for column in zip(head, *cells, strict=True)]
    fits = sum(widths) + CELL_GAP * (len(widths) - 1) <= console.width
    console.print(title, soft_wrap=True)
    for row in (head, *cells) if cells else ():
        for line in [_aligned(row, widths)] if fits else _stacked(row):
            console.print(line, soft_wrap=fits)


def _cell(value: str | Text) -> Text:
    return value if isinstance(value, Text) else Text(printable(value))


def _aligned(row: Iterable[Text], widths: Iterable[int]) -> Text:
    line = Text()
    for cell, width in zip(row, widths, strict=True):
        line.append_text(cell).append(" " * (width - cell.cell_len + CELL_GAP))
    line.rstrip()
    return line


def _stacked(row: Iterable[Text]) -> Iterator[Text]:
    """Yield the lines of a row whose cells do not fit on one, those after the first with an indent."""
    line = Text()
    for cell in (
        part for each in row if each for part in each.wrap(console, console.width - CELL_GAP, overflow="fold")
    ):
        if line and line.cell_len + CELL_GAP + cell.cell_len > console.width:
            yield line
            line = Text(" " * CELL_GAP)
        elif line:
            line.append(" " * CELL_GAP)
        line.append_text(cell)
    yield line


def style_by(text: object, style: str) -> Text:
    """Return a value in a style."""
    return Text(printable(str(text)), style)


def severity(text: str) -> Text:
    """Return a severity in its colour."""
    return style_by(text, SEVERITY_STYLES.get(text, ""))


def state(text: str) -> Text:
    """Return a state in its colour."""
    return style_by(text, STATE_STYLES.get(text, ""))


def shorten_id(resource_id: str) -> str:
    """Return the last segments of an ARM id: type and name."""
    parts = resource_id.split("/")
    return "/".join(parts[-3:]) if len(parts) > 4 else resource_id  # noqa: PLR2004 - beyond a subscription


def name(resource_id: str) -> str:
    """Return the last part of an ARM id."""
    return resource_id.rpartition("/")[2]


def format_value(observed: object) -> str:
    """Return an observed or expected value on one line."""
    return cut(compact(observed))


def cut(text: str) -> str:
    """Return a text of at most 80 characters; one that is cut ends with `…`."""
    return text if len(text) <= _TABLE_COLUMNS else f"{text[: _TABLE_COLUMNS - 3]}…"


def compact(value: object) -> str:
    """Return a value as JSON on one line, with letters of all alphabets."""
    return json.dumps(value, ensure_ascii=False)


def format_time(text: str) -> str:
    """Return a time of the API to the minute, in UTC; any other text as it is."""
    try:
        moment = datetime.fromisoformat(text) if text[:2].isdigit() and "T" in text else None
    except ValueError:
        return text
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment and moment.tzinfo else text


def format_unread(gap: Gap) -> None:
    """Print what could not be read, why, and which role would allow it."""
    why = f"{gap['reason']}: {gap['message']}" if gap.get("message") else gap["reason"]
    role = f" (the role {gap['role']} would allow it)" if gap.get("role") else ""
    print_out("[yellow]not read:[/] {} in {}: {}{}", gap["part"], shorten_id(gap["scope"]), why, role, indent=2)


def format_age(moment: str | None, now: datetime) -> str:
    """Return a moment and how long ago it was; `never` without one."""
    if moment is None:
        return "never"
    try:
        minutes = int((now - datetime.fromisoformat(moment)).total_seconds() // 60)
    except (ValueError, TypeError):
        return moment
    spans = (("day", minutes // 1440), ("hour", minutes // 60), ("minute", minutes))
    ago = next((f"{count(number, unit)} ago" for unit, number in spans if number > 0), "just now")
    return f"{moment[:16].replace('T', ' ')} UTC, {ago}"


def progress() -> Progress:
    """Return a progress bar on the error stream, so that the output can be piped."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )


def format_counts(by_name: Mapping[str, int], *, empty: str = "none") -> str:
    """Return several numbers on one line, without the zeros; `empty` when all are zero."""
    return ", ".join(f"{number} {each}" for each, number in by_name.items() if number) or empty


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: 1 file, 2 files."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"

"""Lists of every noun: the same options, one table, CSV, and JSON."""

import csv as csv_format
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import typer
from rich.text import Text

from cli import terminal
from cli.client import LARGE_RESPONSE_BYTES, Client, QueryParameters
from cli.response import Page
from shared.domain.printable import printable

LIMIT = 50
PAGE_ITEMS = 200
Item = Mapping[str, Any]
Table = tuple[Sequence[str], Iterable[Iterable[str | Text]]]
"""The columns and the rows of a table."""

LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="how many to list")]
AllOption = Annotated[bool, typer.Option("--all", "-a", help="list all, however many there are")]
ColumnsOption = Annotated[
    str | None, typer.Option("--columns", metavar="NAME,…", help="members to print, by their names in the JSON")
]
CsvOption = Annotated[bool, typer.Option("--csv", help="print CSV")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The options that all lists have."""

    limit: int
    all_: bool
    columns: str | None
    csv: bool
    json: bool

    @property
    def most(self) -> int | None:
        """Return how many to list; None for all."""
        return None if self.all_ else self.limit


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the API: its path, what one item and several are called, and the members that its table shows.

    `shape` has the members that every item must have.
    """

    path: str
    noun: str
    plural: str
    columns: Sequence[str]
    shape: Any = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """What was listed, of how many that match."""

    items: Sequence[Item]
    total: int

    def title(self, listing: Listing) -> str:
        """Return how many there are, and how many of them are listed."""
        noun = listing.noun if self.total == 1 else listing.plural
        cut = f"{len(self.items):,} of " if len(self.items) < self.total else ""
        return f"{cut}{self.total:,} {noun}"


def only_option(what: str, values: type[StrEnum]) -> Any:  # noqa: ANN401 - typer's own type of it
    """Return the option that lists only what has one of some values."""
    return typer.Option(metavar="NAME", help=f"only with this {what}: {', '.join(values)}")


def read(api: Client, listing: Listing, query: QueryParameters, most: int | None) -> Listed:
    """Read a list, at most so many items, and how many there are."""
    size = PAGE_ITEMS if most is None else min(most, PAGE_ITEMS)
    asked = {**query, "limit": size}
    page: type[Page[Item]] = Page[listing.shape]  # type: ignore[name-defined]
    first = api.get(listing.path, page, most=LARGE_RESPONSE_BYTES, query={**asked, "total": "true"})
    items = first["items"][:most]
    if first["nextCursor"] and (most is None or len(items) < most):
        rest = api.pages(listing.path, listing.shape, {**asked, "cursor": first["nextCursor"]})
        items += islice(rest, None if most is None else most - len(items))
    return Listed(items, first.get("total") or len(items))


def print_list(listing: Listing, query: QueryParameters, options: ListOptions) -> None:
    """Read a list and print it."""
    with Client() as api:
        listed = read(api, listing, query, options.most)
    write(listing, listed, options)


def write(
    listing: Listing, listed: Listed, options: ListOptions, *, note: str = "", rows: Callable[[], Table] | None = None
) -> None:
    """Print what was listed as asked: a table, CSV or JSON. A list that is cut is marked as cut.

    `note` goes behind the title of the table, `rows` makes the table where its columns are not members of the items.
    """
    names = _columns(options.columns, listed.items)
    if options.json:
        items = listed.items if names is None else [{name: each.get(name) for name in names} for each in listed.items]
        terminal.print_json(items)
    elif options.csv:
        _write_csv(names or _all_members(listed.items) or listing.columns, listed.items)
    else:
        shown = names or listing.columns
        head, cells = rows() if rows and names is None else (shown, table_rows(shown, listed.items))
        terminal.table(listed.title(listing) + note, head, cells)
    if len(listed.items) < listed.total and (options.json or options.csv or terminal.console.is_terminal):
        terminal.print_err("[dim]{}; --limit or --all lists more[/]", listed.title(listing))


def table_rows(names: Sequence[str], items: Iterable[Item]) -> Iterator[list[Text]]:
    """Yield the cells of items by the names of members."""
    for each in items:
        yield [cell(name, each.get(name)) for name in names]


def cell(name: str, value: object) -> Text:
    """Return a member as a cell: severities and states in their colours, times to the minute, short ids."""
    if name in ("severity", "state"):
        return (terminal.severity if name == "severity" else terminal.state)(str(value or ""))
    text = terminal.format_time(plain(value))
    # Other programs get what there is; people get what fits.
    if terminal.console.is_terminal:
        text = terminal.shorten_id(text) if name in ("resourceId", "scope") else terminal.cut(text)
    return Text(printable(text))


def plain(value: object) -> str:
    """Return a value of JSON on one line: text without quotes, nothing for null and what is empty."""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return terminal.compact(value)


def _columns(asked: str | None, items: Sequence[Item]) -> list[str] | None:
    """Return the members that were asked for; BadParameter for one that no item has, with the nearest."""
    if asked is None:
        return None
    names = [each.strip() for each in asked.split(",") if each.strip()]
    known = _all_members(items)
    for name in names:
        if known and name not in known:
            near = get_close_matches(name[:100], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise typer.BadParameter(f"there is no column '{name}'; {hint}", param_hint="--columns")
    return names


def _all_members(items: Iterable[Item]) -> list[str]:
    return list(dict.fromkeys(name for each in items for name in each))


def _write_csv(names: Sequence[str], items: Iterable[Item]) -> None:
    written = csv_format.writer(sys.stdout, lineterminator="\n")
    written.writerow(map(printable, names))
    for each in items:
        written.writerow(printable(plain(each.get(name))) for name in names)

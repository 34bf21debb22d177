"""One thing with all its members, for people: names, values, and what lies inside, indented."""

from collections.abc import Mapping, Sequence
from typing import Any

from cli import terminal
from cli.client import LARGE_RESPONSE_BYTES, Client, QueryParameters
from cli.listing import plain

LIST_ITEMS = 20
"""Items of a list inside of a thing that are printed."""


def print_thing(
    path: str, *, json: bool, without: frozenset[str] = frozenset(), query: QueryParameters | None = None
) -> None:
    """Read a thing of the API and print it; `without` names members that only `--json` prints."""
    with Client() as api:
        found = api.get(path, dict[str, Any], most=LARGE_RESPONSE_BYTES, query=query or {})
    if json:
        terminal.print_json(found)
    else:
        print_members({name: value for name, value in found.items() if name not in without})


def print_members(thing: Mapping[str, Any], indent: int = 0) -> None:
    """Print the members of a thing, one a line, and those of the things in it below them."""
    for name, value in thing.items():
        if isinstance(value, Mapping) and value:
            terminal.print_out("[bold]{}:[/]", name, indent=indent)
            print_members(value, indent + 2)
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            _print_things(name, value, indent)
        else:
            terminal.print_out("[bold]{}:[/] {}", name, plain(value) or "-", indent=indent)


def _print_things(name: str, things: Sequence[object], indent: int) -> None:
    terminal.print_out("[bold]{}:[/] {}", name, terminal.count(len(things), "item"), indent=indent)
    for number, each in enumerate(things[:LIST_ITEMS], 1):
        if isinstance(each, Mapping):
            print_members({str(number): each}, indent + 2)
        else:
            terminal.print_out("{}: {}", number, plain(each), indent=indent + 2)
    if len(things) > LIST_ITEMS:
        more = terminal.count(len(things) - LIST_ITEMS, "more item")
        terminal.print_out("[dim]and {}; --json has all[/]", more, indent=indent + 2)

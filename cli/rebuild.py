"""`cortex rebuild`: rebuild all documents from the events, or compare them with the events."""

from typing import Annotated

import typer

from cli import terminal
from cli.client import Client
from cli.exit_code import VIOLATION
from cli.job import wait_for_job
from cli.response import Rebuild


def rebuild(
    check: Annotated[bool, typer.Option("--check", help="compare only; change nothing")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Rebuild all documents from the events, while reads and scans go on.

    Needs an admin token: CORTEX_TOKEN=$(cortex token --role admin). Exit code 3 when documents differ from the
    events, or events could not be projected.
    """
    with Client() as api:
        api.post("/rebuilds", Rebuild, {"check": check})
        ended = wait_for_job(lambda: api.get("/rebuilds/latest", Rebuild), _progress)
    if json:
        terminal.print_json(ended)
    else:
        _print_rebuild(ended)
    raise typer.Exit(VIOLATION if ended["different"] or ended["gapCount"] else 0)


def _progress(now: Rebuild) -> tuple[str, int, int | None]:
    if now["stopped"]:
        first = now["stopped"][0]
        unknown = f"{first['stream']} holds {first['type']} version {first['version']}"
        return f"waiting for a version of the app that knows this event: {unknown}", 0, None
    phase = "catching up" if now["phase"] == "catchingUp" else now["phase"]
    return phase, now["events"] + now["compared"], None


def _print_rebuild(ended: Rebuild) -> None:
    streams, events = terminal.count(ended["streams"], "stream"), terminal.count(ended["events"], "event")
    if ended["check"]:
        compared = terminal.count(ended["compared"], "document")
        terminal.print_out("Compared {} with {} of {}", compared, events, streams)
        different = sum(ended["different"].values())
        if different:
            terminal.print_out(
                "[bold red]{}[/] from the events", terminal.count(different, "document differs", "documents differ")
            )
        else:
            terminal.print_out("[green]No document differs[/] from the events")
    else:
        terminal.print_out("Rebuilt all documents from {} of {}", events, streams)
    for each in ended["firstDifferent"][:10]:
        terminal.print_out("[yellow]differs:[/] {}", each, indent=2)
    for each in ended["gaps"][:10]:
        terminal.print_out("[yellow]cannot be projected:[/] event {}", each, indent=2)

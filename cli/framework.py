"""`cortex framework`: how the controls of standards and laws stand."""

from collections.abc import Iterable
from typing import Annotated

import typer

from cli import detail, listing
from cli.client import Client, address
from cli.listing import Listing, ListOptions, Table
from cli.response import FrameworkSummary
from shared.domain.framework import ControlKind, ControlState

FRAMEWORKS = Listing("/frameworks", "framework", "frameworks", ("id",), FrameworkSummary)
COLUMNS = ("framework", "met", "not met", "unknown", "exempt", "not assessable here", "controls", "score", "weighted")

app = typer.Typer(help="list, show, controls: how standards and laws are met", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="id of a framework", metavar="ID")]
ControlStateOption = Annotated[list[ControlState] | None, listing.only_option("state", ControlState)]
ControlKindOption = Annotated[list[ControlKind] | None, listing.only_option("kind", ControlKind)]
BaselineOption = Annotated[str | None, typer.Option(help="only the controls of this baseline: low, moderate or high")]


@app.command("list")
def list_frameworks(
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List the frameworks: how many of their controls are met, and how many nothing here can show."""
    options = ListOptions(limit, all_, columns, csv, json)
    with Client() as api:
        listed = listing.read(api, FRAMEWORKS, {}, options.most)
    listing.write(FRAMEWORKS, listed, options, rows=lambda: table(listed.items))  # type: ignore[arg-type] # of its shape


@app.command("show")
def show_framework(name: Name, baseline: BaselineOption = None, json: listing.JsonOption = False) -> None:
    """Show a framework, or one of its baselines: its controls by state and by how they are shown."""
    detail.print_thing(address("frameworks", name), json=json, query={"baseline": baseline})


@app.command("controls")
def list_controls(
    name: Name,
    state: ControlStateOption = None,
    kind: ControlKindOption = None,
    family: Annotated[str | None, typer.Option(help="only of this family, by its whole name")] = None,
    baseline: BaselineOption = None,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List the controls of a framework in its order: how each stands, how it is shown, and why."""
    controls = Listing(
        f"{address('frameworks', name)}/controls",
        "control",
        "controls",
        ("id", "state", "kind", "title", "reason"),
    )
    query = {"state": state, "kind": kind, "family": family, "baseline": baseline}
    listing.print_list(controls, query, ListOptions(limit, all_, columns, csv, json))


def table(frameworks: Iterable[FrameworkSummary]) -> Table:
    """Return the table of frameworks: the number of controls in each state, and the scores."""
    return COLUMNS, [
        (
            each["id"],
            *(str(each["states"][state]) for state in ("met", "notMet", "unknown", "exempt")),
            str(each["notAssessable"]),
            str(each["controlCount"]),
            *("-" if score is None else f"{score}%" for score in (each["score"], each["weightedScore"])),
        )
        for each in frameworks
    ]

"""`cortex resource`: what was collected, and how it changed."""

from typing import Annotated, Any, Literal

import typer

from cli import detail, finding_filter, listing, terminal
from cli.client import LARGE_RESPONSE_BYTES, Client, address
from cli.finding_filter import resource_id
from cli.listing import Listing, ListOptions
from cli.response import Page

RESOURCES = Listing(
    "/resources", "resource", "resources", ("name", "typeName", "location", "owner", "environment", "changedAt", "id")
)
LATEST_CHANGES = 5

app = typer.Typer(help="list, show, history: what was collected, and how it changed", no_args_is_help=True)
ResourceArgument = Annotated[str, typer.Argument(metavar="ID", help="ARM id of a resource, or its key")]


@app.command("list")
def list_resources(
    resource_type: Annotated[str | None, typer.Option("--type", "-t", help="only of this type, in any case")] = None,
    resource_group: Annotated[
        str | None, typer.Option("--resource-group", "-g", help="only in this resource group")
    ] = None,
    subscription: Annotated[str | None, typer.Option(help="only in this one, by id")] = None,
    owner: Annotated[str | None, typer.Option(help="only where the tag `owner` is this")] = None,
    environment: Annotated[str | None, typer.Option(help="only where the tag `environment` is this")] = None,
    location: Annotated[str | None, typer.Option(help="only in this location")] = None,
    gone: Annotated[bool, typer.Option("--gone", help="deleted ones instead of those that exist")] = False,
    order: Annotated[Literal["id", "changedAt"], typer.Option(help="by key, or the latest change first")] = "id",
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List resources."""
    chosen: finding_filter.Filters = {
        "resourceGroup": resource_group,
        "subscription": subscription,
        "owner": owner,
        "environment": environment,
        "location": location,
    }
    query = {**chosen, "type": resource_type, "gone": "true" if gone else None, "order": order}
    options = ListOptions(limit, all_, columns, csv, json)
    with Client() as api:
        listed = listing.read(api, RESOURCES, query, options.most)
        if not (listed.total or gone):
            finding_filter.note_nothing(api, {**chosen, "resourceType": resource_type})
    listing.write(RESOURCES, listed, options)


@app.command("show")
def show_resource(resource: ResourceArgument, json: listing.JsonOption = False) -> None:
    """Show a resource as it was last read, and its latest changes."""
    path = address("resources", resource_id(resource))
    with Client() as api:
        found = api.get(path, dict[str, Any], most=LARGE_RESPONSE_BYTES)
        history = api.get(f"{path}/history", Page[dict[str, Any]], query={"limit": LATEST_CHANGES})
    if json:
        terminal.print_json({**found, "history": history["items"]})
    else:
        detail.print_members({**found, "history": history["items"]})


@app.command("history")
def list_history(
    resource: ResourceArgument,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List the changes of a resource, the latest first."""
    path = f"{address('resources', resource_id(resource))}/history"
    changes = Listing(path, "change", "changes", ("at", "kind", "differences"))
    listing.print_list(changes, {}, ListOptions(limit, all_, columns, csv, json))

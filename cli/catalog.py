"""`cortex policy list|show`, `cortex assignment`, `cortex initiative`: policies in force, and what brings them."""

from typing import Annotated

import typer

from cli import detail, listing
from cli.client import address
from cli.finding_filter import SeverityOption
from cli.listing import Listing, ListOptions

POLICIES = Listing("/policies", "policy", "policies", ("name", "severity", "category", "displayName"))
ASSIGNMENTS = Listing(
    "/assignments", "assignment", "assignments", ("name", "policies", "enforcementMode", "scope", "id")
)
INITIATIVES = Listing("/initiatives", "initiative", "initiatives", ("name", "displayName"))

assignments = typer.Typer(help="list: what brings policies into force, and where", no_args_is_help=True)
initiatives = typer.Typer(help="list, show: policies that are assigned together", no_args_is_help=True)


def list_policies(
    severity: SeverityOption = None,
    category: Annotated[str | None, typer.Option(help="only of this category")] = None,
    framework: Annotated[str | None, typer.Option(help="only those that serve this framework, by id")] = None,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List the policies of the catalog, by name."""
    query = {"severity": severity, "category": category, "framework": framework}
    listing.print_list(POLICIES, query, ListOptions(limit, all_, columns, csv, json))


def show_policy(
    name: Annotated[str, typer.Argument(help="name of a policy")], json: listing.JsonOption = False
) -> None:
    """Show a policy: why it matters, its controls, its fix and its definition."""
    detail.print_thing(address("policies", name), json=json)


@assignments.command("list")
def list_assignments(
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List the assignments in force, by id."""
    listing.print_list(ASSIGNMENTS, {}, ListOptions(limit, all_, columns, csv, json))


@initiatives.command("list")
def list_initiatives(
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List the initiatives of the catalog, by name."""
    listing.print_list(INITIATIVES, {}, ListOptions(limit, all_, columns, csv, json))


@initiatives.command("show")
def show_initiative(
    name: Annotated[str, typer.Argument(help="name of an initiative")], json: listing.JsonOption = False
) -> None:
    """Show an initiative: its parameters, and its members with their effects."""
    detail.print_thing(address("initiatives", name), json=json)

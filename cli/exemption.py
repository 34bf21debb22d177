"""`cortex exemption`: accept what is not compliant, until a day; another person decides."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import detail, finding_filter, listing, terminal
from cli.client import Client, address
from cli.listing import Listing, ListOptions
from cli.response import Exemption, Finding
from shared.domain.exemption import ExemptionCategory, ExemptionStatus

EXEMPTIONS = Listing(
    "/exemptions",
    "exemption",
    "exemptions",
    ("status", "scope", "references", "owner", "expiresAt", "id"),
    shape=Exemption,
)

app = typer.Typer(
    help="request, approve, reject, withdraw, end, list, show: what is accepted until a day, and by whom",
    no_args_is_help=True,
)
ExemptionArgument = Annotated[str, typer.Argument(metavar="ID", help="id of an exemption")]


@app.command("list")
def list_exemptions(
    status: Annotated[list[ExemptionStatus] | None, listing.only_option("status", ExemptionStatus)] = None,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List exemptions, the latest first, ended ones too."""
    options = ListOptions(limit, all_, columns, csv, json)
    with Client() as api:
        listed = listing.read(api, EXEMPTIONS, {"status": status}, options.most)
    rows = [{**each["request"], **each} for each in listed.items]
    names = EXEMPTIONS.columns
    listing.write(EXEMPTIONS, listed, options, rows=lambda: (names, listing.table_rows(names, rows)))


@app.command("show")
def show_exemption(exemption: ExemptionArgument, json: listing.JsonOption = False) -> None:
    """Show an exemption."""
    detail.print_thing(address("exemptions", exemption), json=json)


@app.command("request")
def request_exemption(
    finding: Annotated[str | None, typer.Argument(metavar="FINDING", help="id of the finding to exempt")] = None,
    scope: Annotated[str | None, typer.Option(help="ARM id, in place of a finding: it and all below it")] = None,
    assignment: Annotated[str | None, typer.Option(help="with --scope: assignment, by id or name")] = None,
    reference: Annotated[
        list[str] | None, typer.Option(help="with --scope: definition reference; without it all of the assignment")
    ] = None,
    category: Annotated[
        ExemptionCategory, typer.Option(help="accepted as it is, or mitigated elsewhere")
    ] = ExemptionCategory.WAIVER,
    reason: Annotated[str, typer.Option(help="why this is acceptable")] = ...,  # type: ignore[assignment]
    owner: Annotated[str, typer.Option(help="who is responsible for it")] = ...,  # type: ignore[assignment]
    until: Annotated[str, typer.Option(metavar="TIME", help="when it ends: 2027-03-31, or 90d; a year at most")] = ...,  # type: ignore[assignment]
    json: listing.JsonOption = False,
) -> None:
    """Request an exemption of a finding, or of a scope from an assignment; it begins when somebody else approves it."""
    if (finding is None) == (scope is None) or (scope is None) != (assignment is None):
        raise typer.BadParameter("give the id of a finding, or both --scope and --assignment")
    with Client() as api:
        body = {
            **(
                _of_finding(api, finding)
                if finding is not None
                else {"scope": scope, "assignment": assignment, "references": reference or []}
            ),
            "category": category,
            "reason": reason,
            "owner": owner,
            "expiresAt": finding_filter.parse_moment(until, datetime.now(UTC), option="--until", way=1),
        }
        known = api.post("/exemptions", Exemption, body)
    _print(known, json=json)
    if known["status"] == ExemptionStatus.PENDING and not json:
        terminal.print_out("\nSomebody else can approve it with:\n  cortex exemption approve {}", known["id"])


@app.command("approve")
def approve_exemption(exemption: ExemptionArgument, json: listing.JsonOption = False) -> None:
    """Approve an exemption, which begins; whoever requested it cannot."""
    with Client(role="approver") as api:
        _print(api.post(address("exemptions", exemption, "approve"), Exemption), json=json)


@app.command("reject")
def reject_exemption(
    exemption: ExemptionArgument,
    reason: Annotated[str, typer.Option(help="why, for whoever requested it")],
    json: listing.JsonOption = False,
) -> None:
    """Reject an exemption: it never begins."""
    with Client(role="approver") as api:
        _print(api.post(address("exemptions", exemption, "reject"), Exemption, {"reason": reason}), json=json)


@app.command("withdraw")
def withdraw_exemption(exemption: ExemptionArgument, json: listing.JsonOption = False) -> None:
    """Withdraw your own request for an exemption, while nobody has decided on it."""
    with Client() as api:
        _print(api.post(address("exemptions", exemption, "withdraw"), Exemption), json=json)


@app.command("end")
def end_exemption(exemption: ExemptionArgument, json: listing.JsonOption = False) -> None:
    """End an exemption before its day; what it covered is evaluated again."""
    with Client(role="approver") as api:
        _print(api.post(address("exemptions", exemption, "revoke"), Exemption), json=json)


def _of_finding(api: Client, finding: str) -> dict[str, object]:
    """Return what an exemption of exactly one finding says."""
    found = api.get(address("findings", finding), Finding)
    return {
        "scope": found["resourceId"],
        "assignment": found["assignment"],
        "references": [found["reference"]] if found["reference"] else [],
    }


def _print(known: Exemption, *, json: bool) -> None:
    if json:
        terminal.print_json(known)
    else:
        terminal.print_out("Exemption [bold]{}[/] {}", known["id"], known["status"])

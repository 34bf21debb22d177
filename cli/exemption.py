"""`cortex exemption`: accept what is not compliant, until a day; another person decides."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import detail, finding_filter, listing, option_fault, terminal
from cli.client import ApiError, Client, address
from cli.listing import Listing, ListOptions
from cli.response import Exemption, Finding
from shared.domain.exemption import ExemptionCategory, ExemptionRequest, ExemptionStatus

EXEMPTIONS = Listing(
    "/exemptions",
    "exemption",
    "exemptions",
    ("status", "scope", "references", "owner", "expiresAt", "id"),
    shape=Exemption,
)
NOT_FOUND = 404
OPTION_BY_FIELD = {
    "scope": "--scope",
    "assignment": "--assignment",
    "references": "--reference",
    "reason": "--reason",
    "owner": "--owner",
    "expiresAt": "--until",
}

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
    owner: Annotated[str, typer.Option(help="who is responsible: an e-mail address, an object id, or a group")] = ...,  # type: ignore[assignment]
    until: Annotated[str, typer.Option(metavar="TIME", help="when it ends: 2027-03-31, or 90d; a year at most")] = ...,  # type: ignore[assignment]
    json: listing.JsonOption = False,
) -> None:
    """Request an exemption of a finding, or of a scope from an assignment; it begins when somebody else approves it."""
    if (finding is None) == (scope is None) or (scope is None) != (assignment is None):
        raise typer.BadParameter("give the id of a finding, or both --scope and --assignment")
    body: dict[str, object] = {"category": category, "reason": reason, "owner": owner}
    if scope is not None:
        body |= {"scope": scope, "assignment": assignment, "references": reference or []}
    faults = option_fault.find_faults(ExemptionRequest, body, OPTION_BY_FIELD)
    try:
        body["expiresAt"] = finding_filter.parse_moment(until, datetime.now(UTC), option="--until", way=1)
    except typer.BadParameter as error:
        faults["--until"] = error.message
    with Client() as api, option_fault.named_options(OPTION_BY_FIELD):
        if finding is not None:
            body |= _of_finding(api, finding, faults)
        option_fault.check_faults(faults)
        known = api.post("/exemptions", Exemption, body)
    _print(known, json=json)
    if known["status"] == ExemptionStatus.PENDING and not json:
        terminal.print_out("\nSomebody else can approve it with:\n  cortex exemption approve {}", known["id"])


@app.command("approve")
def approve_exemption(exemption: ExemptionArgument, json: listing.JsonOption = False) -> None:
    """Approve an exemption, which begins; whoever requested it cannot."""
    with Client(role="approver") as api:
        before = api.get(address("exemptions", exemption), Exemption)
        known = api.post(address("exemptions", exemption, "approve"), Exemption)
        _print(known, json=json, before=before)


@app.command("reject")
def reject_exemption(
    exemption: ExemptionArgument,
    reason: Annotated[str, typer.Option(help="why, for whoever requested it")],
    json: listing.JsonOption = False,
) -> None:
    """Reject an exemption: it never begins."""
    with Client(role="approver") as api, option_fault.named_options(OPTION_BY_FIELD):
        _print(api.post(address("exemptions", exemption, "reject"), Exemption, {"reason": reason}), json=json)


@app.command("withdraw")
def withdraw_exemption(exemption: ExemptionArgument, json: listing.JsonOption = False) -> None:
    """Withdraw your own request for an exemption, while nobody has decided on it."""
    with Client() as api:
        before = api.get(address("exemptions", exemption), Exemption)
        _print(api.post(address("exemptions", exemption, "withdraw"), Exemption), json=json, before=before)


@app.command("end")
def end_exemption(exemption: ExemptionArgument, json: listing.JsonOption = False) -> None:
    """End an exemption before its day; what it covered is evaluated again."""
    with Client(role="approver") as api:
        _print(api.post(address("exemptions", exemption, "revoke"), Exemption), json=json)


def _of_finding(api: Client, finding: str, faults: dict[str, str]) -> dict[str, object]:
    """Return what an exemption of exactly one finding says; where there are faults, one that is absent is one more."""
    try:
        found = api.get(address("findings", finding), Finding)
    except ApiError as error:
        if not faults:
            raise
        # Whatever else there is, what is wrong with the options is told.
        faults |= {"FINDING": str(error)} if error.status == NOT_FOUND else {}
        return {}
    return {
        "scope": found["resourceId"],
        "assignment": found["assignment"],
        "references": [found["reference"]] if found["reference"] else [],
    }


def _print(known: Exemption, *, json: bool, before: Exemption | None = None) -> None:
    """Print what came of a decision; one that changes nothing says so, where it is known what was `before`."""
    if json:
        terminal.print_json(known)
    elif before and before["status"] == known["status"]:
        terminal.print_out("Exemption [bold]{}[/] was {} already: nothing was changed", known["id"], known["status"])
    else:
        terminal.print_out("Exemption [bold]{}[/] {}", known["id"], known["status"])

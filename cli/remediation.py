"""`cortex remediation`: request fixes, see their plan, let somebody else decide, follow and undo them."""

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from cli import detail, finding_filter, listing, option_fault, plan, terminal
from cli.client import Client, address
from cli.job import goes_on, wait_for_job
from cli.listing import Listing, ListOptions
from cli.response import Remediation, RemediationPreview
from shared.domain.item import ItemOutcome
from shared.domain.policy import Severity
from shared.domain.remediation import RemediationStatus

REMEDIATIONS = Listing(
    "/remediations",
    "remediation",
    "remediations",
    ("status", "requester", "requestedAt", "itemCount", "counts", "note", "id"),
)
WITHOUT_FIX = Listing("/findings", "finding without a fix", "findings without a fix", ("policy", "resourceId", "id"))
SKIPPED_ITEMS = 5
"""Findings without a fix that are printed."""

app = typer.Typer(
    help="request, plan, approve, reject, cancel, rollback, list, show, items: fixes, and their plans",
    no_args_is_help=True,
)
RemediationArgument = Annotated[str, typer.Argument(metavar="ID", help="id of a remediation")]
RollbackOption = Annotated[bool, typer.Option("--rollback", help="the rollback that was requested, not the plan")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="wait until it has ended")]


@app.command("list")
def list_remediations(
    status: Annotated[list[RemediationStatus] | None, listing.only_option("status", RemediationStatus)] = None,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List remediations, the latest first."""
    listing.print_list(REMEDIATIONS, {"status": status}, ListOptions(limit, all_, columns, csv, json))


@app.command("show")
def show_remediation(remediation: RemediationArgument, json: listing.JsonOption = False) -> None:
    """Show a remediation: its status, who decided what, and how many items are how far."""
    detail.print_thing(address("remediations", remediation), json=json)


@app.command("items")
def list_items(
    remediation: RemediationArgument,
    outcome: Annotated[list[ItemOutcome] | None, listing.only_option("outcome", ItemOutcome)] = None,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List the resources of a remediation, each with its outcome and the reason."""
    path = f"{address('remediations', remediation)}/items"
    items = Listing(path, "item", "items", ("number", "outcome", "resourceId", "reason"))
    listing.print_list(items, {"outcome": outcome}, ListOptions(limit, all_, columns, csv, json))


@app.command("plan")
def print_plan(remediation: RemediationArgument, json: listing.JsonOption = False) -> None:
    """Show the plan of a remediation: every write, and what it changes."""
    with Client() as api:
        known = api.get(address("remediations", remediation), Remediation)
        if json:
            terminal.print_json({"remediation": known, "plan": plan.read(api, known)})
        else:
            plan.print_plan(known, plan.pages(api, known), most=None)


@app.command("request")
def request_remediation(
    finding: Annotated[
        list[str] | None, typer.Argument(help="ids of findings, as `cortex finding list` prints them")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="instead of ids: all findings of this policy, by name")] = None,
    assignment: Annotated[str | None, typer.Option(help="only of this assignment, by name or id")] = None,
    reference: Annotated[str | None, typer.Option(help="only of this definition reference of an initiative")] = None,
    severity: Annotated[Severity | None, typer.Option(help="only of this severity")] = None,
    subscription: Annotated[str | None, typer.Option(help="only in this subscription, by id")] = None,
    resource_group: Annotated[
        str | None, typer.Option("--resource-group", "-g", help="only in this resource group")
    ] = None,
    resource_type: Annotated[str | None, typer.Option("--type", "-t", help="only on resources of this type")] = None,
    owner: Annotated[str | None, typer.Option(help="only where the tag `owner` is this")] = None,
    environment: Annotated[str | None, typer.Option(help="only where the tag `environment` is this")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="count what would be fixed and what is skipped, and request nothing")
    ] = False,
    note: Annotated[str, typer.Option(help="reason, shown to the approver")] = "",
    json: listing.JsonOption = False,
) -> None:
    """Plan the fix of findings, chosen by their ids or by what they have in common; what has no fix is skipped.

    Nothing is changed: the plan waits until somebody else approves it. Exit code 1 when none of them can be fixed.
    """
    given = {
        "policy": policy,
        "assignment": assignment,
        "reference": reference,
        "severity": severity,
        "subscription": subscription,
        "resourceGroup": resource_group,
        "resourceType": resource_type,
        "owner": owner,
        "environment": environment,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if bool(finding) == bool(chosen):
        raise typer.BadParameter("give either ids of findings or options such as --policy")
    with Client() as api:
        if chosen:
            finding_filter.check(api, chosen, gate=True)
        if assignment:
            chosen["assignment"] = finding_filter.assignment_id(api, assignment)
        selection = {"filter": chosen} if chosen else {"findings": finding}
        if dry_run or (chosen and not json):
            _print_selection(api, selection, chosen, json=json)
        if dry_run:
            return
        asked = api.post("/remediations", Remediation, {**selection, "note": note})
        known = _wait(api, asked["id"], lambda now: now["status"] not in ("requested", "planning"))
        if json:
            terminal.print_json({"remediation": known, "plan": plan.read(api, known)})
        else:
            plan.print_plan(known, plan.pages(api, known), most=plan.SUMMARY_ITEMS)
    waits = known["status"] == "awaitingApproval"
    if waits and not json:
        terminal.print_out("\nSomebody else can approve it with:\n  cortex remediation approve {}", known["id"])
    raise typer.Exit(0 if waits or known["status"] == "succeeded" else 1)


@app.command("approve")
def approve_plan(
    remediation: RemediationArgument,
    plan_hash: Annotated[
        str | None, typer.Option("--hash", help="hash of the plan; without it, the plan is shown and you are asked")
    ] = None,
    rollback: RollbackOption = False,
    wait: WaitOption = True,
    json: listing.JsonOption = False,
) -> None:
    """Approve a plan by its hash, or a rollback; whoever requested it cannot. Exit code 0 only when all was done."""
    if rollback and plan_hash:
        raise typer.BadParameter("a rollback has no plan, and so no hash", param_hint="--hash")
    with Client(role="approver") as api:
        if rollback:
            known = api.post(address("remediations", remediation, "rollback", "approve"), Remediation)
        else:
            known = _approve_plan(api, remediation, plan_hash)
        known = _print_ended(api, known, wait=wait, json=json)
    raise typer.Exit(0 if not wait or known["status"] == ("rolledBack" if rollback else "succeeded") else 1)


@app.command("reject")
def reject_plan(
    remediation: RemediationArgument,
    reason: Annotated[str, typer.Option(help="why, for whoever requested it")],
    rollback: RollbackOption = False,
    json: listing.JsonOption = False,
) -> None:
    """Reject a plan, of which nothing is applied, or a rollback."""
    parts = ("rollback", "reject") if rollback else ("reject",)
    with Client(role="approver") as api, option_fault.named_options({"reason": "--reason"}):
        known = api.post(address("remediations", remediation, *parts), Remediation, {"reason": reason})
        _print_ended(api, known, wait=False, json=json)


@app.command("cancel")
def cancel_remediation(
    remediation: RemediationArgument, wait: WaitOption = True, json: listing.JsonOption = False
) -> None:
    """Cancel a remediation before its next item; what is done stays."""
    with Client() as api:
        known = api.post(address("remediations", remediation, "cancel"), Remediation)
        _print_ended(api, known, wait=wait, json=json)


@app.command("rollback")
def request_rollback(remediation: RemediationArgument, json: listing.JsonOption = False) -> None:
    """Request that what a remediation has changed is put back, where nobody has changed it since."""
    with Client() as api:
        known = api.post(address("remediations", remediation, "rollback"), Remediation)
        _print_ended(api, known, wait=False, json=json)
    if not json:
        approve = terminal.styled("cortex remediation approve {} --rollback", known["id"])
        terminal.print_out("\nSomebody else can approve it with:\n  {}", approve)


def _approve_plan(api: Client, remediation: str, plan_hash: str | None) -> Remediation:
    """Approve the plan with a hash; without one, the plan that was shown and confirmed."""
    if plan_hash is None:
        known = api.get(address("remediations", remediation), Remediation)
        plan_hash = plan.print_plan(known, plan.pages(api, known), most=None)
        typer.confirm("Approve exactly this plan?", abort=True, err=True)
    return api.post(address("remediations", remediation, "approve"), Remediation, {"planHash": plan_hash})


def _print_selection(api: Client, selection: Mapping[str, object], chosen: Mapping[str, str], *, json: bool) -> None:
    """Print how many findings are chosen, and which have no fix and are skipped."""
    matched = api.post("/remediations/preview", RemediationPreview, selection)
    query = {**chosen, "open": "true", "remediable": "false"}
    skipped = listing.read(api, WITHOUT_FIX, query, SKIPPED_ITEMS) if chosen else listing.Listed([], 0)
    if json:
        terminal.print_json({**matched, "skipped": skipped.total})
        return
    found = terminal.count(matched["findings"], "finding")
    terminal.print_out("{} to fix: {}", found, terminal.format_counts(matched["bySeverity"]))
    if skipped.total:
        rows = listing.table_rows(WITHOUT_FIX.columns, skipped.items)
        terminal.table(f"skipped: {skipped.title(WITHOUT_FIX)}", WITHOUT_FIX.columns, rows)


def _wait(api: Client, remediation: str, done: Callable[[Remediation], bool]) -> Remediation:
    with goes_on(api, "remediation", remediation):
        return wait_for_job(lambda: api.get(address("remediations", remediation), Remediation), _progress, done)


def _progress(now: Remediation) -> tuple[str, int, int | None]:
    pending = now["counts"].get("pending", 0)
    return now["status"], now["itemCount"] - pending, now["itemCount"] or None


def _print_ended(api: Client, known: Remediation, *, wait: bool, json: bool) -> Remediation:
    """Wait for the end where that is asked for, print what came of it, and return it."""
    ended = _wait(api, known["id"], lambda now: bool(now["endedAt"])) if wait else known
    if json:
        terminal.print_json(ended)
    else:
        plan.print_outcome(api, ended)
    return ended

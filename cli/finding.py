"""`cortex finding`: list what needs attention, show one, and explain it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from cli import detail, finding_filter, listing, terminal
from cli.client import Client, QueryParameters, address
from cli.exit_code import UNSETTLED, VIOLATION
from cli.explanation import print_explanation
from cli.finding_filter import SEVERITIES, Filters
from cli.listing import Item, Listing, ListOptions, Table
from cli.response import Finding, FindingExplanation, ListedFinding, Page
from shared.domain.policy import Severity

FINDINGS = Listing(
    "/findings",
    "finding",
    "findings",
    ("severity", "state", "title", "resourceId", "owner", "openedAt", "id"),
    shape=ListedFinding,
)
STATE_NOUNS = {
    "nonCompliant": ("violation", "violations"),
    "unknown": ("unknown", "unknown"),
    "error": ("error", "errors"),
    "exempt": ("exempt", "exempt"),
}
"""State -> what one and what several are called that are counted apart."""
UNSETTLED_STATES = ("unknown", "error")

app = typer.Typer(help="list, show, explain: what needs attention, and why", no_args_is_help=True)


@app.command("list")
def list_findings(
    severity: finding_filter.SeverityOption = None,
    state: finding_filter.StateOption = None,
    status: finding_filter.StatusOption = None,
    policy: finding_filter.PolicyOption = None,
    assignment: finding_filter.AssignmentOption = None,
    reference: finding_filter.ReferenceOption = None,
    category: finding_filter.CategoryOption = None,
    framework: finding_filter.FrameworkOption = None,
    control: finding_filter.ControlOption = None,
    resource_type: finding_filter.TypeOption = None,
    resource_group: finding_filter.GroupOption = None,
    subscription: finding_filter.InSubscriptionOption = None,
    owner: finding_filter.OwnerOption = None,
    environment: finding_filter.EnvironmentOption = None,
    resource: finding_filter.ResourceOption = None,
    remediable: finding_filter.RemediableOption = None,
    text: finding_filter.TextOption = None,
    since: finding_filter.SinceOption = None,
    order: Annotated[
        Literal["severity", "openedAt", "changedAt", "id"],
        typer.Option(metavar="NAME", help="severity (the worst first), openedAt, changedAt (the latest first) or id"),
    ] = "severity",
    fail_on: Annotated[
        Severity | None,
        typer.Option(
            "--fail-on", metavar="SEVERITY", help="exit with 3 when an open violation is this severe or worse"
        ),
    ] = None,
    fail_on_unknown: Annotated[
        bool, typer.Option("--fail-on-unknown", help="exit with 4 when an open finding is unknown or an error")
    ] = False,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List what needs attention, the worst first. A filter that is repeated means any of its values.

    In a pipeline use --fail-on and --fail-on-unknown: violations and unknowns are counted apart. There, a filter value
    that nothing has is an error (exit code 2), and so is an estate without anything to look at (1); without them both
    are notes.
    """
    chosen: Filters = {
        "severity": severity,
        "state": state,
        "policy": policy,
        "assignment": assignment,
        "reference": reference,
        "category": category,
        "framework": framework,
        "control": control,
        "resourceType": resource_type,
        "resourceGroup": resource_group,
        "subscription": subscription,
        "owner": owner,
        "environment": environment,
        "resource": resource and finding_filter.resource_id(resource),
        "remediable": remediable and str(remediable == "yes").lower(),
        "text": text,
        "since": finding_filter.moment(since, datetime.now(UTC)),
    }
    options = ListOptions(limit, all_, columns, csv, json)
    with Client() as api:
        finding_filter.check(api, chosen, gate=bool(fail_on or fail_on_unknown))
        asked = {**chosen, **finding_filter.statuses(status, state)}
        listed = listing.read(api, FINDINGS, {**asked, "order": order}, options.most)
        note = _apart(api, asked, state) if listed.total and not (csv or json) else ""
        code = _gate(api, chosen, fail_on, unknown=fail_on_unknown)
    listing.write(FINDINGS, listed, options, note=note, rows=lambda: _rows(listed.items))
    raise typer.Exit(code)


@app.command("show")
def show_finding(
    finding: Annotated[str, typer.Argument(help="id of a finding, as `cortex finding list` prints it")],
    json: listing.JsonOption = False,
) -> None:
    """Show a finding with its evidence; `cortex finding explain` says it in words."""
    detail.print_thing(address("findings", finding), json=json)


@app.command("explain")
def explain_finding(
    finding: Annotated[str, typer.Argument(help="id of a finding, as `cortex finding list` prints it")],
    verbose: Annotated[bool, typer.Option("--verbose", help="print the tree of clauses too")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Explain a finding: what is wrong, where, why it matters, the controls, and the smallest change that complies."""
    with Client() as api:
        found = api.get(address("findings", finding), Finding)
        explained = api.get(address("findings", finding, "explain"), FindingExplanation)
    if json:
        terminal.print_json({"finding": found, "explanation": explained})
        return
    _print_explanation(found, explained, verbose=verbose)


def _print_explanation(found: Finding, explained: FindingExplanation, *, verbose: bool = False) -> None:
    terminal.print_out("{} {}", terminal.severity(found["severity"]), found["title"])
    terminal.print_out("  {}", found["resourceId"], soft_wrap=True)
    if explained["state"] != found["state"]:  # what is stored has changed since, or the finding is exempt
        terminal.print_out("  recorded as {}; evaluated now: {}", terminal.state(found["state"]), explained["summary"])
    print_explanation(explained, verbose=verbose)


def _count(api: Client, query: QueryParameters) -> int:
    """Count what matches; a page alone does not say how many there are."""
    page = api.get("/findings", Page[object], query={**query, "limit": 1, "total": "true"})
    return page.get("total") or 0


def _apart(api: Client, asked: Filters, state: Sequence[str] | None) -> str:
    """Return how many of what matches are violations, and how many the rest, where there is more than one kind."""
    counts = {each: _count(api, {**asked, "state": [each]}) for each in state or STATE_NOUNS}
    parts = [f"{number:,} {STATE_NOUNS[each][number != 1]}" for each, number in counts.items() if number]
    return f": {', '.join(parts)}" if parts else ""


def _gate(api: Client, chosen: Filters, fail_on: str | None, *, unknown: bool) -> int:
    """Return the exit code of a pipeline's step, after what was found: violations first, then what is unknown."""
    wanted = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on else ()
    severe = [each for each in wanted if each in (chosen["severity"] or SEVERITIES)]
    states = chosen["state"] or STATE_NOUNS
    unsettled = [each for each in UNSETTLED_STATES if each in states] if unknown else []
    opened = {**chosen, "open": "true"}
    violations = (
        _count(api, {**opened, "severity": severe, "state": "nonCompliant"})
        if severe and "nonCompliant" in states
        else 0
    )
    unknowns = _count(api, {**opened, "state": unsettled}) if unsettled else 0
    if violations:
        terminal.print_err(
            "[bold red]✗[/] {} of severity {} or worse", terminal.count(violations, "open violation"), fail_on
        )
    if unknowns:
        terminal.print_err(
            "[bold red]✗[/] {} or in error",
            terminal.count(unknowns, "open finding is unknown", "open findings are unknown"),
        )
    return VIOLATION if violations else UNSETTLED if unknowns else 0


def _rows(found: Sequence[Item]) -> Table:
    """Return the table of findings: with what brings a policy, where one is in force several times."""
    brought: dict[str, set[str]] = {}
    for each in found:
        brought.setdefault(each["policy"], set()).add(_bringer(each))
    titled = (
        {**each, "title": f"{each['title']}, by {_bringer(each)}"} if len(brought[each["policy"]]) > 1 else each
        for each in found
    )
    return FINDINGS.columns, listing.table_rows(FINDINGS.columns, titled)


def _bringer(found: Item) -> str:
    """Return assignment/reference, which tells findings of a definition apart that is in force several times."""
    return f"{terminal.name(found['assignment'])}/{found['reference'] or found['policy']}"

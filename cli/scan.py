"""`cortex scan`: collect the estate and evaluate it."""

from typing import Annotated, Any

import typer

from cli import detail, listing, terminal
from cli.client import Client, address
from cli.job import EXIT_CODES, goes_on, wait_for_job
from cli.listing import Listing, ListOptions
from cli.response import Scan
from shared.domain.scan import ScanStatus
from shared.domain.scan_difference import ScanMode

GAP_ITEMS = 5
"""Gaps that are printed."""
STATE_LABELS = {"exempt": "exempt", "error": "in error"}
"""States that are printed where there are any, and what they are called."""
SCANS = Listing(
    "/scans",
    "scan",
    "scans",
    ("status", "trigger", "requestedBy", "requestedAt", "endedAt", "resources", "gapCount", "id"),
)
SUMMARY_ONLY = frozenset({"correlation", "sequence", "fence", "tries"})
"""Members that only `--json` prints."""

app = typer.Typer(help="start, list, show, cancel: collect the estate and evaluate it", no_args_is_help=True)
ScanArgument = Annotated[str, typer.Argument(metavar="ID", help="id of a scan")]


@app.command("list")
def list_scans(
    status: Annotated[list[ScanStatus] | None, listing.only_option("status", ScanStatus)] = None,
    limit: listing.LimitOption = listing.LIMIT,
    all_: listing.AllOption = False,
    columns: listing.ColumnsOption = None,
    csv: listing.CsvOption = False,
    json: listing.JsonOption = False,
) -> None:
    """List scans, the latest first."""
    listing.print_list(SCANS, {"status": status}, ListOptions(limit, all_, columns, csv, json))


@app.command("show")
def show_scan(scan: ScanArgument, json: listing.JsonOption = False) -> None:
    """Show a scan: how far it is, its counts, and what could not be read."""
    detail.print_thing(address("scans", scan), json=json, without=SUMMARY_ONLY)


@app.command("start")
def start_scan(
    subscription: Annotated[
        list[str] | None, typer.Option(help="id of a subscription to scan; repeat for more")
    ] = None,
    collect: Annotated[bool, typer.Option(help="read the cloud first; otherwise evaluate what is stored")] = True,
    mode: Annotated[
        ScanMode,
        typer.Option(help="read what has changed where that is possible, everything, or both to compare them"),
    ] = ScanMode.CHANGES,
    wait: Annotated[bool, typer.Option(help="wait until it has ended")] = True,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Collect the estate and evaluate it.

    Exit code 0 when the scan is complete, 4 when something could not be read, 1 when it failed.
    """
    with Client() as api:
        named = {"subscriptions": subscription} if subscription else {}
        body = {"collect": collect, "mode": mode.value, **named}
        ended = run(api, body) if wait else api.post("/scans", Scan, body)
    if json:
        terminal.print_json(ended)
    else:
        _print(ended)
    raise typer.Exit(EXIT_CODES.get(ended["status"], 1) if wait else 0)


@app.command("cancel")
def cancel_scan(scan: ScanArgument, json: listing.JsonOption = False) -> None:
    """Cancel a scan; what it has evaluated stays."""
    with Client() as api:
        known = api.post(address("scans", scan, "cancel"), Scan)
    if json:
        terminal.print_json(known)
    else:
        _print(known)


def run(api: Client, body: dict[str, Any]) -> Scan:
    """Start a scan and wait for its end."""
    started = api.post("/scans", Scan, body)
    with goes_on(api, "scan", started["id"]):
        return wait_for_job(lambda: api.get(address("scans", started["id"]), Scan), _progress)


def _progress(now: Scan) -> tuple[str, int, int | None]:
    if now["waitingUntil"]:
        return f"waiting until {now['waitingUntil']}: {now['reason']}", 0, None
    done = now["subscriptions"] - now["unfinished"]
    subscriptions = terminal.count(now["subscriptions"], "subscription")
    collected = terminal.count(now["collected"], "resource")
    text = f"{done} of {subscriptions} scanned, {collected} read; evaluated:"
    return text, now["resources"], now["expected"] or None


def _print(scanned: Scan) -> None:
    states = scanned["states"]
    non_compliant, unknown = states.get("nonCompliant", 0), states.get("unknown", 0)
    others = {label: states.get(name, 0) for name, label in STATE_LABELS.items()}
    terminal.print_out(
        "Scan [bold]{}[/] {}: {}, {}: [bold]{} non-compliant, {} unknown[/]{}",
        scanned["id"],
        scanned["status"],
        terminal.count(scanned["resources"], "resource"),
        terminal.count(scanned["evaluationCount"], "evaluation"),
        non_compliant,
        unknown,
        "".join(f", {number} {label}" for label, number in others.items() if number),
    )
    if scanned["reason"]:
        terminal.print_out("{}", scanned["reason"], indent=2)
    if scanned["asOf"] and scanned["startedAt"] and scanned["asOf"] < scanned["startedAt"]:
        terminal.print_out("The oldest data is from {}", scanned["asOf"], indent=2)
    for gap in scanned["gaps"][:GAP_ITEMS]:
        terminal.format_unread(gap)
    if scanned["differenceCount"]:
        found = terminal.count(scanned["differenceCount"], "resource")
        terminal.print_out("[bold red]{} differ from what scans of changes had kept:[/]", found, indent=2)
    for each in scanned["differences"]:
        terminal.print_out("{}: {}", each["resource"], each["cause"], indent=4)

"""`cortex status`: the compliance of the estate, the age of its data, and the jobs that are running."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli import framework, terminal
from cli.client import LARGE_RESPONSE_BYTES, Client
from cli.finding_filter import SEVERITIES
from cli.response import ComplianceSummary, FrameworkSummary, JobStatus, Page
from shared.domain.scan_difference import ScanMode

GAP_ITEMS = 5
"""Gaps that are printed."""
SCOPE_ITEMS = 20
"""Subscriptions that are printed."""
JOB_PATHS = {"/scans": "scan", "/remediations": "remediation", "/imports": "import"}
ACTIVE_STATUSES = ("requested", "planning", "running", "cancelling")
RESUME_NOTES = {"import": " (an interrupted one resumes when the lease of its message expires, or with the reconciler)"}
"""Kind of job -> how it goes on after its worker was killed."""
JOB_ITEMS = 50
"""The newest jobs of each kind that are checked."""


def status(json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Show the compliance of the estate: score, age of the data, gaps, findings, frameworks, and the running jobs."""
    with Client() as api:
        summary = api.get("/compliance/summary", ComplianceSummary, most=LARGE_RESPONSE_BYTES)
        frameworks = [] if json else list(api.pages("/frameworks", FrameworkSummary, {}))
        jobs = {} if json else _newest_jobs(api)
        active = [] if json else [*_active_jobs(jobs), *_alias_listing(api)]
    if json:
        terminal.print_json(summary)
        return
    score = "no score yet" if summary["score"] is None else terminal.styled("[bold]{}%[/] compliant", summary["score"])
    now = datetime.now(UTC)
    oldest = terminal.format_age(summary["asOf"], now)
    resources = terminal.count(summary["resources"], "resource")
    terminal.print_out("{}, {}; oldest data: {}", score, resources, oldest)
    _print_gaps(summary, now)
    terminal.print_out("Open violations: {}", _by_severity(summary["openBySeverity"]))
    terminal.print_out("Open unknowns: {}", _by_severity(summary["unknownBySeverity"]))
    terminal.table("Frameworks, by controls", *framework.table(frameworks))
    for kind, thing in active:
        _print_job(kind, thing, now)
    _print_alarms(jobs["scan"])


def _by_severity(counts: Mapping[str, int]) -> str:
    """Return counts worst first, with their sum."""
    total = f"{sum(counts.values()):,}"
    parts = terminal.format_counts({name: counts.get(name, 0) for name in SEVERITIES}, empty="")
    return f"{total}: {parts}" if parts else total


def _print_gaps(summary: ComplianceSummary, now: datetime) -> None:
    """Print what could not be read, and how old the data of each subscription is, the oldest first."""
    if not summary["gapCount"]:
        return
    gaps = terminal.count(summary["gapCount"], "part")
    terminal.print_out("[bold yellow]{} of the estate could not be read:[/]", gaps)
    for gap in summary["gaps"][:GAP_ITEMS]:
        terminal.format_unread(gap)
    scopes = sorted(summary["scopes"].items(), key=lambda pair: pair[1]["asOf"] or "")
    rows = (
        (
            each["displayName"] or key,
            str(each["gapCount"]),
            str(each["resources"]),
            terminal.format_age(each["asOf"], now),
        )
        for key, each in scopes[:SCOPE_ITEMS]
    )
    terminal.table("Data, by subscription", ("subscription", "gaps", "resources", "last read completely"), rows)
    if len(scopes) > SCOPE_ITEMS:
        newer = terminal.count(len(scopes) - SCOPE_ITEMS, "subscription")
        terminal.print_out("and {} with newer data; use --json to see all", newer, indent=2)


def _print_job(kind: str, thing: JobStatus, now: datetime) -> None:
    """Print what a job waits for and until when, or when it last made progress."""
    name = f"{kind} {thing['id']}" if "id" in thing else kind
    if not thing["waitingUntil"] and thing.get("status") in ACTIVE_STATUSES:
        last = terminal.format_age(thing.get("progressedAt") or thing.get("changedAt"), now)
        terminal.print_out(
            "running: {} {}, last progress: {}{}", name, thing["status"], last, RESUME_NOTES.get(kind, "")
        )
    else:
        until = thing["waitingUntil"] or "the next day"
        terminal.print_out("[yellow]waiting:[/] {} until {}: {}", name, until, thing["reason"])


def _print_alarms(scans: Iterable[JobStatus]) -> None:
    """Print how many differences the newest verification raised an alarm for, and where they are told."""
    ended = (each for each in scans if each.get("endedAt"))
    checked = next((each for each in ended if each.get("request", {}).get("mode") == ScanMode.VERIFICATION), None)
    if checked is not None and (alarms := checked.get("alarmCount", 0)):
        found = terminal.count(alarms, "resource")
        terminal.print_out(
            "[bold red]alarm:[/] the last verification found {} that no scan of changes would have found: "
            "cortex scan show {}",
            found,
            checked.get("id", ""),
        )


def _newest_jobs(api: Client) -> dict[str, list[JobStatus]]:
    """Return the newest jobs of each kind."""
    asked = {"limit": JOB_ITEMS}
    return {
        kind: api.get(path, Page[JobStatus], most=LARGE_RESPONSE_BYTES, query=asked)["items"]
        for path, kind in JOB_PATHS.items()
    }


def _active_jobs(newest: Mapping[str, Iterable[JobStatus]]) -> Iterator[tuple[str, JobStatus]]:
    """Yield the jobs that are running or waiting."""
    for kind, jobs in newest.items():
        active = (each for each in jobs if each.get("waitingUntil") or each.get("status") in ACTIVE_STATUSES)
        yield from ((kind, each) for each in active if not each.get("endedAt"))


def _alias_listing(api: Client) -> Iterator[tuple[str, JobStatus]]:
    """Yield the alias listing when it could not be read."""
    listing = api.get("/aliases", JobStatus)
    if listing["reason"]:
        yield "alias listing", listing

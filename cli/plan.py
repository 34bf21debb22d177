"""Prints the plan of a remediation, and what came of it."""

from collections.abc import Iterator
from itertools import islice

from cli import terminal
from cli.client import Client, address
from cli.response import PlanItemView, PlannedOperation, PlanView, Remediation, RemediationItem

DIFFERENCE_ITEMS = 20
"""The most changes of a write that a plan lists."""
SUMMARY_ITEMS = 20
"""The most items that are shown at once; `cortex remediation plan` shows all."""
PAGE_ITEMS = 50


def pages(api: Client, known: Remediation) -> Iterator[PlanView]:
    """Yield the pages of a plan; none where there is no plan."""
    if known["planHash"]:
        yield from api.each_page(address("remediations", known["id"], "plan"), PlanView, {"limit": PAGE_ITEMS})


def read(api: Client, known: Remediation) -> PlanView | None:
    """Return a whole plan as one page."""
    found = list(pages(api, known))
    return {**found[0], "items": [item for page in found for item in page["items"]]} if found else None


def print_plan(known: Remediation, found: Iterator[PlanView], *, most: int | None) -> str | None:
    """Print what would be done, with whole ids and values, so that what is approved was seen; return the hash."""
    terminal.print_out("Remediation [bold]{}[/] {}", known["id"], known["status"])
    plan_hash, printed, pending = None, 0, False
    for page in found:
        plan_hash = page["hash"]
        for item in page["items"][: None if most is None else most - printed]:
            _print_item(item)
            printed, pending = printed + 1, pending or bool(item["operations"])
        if printed == most:
            break
    if printed < known["itemCount"]:
        more = terminal.count(known["itemCount"] - printed, "more item")
        terminal.print_out("\nand {}; the whole plan:\n  cortex remediation plan {}", more, known["id"])
    if pending:
        terminal.print_out("\nPlan hash {}", plan_hash, soft_wrap=True)
    return plan_hash


def print_outcome(api: Client, ended: Remediation) -> None:
    """Print the status of a remediation, and its first items with their reasons."""
    terminal.print_out(
        "Remediation [bold]{}[/] {}: {}", ended["id"], ended["status"], terminal.format_counts(ended["counts"])
    )
    path = address("remediations", ended["id"], "items")
    for item in islice(api.pages(path, RemediationItem, {"limit": SUMMARY_ITEMS}), SUMMARY_ITEMS):
        reason = f": {item['reason']}" if item.get("reason") else ""
        terminal.print_out("{} {}{}", item["outcome"], terminal.shorten_id(item["resourceId"]), reason, indent=2)
    if ended["itemCount"] > SUMMARY_ITEMS:
        terminal.print_out("and {}", terminal.count(ended["itemCount"] - SUMMARY_ITEMS, "more item"), indent=2)


def _print_item(item: PlanItemView) -> None:
    terminal.print_out("\n{}", item["resourceId"])
    if item["skipped"]:
        terminal.print_out("nothing to do: {}", item["skipped"], indent=2)
    for operation in item["operations"]:
        _print_operation(item["resourceId"], operation)
    for note in item["notes"]:
        terminal.print_out("[dim]note:[/] {}", note, indent=2)
    for refused in item["refusals"]:
        terminal.print_out("[yellow]not planned:[/] {}: {}", refused["finding"], refused["reason"], indent=2)


def _print_operation(item: str, operation: PlannedOperation) -> None:
    """Print a write: what it changes, and its whole body where the list of changes is not complete."""
    target = "" if operation["resourceId"] == item else f" {operation['resourceId']}"
    terminal.print_out("[bold]{}[/]{} (API {})", operation["method"], target, operation["apiVersion"], indent=2)
    for each in operation["differences"]:
        before, after = terminal.compact(each.get("before")), terminal.compact(each.get("after"))
        terminal.print_out("{}: [red]{}[/] → [green]{}[/]", each["path"], before, after, indent=2)
    if len(operation["differences"]) >= DIFFERENCE_ITEMS:
        terminal.print_out("and more; the whole body is: {}", terminal.compact(operation["body"]), indent=2)

"""`cortex remediate` and `cortex approve`: ask for a fix, look at its plan, let somebody else approve it."""

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.client import Client, Json

PAUSE = 0.3


def remediate(
    finding: Annotated[list[str], typer.Argument(help="ids of findings, as `cortex findings` prints them")],
    note: Annotated[str, typer.Option(help="why, for whoever approves")] = "",
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Plan the fix of findings. Nothing is changed: the plan waits for the approval of somebody else.

    Exit code 1 when nothing of it can be done.
    """
    with Client() as api:
        asked = api.post("/remediations", {"findings": finding, "note": note})
        planned = _until(api, asked["id"], lambda now: now["status"] not in ("requested", "planning"))
        plan = api.get(f"/remediations/{asked['id']}/plan")
    waits = planned["status"] == "awaitingApproval"
    if json:
        show.as_json({"remediation": planned, "plan": plan})
    else:
        _tell(planned, plan)
    if waits and not json:
        show.console.print(f"\nSomebody else approves it with:\n  cortex approve {planned['id']}", highlight=False)
    raise typer.Exit(0 if waits or planned["status"] == "succeeded" else 1)


def approve(
    remediation: Annotated[str, typer.Argument(help="a remediation's id")],
    plan_hash: Annotated[str | None, typer.Option("--hash", help="the plan's hash; asks when left out")] = None,
    wait: Annotated[bool, typer.Option(help="wait for the end")] = True,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Approve a plan by its hash, as somebody else than who asked for it. Exit code 0 only when all of it is done."""
    with Client(role="approver") as api:
        known = api.get(f"/remediations/{remediation}")
        if plan_hash is None:
            _tell(known, api.get(f"/remediations/{remediation}/plan"))
            typer.confirm("Approve exactly this plan?", abort=True, err=True)
            plan_hash = known["planHash"]
        api.post(f"/remediations/{remediation}/approve", {"planHash": plan_hash})
        ended = _until(api, remediation, lambda now: bool(now.get("endedAt"))) if wait else known
    if json:
        show.as_json(ended)
    else:
        _tell_outcome(ended)
    raise typer.Exit(0 if not wait or ended["status"] == "succeeded" else 1)


def _until(api: Client, remediation: str, done: Callable[[Json], bool]) -> Json:
    with show.errors.status("working"):
        while True:
            now = api.get(f"/remediations/{remediation}")
            if done(now):
                return now
            time.sleep(PAUSE)


def _tell(known: Json, plan: Json) -> None:
    show.console.print(f"Remediation [bold]{known['id']}[/] {known['status']}", highlight=False)
    for item in plan["items"]:
        show.console.print(f"\n{show.short(item['resourceId'])}", highlight=False)
        if item["skipped"]:
            show.console.print(f"  nothing to do: {escape(item['skipped'])}", highlight=False)
        for each in item["differences"]:
            before, after = show.value(each.get("before")), show.value(each.get("after"))
            show.console.print(f"  {escape(each['path'])}: [red]{before}[/] → [green]{after}[/]", highlight=False)
    for refused in plan.get("refusals", ()):
        show.console.print(
            f"  [yellow]not planned:[/] {refused['finding']}: {escape(refused['reason'])}", highlight=False
        )
    if known.get("planHash"):
        show.console.print(f"\nPlan hash {known['planHash']}", highlight=False, soft_wrap=True)


def _tell_outcome(ended: Json) -> None:
    show.console.print(f"Remediation [bold]{ended['id']}[/] {ended['status']}", highlight=False)
    for item in ended["items"]:
        reason = f": {escape(item['reason'])}" if item.get("reason") else ""
        show.console.print(f"  {item['outcome']} {show.short(item['resourceId'])}{reason}", highlight=False)

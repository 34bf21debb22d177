"""`cortex status`, `findings` and `explain`: how things stand, what is wrong, and why."""

from itertools import islice
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.client import Client, Json

ORDER = ("critical", "high", "medium", "low")
FOUND = 3


def status(json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """How the estate stands: score, findings by severity, frameworks."""
    with Client() as api:
        summary = api.get("/compliance/summary")
    if json:
        show.as_json(summary)
        return
    score = "no score yet" if summary["score"] is None else f"[bold]{summary['score']}%[/] compliant"
    show.console.print(f"{score}, {summary['resources']} resources, as of {summary['at']}")
    by_severity = summary["openBySeverity"]
    show.console.print("Open: " + show.counts({name: by_severity.get(name, 0) for name in ORDER}))
    show.table(
        "Frameworks",
        ("framework", "score", "wrong", "unknown"),
        (
            (
                name,
                "-" if each["score"] is None else f"{each['score']}%",
                str(each["nonCompliant"]),
                str(each["unknown"]),
            )
            for name, each in summary["frameworks"].items()
        ),
    )


def findings(
    severity: Annotated[str | None, typer.Option(help="critical, high, medium or low")] = None,
    policy: Annotated[str | None, typer.Option(help="a policy's name")] = None,
    subscription: Annotated[str | None, typer.Option(help="a subscription's id")] = None,
    owner: Annotated[str | None, typer.Option(help="the owner tag of the resource")] = None,
    state: Annotated[str | None, typer.Option(help="nonCompliant, unknown, exempt or error")] = None,
    all_: Annotated[bool, typer.Option("--all", help="the resolved ones too")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="at most so many")] = 50,
    fail_on: Annotated[str | None, typer.Option(help="exit with 3 when one is this severe or worse")] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """What needs attention. Use --fail-on high in a pipeline: exit code 3 when something is that bad."""
    if fail_on is not None and fail_on not in ORDER:
        raise typer.BadParameter(f"'{fail_on}' is none of {', '.join(ORDER)}", param_hint="--fail-on")
    asked = {"severity": severity, "policy": policy, "subscription": subscription, "owner": owner, "state": state}
    with Client() as api:
        found = list(
            islice(api.pages("/findings", open=None if all_ else "true", limit=min(limit, 200), **asked), limit)
        )
        worst = _worst(api, fail_on, asked) if fail_on else 0
    if json:
        show.as_json(found)
    else:
        _tell(found)
    raise typer.Exit(FOUND if worst else 0)


def explain(
    finding: Annotated[str, typer.Argument(help="a finding's id, as `cortex findings` prints it")],
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Why a finding is what it is: the clause that decided, what was observed, and what would make it right."""
    with Client() as api:
        found = api.get(f"/findings/{finding}")
        explained = api.get(f"/findings/{finding}/explain")
    if json:
        show.as_json({"finding": found, "explanation": explained})
        return
    show.console.print(f"{show.severity(found['severity'])} {escape(found['title'])}", highlight=False)
    show.console.print(f"  {escape(found['resourceId'])}", highlight=False, soft_wrap=True)
    show.console.print(f"  {show.state(found['state'])}: {escape(explained['sentence'])}", highlight=False)
    for clause in found["evidence"]:
        if clause["decided"]:
            _tell_clause(clause)
    for need in found["needs"]:
        allowed = f" (needs {need['permission']})" if need["permission"] else ""
        show.console.print(f"  [yellow]would settle it:[/] {escape(need['part'])}: {need['reason']}{allowed}")
    for fix in explained.get("fixes") or ():
        show.console.print(f"  [green]would make it right:[/] {escape(fix['path'])} = {show.value(fix.get('value'))}")


def _worst(api: Client, fail_on: str, asked: dict[str, str | None]) -> int:
    bad_enough = ORDER[: ORDER.index(fail_on) + 1]
    wanted = [name for name in bad_enough if asked["severity"] in (None, name)]
    query = {**asked, "open": "true", "limit": 1}
    return sum(len(api.get("/findings", **{**query, "severity": name})["items"]) for name in wanted)


def _tell(found: list[Json]) -> None:
    show.table(
        f"{len(found)} findings",
        ("severity", "state", "finding"),
        (
            (
                show.severity(each["severity"]),
                show.state(each["state"]),
                f"{escape(each['id'])}\n[dim]{show.name(each['resourceId'])}{_owner(each)}[/]",
            )
            for each in found
        ),
    )


def _owner(found: Json) -> str:
    return f", {escape(found['owner'])}" if found["owner"] else ""


def _tell_clause(clause: Json) -> None:
    where = escape(clause["path"] or clause["field"])
    show.console.print(
        f"  [dim]{escape(clause['clause'])}[/] {where} {clause['operator']} {show.value(clause['expected'])},"
        f" observed {show.value(clause['observed'])}",
        highlight=False,
    )

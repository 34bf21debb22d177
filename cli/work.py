"""`cortex import` and `cortex scan`: start work, watch it, and end with what came of it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.client import Client, Json

CHUNK = 1 << 20
EXITS = {"completed": 0, "partial": 2}
PAUSE = 0.3


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="an exported inventory")],
    subscription: Annotated[str | None, typer.Option(help="where an exported template is from")] = None,
    resource_group: Annotated[str | None, typer.Option(help="where an exported template is from")] = None,
    scan_after: Annotated[bool, typer.Option("--scan/--no-scan", help="judge what was imported afterwards")] = True,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Import an inventory that was exported elsewhere: no cloud account needed.

    Takes `az resource list`, `az graph query`, Resource Graph and ARM pages, ARM bodies, exported templates, JSON
    lines of any of these, and gzip. Exit code 2 when some records had to be left out.
    """
    origin = {"name": file.name, "subscription": subscription, "resourceGroup": resource_group}
    with Client() as api:
        started = api.upload("/imports", _read(file), **origin)
        ended = _watch(lambda: api.get(f"/imports/{started['id']}"), _import_progress)
        if scan_after and ended["kept"]:
            _scan(api, {"collect": False, "subscriptions": ended["subscriptions"]})
    if json:
        show.as_json(ended)
    else:
        _tell_import(ended)
    raise typer.Exit(EXITS.get(ended["status"], 1))


def scan(
    subscription: Annotated[list[str] | None, typer.Option(help="a subscription id; repeat for more")] = None,
    collect: Annotated[bool, typer.Option(help="read the cloud first, or judge what is stored")] = True,
    wait: Annotated[bool, typer.Option(help="wait for the end")] = True,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Collect the estate and judge it. Exit code 0 complete, 2 partial (something could not be read), 1 failed."""
    with Client() as api:
        body = {"collect": collect, **({"subscriptions": subscription} if subscription else {})}
        ended = _scan(api, body) if wait else api.post("/scans", body)
    if json:
        show.as_json(ended)
    else:
        _tell_scan(ended)
    raise typer.Exit(EXITS.get(ended["status"], 1) if wait else 0)


def _scan(api: Client, body: Json) -> Json:
    started = api.post("/scans", body)
    return _watch(lambda: api.get(f"/scans/{started['id']}"), _scan_progress)


def _read(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            yield chunk


def _watch(look: Callable[[], Json], progress: Callable[[Json], tuple[str, int, int | None]]) -> Json:
    """Look until it has ended, showing how far it is."""
    with show.progress() as bar:
        task = bar.add_task("starting", total=None)
        while True:
            now = look()
            text, done, total = progress(now)
            bar.update(task, description=text, completed=done, total=total)
            if now.get("endedAt"):
                return now
            time.sleep(PAUSE)


def _scan_progress(now: Json) -> tuple[str, int, int | None]:
    parts = now["progress"].values()
    expected = sum(each["expected"] or each["collected"] for each in parts)
    judged = sum(each["judged"] for each in parts)
    collecting = any(each["collecting"] != "done" for each in parts)
    if collecting:
        return "collecting", sum(each["collected"] for each in parts), expected or None
    return "judging", judged, expected or None


def _import_progress(now: Json) -> tuple[str, int, int | None]:
    return "importing", now["records"], None


def _tell_scan(scanned: Json) -> None:
    show.console.print(
        f"Scan [bold]{scanned['id']}[/] {scanned['status']}: {scanned['resources']} resources,"
        f" {scanned['pairs']} judgements, [bold]{scanned['attention']}[/] need attention"
    )
    if scanned["reason"]:
        show.console.print(f"  {escape(scanned['reason'])}")
    for gap in scanned["gaps"][:5]:
        role = f" - the role {gap['role']} would allow it" if gap.get("role") else ""
        show.console.print(
            f"  [yellow]not read:[/] {escape(gap['part'])} in {show.short(gap['scope'])}: {gap['reason']}{role}"
        )


def _tell_import(ended: Json) -> None:
    show.console.print(
        f"Import [bold]{ended['id']}[/] {ended['status']}: {ended['kept']} of {ended['records']} records kept"
        f" in {len(ended['subscriptions'])} subscriptions"
    )
    if ended["reason"]:
        show.console.print(f"  {escape(ended['reason'])}")
    for bad in ended["firstBad"][:10]:
        place = f"record {bad['position']}, line {bad['line']}, at {escape(bad['path'])}"
        show.console.print(f"  [yellow]left out:[/] {place}: {escape(bad['reason'])}")

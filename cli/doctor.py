"""`cortex doctor`: what does not work after a deployment, in the order to fix it."""

from collections.abc import Iterator
from typing import Annotated

import typer

from cli import terminal
from cli.client import ApiError, Client
from cli.response import Diagnosis, DiagnosisCheck, Liveness, Readiness
from shared.domain.diagnosis import Health

EXIT_BROKEN = 1
_LIVENESS_SECONDS, _DIAGNOSIS_SECONDS = 30.0, 300.0
"""Seconds for a sign of life, and for a diagnosis: it tries every kind of call on the cloud."""
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_MARK = {"ok": ("✓", "green"), "broken": ("✗", "bold red"), "unknown": ("?", "yellow")}
_SIGN_IN_HELP = (
    "set CORTEX_TOKEN to a token that `cortex run` or `cortex token` printed on its machine; a deployed app has no "
    "sign-in yet and refuses every token: docs/deploy.md says what can be seen without one"
)
_ADDRESS_HELP = "start it here with `cortex run`, or set CORTEX_URL to the address that `azd up` printed"
_VERSION_HELP = "run or deploy the version of this command: `cortex run`, or `azd deploy`"
_START_HELP = "look at the app's log; then start `cortex run` again, or deploy again: `azd deploy`"


def doctor(json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Check the installation at CORTEX_URL: what does not work, and how to fix it, in that order.

    Checks the address, the stores, the token, the cloud and its permissions, events, queues, timers and the last scan.
    Nothing is changed. Exit code 1 when something is broken.
    """
    with Client(timeout=_DIAGNOSIS_SECONDS) as api:
        checks = list(_examine(api))
    broken = [each for each in checks if each["health"] == "broken"]
    if json:
        terminal.print_json({"healthy": not broken, "address": api.url, "checks": checks})
    else:
        _print(api.url, checks, len(broken))
    raise typer.Exit(EXIT_BROKEN if broken else 0)


def _examine(api: Client) -> Iterator[DiagnosisCheck]:
    """Yield the checks; what depends on a broken one is not checked."""
    try:
        api.get("/health", Liveness, seconds=_LIVENESS_SECONDS)
    except ApiError as error:
        yield _check("address", "broken", str(error), _ADDRESS_HELP)
        return
    yield _check("address", "ok", f"{api.url} answers")
    try:
        diagnosis = api.get("/diagnosis", Diagnosis)
    except ApiError as error:
        yield from _check_stores(api)
        yield _check("diagnosis", "broken", str(error), _remedy(error.status))
        return
    yield _check("token", "ok", "is accepted")
    yield from map(_check_diagnosis, diagnosis["checks"])


def _check_stores(api: Client) -> Iterator[DiagnosisCheck]:
    """Yield the checks of the stores, which need no token."""
    try:
        checks = api.readiness(Readiness)["checks"]
    except ApiError as error:
        yield _check("stores", "broken", str(error), _START_HELP)
        return
    for name, each in checks.items():
        if each["ready"]:
            yield _check(name, "ok")
        else:
            yield _check(name, "broken", each.get("reason", ""), _START_HELP)


def _remedy(status: int | None) -> str:
    if status in (UNAUTHORIZED, FORBIDDEN):
        return _SIGN_IN_HELP
    return _VERSION_HELP if status == NOT_FOUND else _START_HELP


def _check(name: str, health: str, detail: str = "", remedy: str | None = None) -> DiagnosisCheck:
    return {"name": name, "health": health, "detail": detail, "remedy": remedy}


def _check_diagnosis(check: DiagnosisCheck) -> DiagnosisCheck:
    """Return a check of the API; one with a health that this command does not know is broken."""
    if check["health"] in list(Health):
        return check
    detail = f"is '{check['health']}', which this command does not know; {check['detail']}"
    return _check(check["name"], "broken", detail, _VERSION_HELP)


def _print(address: str, checks: list[DiagnosisCheck], broken: int) -> None:
    for each in checks:
        mark = terminal.style_by(*_MARK.get(each["health"], ("?", "yellow")))
        detail = f": {each['detail']}" if each["detail"] else ""
        terminal.print_out("{} {}{}", mark, each["name"], detail, soft_wrap=True)
        if each["remedy"] and each["health"] != "ok":
            terminal.print_out("  [dim]→[/] {}", each["remedy"], soft_wrap=True)
    if broken:
        terminal.print_out(
            "\n[bold red]{}[/] at {}: fix the first one first", terminal.count(broken, "problem"), address
        )
    else:
        terminal.print_out("\n[green]no problems found[/] at {}", address)

"""The filters of findings, as options: the same for lists, for gates and for remediations."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

import typer

from cli import terminal
from cli.client import ApiError, Client
from cli.response import AssignmentSummary, Page
from shared.domain.finding import OPEN_STATUSES, FindingStatus, resource_key
from shared.domain.policy import Severity
from shared.domain.verdict import State

BAD_REQUEST = 400
_DISTANCE = re.compile(r"([0-9]{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SEVERITIES = tuple(map(str, Severity))
"""Worst first."""
RESOURCE_FILTERS = ("resourceType", "resourceGroup", "subscription", "owner", "environment")
"""Filters of findings that are about their resources, so that lists of resources have them too."""
OPTION_BY_FILTER = {"resourceType": "--type", "resourceGroup": "--resource-group"}
"""Filter of the API -> its option, where that has another name."""


class StateName(StrEnum):
    """The verdicts that findings have."""

    NON_COMPLIANT = State.NON_COMPLIANT
    UNKNOWN = State.UNKNOWN
    ERROR = State.ERROR
    EXEMPT = State.EXEMPT


class StatusName(StrEnum):
    """The statuses of findings, and words for several of them."""

    OPEN = "open"
    OPENED = FindingStatus.OPENED
    REOPENED = FindingStatus.REOPENED
    EXEMPT = FindingStatus.EXEMPT
    RESOLVED = FindingStatus.RESOLVED
    ALL = "all"


SeverityOption = Annotated[
    list[Severity] | None,
    typer.Option("--severity", metavar="NAME", help="only of this severity: critical, high, medium, low"),
]
StateOption = Annotated[
    list[StateName] | None,
    typer.Option("--state", metavar="NAME", help="only with this verdict: nonCompliant, unknown, error, exempt"),
]
StatusOption = Annotated[
    list[StatusName] | None,
    typer.Option(
        "--status",
        metavar="NAME",
        help="open (if none is given), exempt, resolved, all; or of the open ones: opened, reopened",
    ),
]
PolicyOption = Annotated[list[str] | None, typer.Option("--policy", metavar="NAME", help="only of this policy")]
AssignmentOption = Annotated[
    list[str] | None, typer.Option("--assignment", metavar="NAME", help="only of this assignment, by name or id")
]
ReferenceOption = Annotated[
    list[str] | None, typer.Option("--reference", metavar="ID", help="only of this definition reference")
]
CategoryOption = Annotated[
    list[str] | None, typer.Option("--category", metavar="NAME", help="only of policies of this category")
]
FrameworkOption = Annotated[
    list[str] | None, typer.Option("--framework", metavar="ID", help="only of policies that serve this framework")
]
ControlOption = Annotated[
    list[str] | None, typer.Option("--control", metavar="ID", help="only of policies that serve this control")
]
TypeOption = Annotated[
    list[str] | None, typer.Option("--type", "-t", metavar="TYPE", help="only on resources of this type, in any case")
]
GroupOption = Annotated[
    list[str] | None, typer.Option("--resource-group", "-g", metavar="NAME", help="only in this resource group")
]
InSubscriptionOption = Annotated[
    list[str] | None, typer.Option("--subscription", metavar="ID", help="only in this subscription")
]
OwnerOption = Annotated[
    list[str] | None, typer.Option("--owner", metavar="TAG", help="only where the tag `owner` is this")
]
EnvironmentOption = Annotated[
    list[str] | None, typer.Option("--environment", metavar="TAG", help="only where the tag `environment` is this")
]
ResourceOption = Annotated[
    str | None, typer.Option("--resource", metavar="ID", help="only of this resource, by ARM id or key")
]
RemediableOption = Annotated[
    Literal["yes", "no"] | None,
    typer.Option("--remediable", metavar="YES|NO", help="only those with a fix, or only those without"),
]
TextOption = Annotated[
    str | None,
    typer.Option("--text", metavar="TEXT", help="a part of title, policy, ARM id, owner or environment, in any case"),
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="opened since: 7d, 12h, 2026-03-31, or a time with offset")
]

Filters = Mapping[str, str | Sequence[str] | None]
"""Filters of the API by their names there."""


def statuses(status: Sequence[str] | None, state: Sequence[str] | None) -> Filters:
    """Return which statuses are listed: the open ones if none are named, exempt ones too where that state is."""
    if not status:
        return {"open": "true"} if not state or "exempt" not in state else {"status": (*OPEN_STATUSES, "exempt")}
    if "all" in status:
        return {}
    named = [each for name in status for each in (OPEN_STATUSES if name == "open" else (name,))]
    return {"status": list(dict.fromkeys(named))}


def moment(text: str | None, now: datetime) -> str | None:
    """Return a day, a time or an age such as 7d as a time of the API; BadParameter for anything else."""
    return None if text is None else parse_moment(text, now, option="--since", way=-1)


def parse_moment(text: str, now: datetime, *, option: str, way: int) -> str:
    """Return a day, a time, or a distance such as 7d from now; `way` is -1 for the past, 1 for the future."""
    try:
        if distance := _DISTANCE.fullmatch(text):
            return _utc(now + way * timedelta(**{_UNITS[distance[2]]: int(distance[1])}))
        found = datetime.fromisoformat(text)
        return _utc(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        near = "an age such as 7d or 12h, which is ago" if way < 0 else "7d or 12h from now"
        message = f"'{text}' is no time: give a day such as 2027-03-31, a time with offset, or {near}"
        raise typer.BadParameter(message, param_hint=option) from None


def check(api: Client, filters: Filters, *, gate: bool) -> None:
    """Look whether anything can meet the filters: BadParameter in a gate where not, else a note.

    Errors: ApiError in a gate where nothing was evaluated that meets them.
    """
    try:
        api.get("/findings", Page[object], query={**filters, "strict": "true", "limit": 1})
    except ApiError as error:
        if error.status != BAD_REQUEST or not error.path.startswith("query"):
            raise
        name = error.path.partition(".")[2]
        if gate and name:
            option = OPTION_BY_FILTER.get(name, f"--{name}")
            raise typer.BadParameter(str(error), param_hint=option) from None
        if gate:
            raise
        terminal.print_err("[yellow]note:[/] {}", error)


def note_nothing(api: Client, filters: Filters) -> None:
    """Note why a list of resources is empty, where filters were given: a value that nothing has, or all together."""
    given = {name: value for name, value in filters.items() if value is not None}
    asked = {name: value for name, value in given.items() if name in RESOURCE_FILTERS}
    if asked:
        check(api, asked, gate=False)
    elif given:
        terminal.print_err("[yellow]note:[/] no resource meets these conditions")


def assignment_id(api: Client, given: str) -> str:
    """Return the id of an assignment that is given by its name or id; what is not known stays as it is.

    Raises:
        BadParameter: assignments of several scopes have the name.
    """
    known = api.pages("/assignments", AssignmentSummary, {"limit": 200})
    ids = [each["id"] for each in known if given.lower() in (each["name"].lower(), each["id"].lower())]
    if len(ids) > 1:
        raise typer.BadParameter(
            f"several assignments are named '{given}': {', '.join(ids)}", param_hint="--assignment"
        )
    return ids[0] if ids else given


def resource_id(named: str) -> str:
    """Return the key of a resource that is named by its key or its ARM id."""
    return resource_key(named.rstrip("/")) if named.startswith("/") else named


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

"""What an initiative holds, as tables: its members and where they lead, its parameters and who gets them."""

from collections.abc import Iterator

from rich.markup import escape

from cli import show, source
from shared.domain.error import InvalidInput
from shared.domain.initiative import InitiativeSummary, MemberSummary, ParameterSummary
from shared.services import membership
from shared.services.library import Shape


def show_members(policy: str, *, as_json: bool) -> None:
    """Print what the initiatives and assignments of a name hold; InvalidInput for a definition alone."""
    entries, shelf = source.gathered([policy])
    wanted = [each for each in entries if each.shape is not Shape.DEFINITION]
    if not wanted:
        raise InvalidInput(f"'{policy}' is no initiative: say on which resource to explain it", path="--resource")
    told = [membership.tell(each, shelf) for each in wanted]
    if as_json:
        show.as_json([each.model_dump(mode="json", by_alias=True) for each in told])
        return
    for each in told:
        _print(each)


def _print(told: InitiativeSummary) -> None:
    by = f" as [bold]{escape(told.assignment)}[/] assigns it" if told.assignment else ""
    show.console.print(f"[bold]{escape(told.name)}[/]{by}: {escape(told.display_name)}", highlight=False)
    show.table("Members", ("member", "effect", "leads to, and what it gets"), map(_member, told.members))
    if told.parameters:
        show.table("Parameters", ("parameter", "type", "value", "members"), map(_parameter, told.parameters))
    wrong = sum(each.problem is not None for each in told.members)
    show.console.print(f"{len(told.members)} members, {wrong} that cannot be used", highlight=False)


def _member(each: MemberSummary) -> tuple[str, ...]:
    leads = f"[red]{escape(each.problem)}[/]" if each.problem else escape(each.display_name)
    gets = [f"{escape(name)} = {show.value(value)}" for name, value in each.parameters.items()]
    more = " · ".join(part for part in (escape(_versions(each)), *gets) if part)
    return escape(each.reference), escape(each.effect) or "-", leads + (f"\n[dim]{more}[/]" if more else "")


def _versions(each: MemberSummary) -> str:
    return each.held if each.version in ("", each.held) else f"{each.held or 'none'} for {each.version}"


def _parameter(each: ParameterSummary) -> tuple[str, ...]:
    open_ = each.required and each.value is None
    value = "[yellow]needed[/]" if open_ else show.value(each.value)
    return escape(each.name), each.type, value, ", ".join(map(escape, _few(each.members))) or "[yellow]none[/]"


def _few(names: tuple[str, ...]) -> Iterator[str]:
    yield from names[:3]
    if len(names) > 3:  # noqa: PLR2004 - what a line holds
        yield f"{len(names) - 3} more"

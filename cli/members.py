"""The members of an initiative and its parameters, as tables."""

from rich.text import Text

from cli import input_file, terminal
from shared.authoring.library import DocumentShape
from shared.domain.error import InvalidInput
from shared.domain.initiative import InitiativeSummary, MemberSummary, ParameterSummary
from shared.services.policy import initiative

_LISTED_MEMBERS = 3
"""Members that are named in a row; of more, the row has the number."""


def show_members(policy: str, *, as_json: bool) -> None:
    """Print the members of the initiatives and assignments that a name means; InvalidInput for a definition alone."""
    folder_library, refused = input_file.gather_policies([policy])
    wanted = [each for each in folder_library.entries if each.shape is not DocumentShape.DEFINITION]
    if refused and not wanted:
        raise refused[0]
    for problem in refused:
        terminal.print_left_out(problem)
    if not wanted:
        raise InvalidInput(f"'{policy}' is not an initiative: name a resource to explain it on", path="--resource")
    summaries = [initiative.summarize(each, folder_library) for each in wanted]
    if as_json:
        terminal.print_json([each.model_dump(mode="json", by_alias=True) for each in summaries])
        return
    for each in summaries:
        _print(each)


def _print(summary: InitiativeSummary) -> None:
    by = terminal.styled(", assigned by [bold]{}[/]", summary.assignment) if summary.assignment else ""
    terminal.print_out("[bold]{}[/]{}: {}", summary.name, by, summary.display_name)
    terminal.table("Members", ("member", "effect", "definition and parameter values"), map(_member, summary.members))
    if summary.parameters:
        terminal.table("Parameters", ("parameter", "type", "value", "members"), map(_parameter, summary.parameters))
    wrong = sum(each.problem is not None for each in summary.members)
    unusable = f", {wrong} of which cannot be used" if wrong else ""
    terminal.print_out("{}{}", terminal.count(len(summary.members), "member"), unusable)


def _member(each: MemberSummary) -> tuple[str | Text, ...]:
    leads = terminal.style_by(each.problem, "red") if each.problem else each.display_name
    gets = [f"{name} = {terminal.format_value(value)}" for name, value in each.parameters.items()]
    version = (
        each.effective_version
        if each.version in ("", each.effective_version)
        else f"{each.effective_version or 'none'} for {each.version}"
    )
    more = " · ".join(part for part in (version, *gets) if part)
    return each.reference, each.effect or "-", terminal.styled("{}\n[dim]{}[/]", leads, more) if more else leads


def _parameter(each: ParameterSummary) -> tuple[str | Text, ...]:
    missing = each.required and each.value is None
    value = terminal.style_by("required", "yellow") if missing else terminal.format_value(each.value)
    others = len(each.members) - _LISTED_MEMBERS
    listed = ", ".join([*each.members[:_LISTED_MEMBERS], *([f"{others} more"] if others > 0 else [])])
    return each.name, each.type, value, listed or terminal.style_by("none", "yellow")

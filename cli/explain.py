"""`cortex policy explain`: the clauses of a policy on a resource as a tree, which decided, and what would fix it."""

import json as stdlib_json
import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.tree import Tree

from cli import contents, show, source
from shared.domain.inventory import BadRecord
from shared.engine import Explanation, Fix
from shared.engine.explain import Step
from shared.services.placement import Placement

_MARK = {True: "[green]true[/]", False: "[red]false[/]", None: "[yellow]unknown[/]"}


def explain_policy(
    policy: source.PolicyName,
    resource: Annotated[
        str | None, typer.Option("--resource", help="a file of resources, or - for stdin; without one: the members")
    ] = None,
    parameters: source.Parameters = "{}",
    aliases: source.Aliases = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Show why a policy says what it says of resources, clause by clause, and the smallest change that would comply.

    Of an initiative or an assignment without --resource: its members, where they lead, its parameters.
    """
    if resource is None:
        contents.show_members(policy, as_json=json)
        return
    places = source.placed([policy], parameters, aliases)
    for found in source.resources(resource):
        if isinstance(found, BadRecord):
            show.errors.print(
                f"[yellow]left out:[/] record {found.position}, line {found.line}: {escape(found.reason)}"
            )
            continue
        for each in places:
            _print(each, each.explain(found, source.context()), as_json=json)


def _print(place: Placement, explained: Explanation, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(stdlib_json.dumps({**explained.to_json(), **place.told(explained.verdict)}) + "\n")
        return
    show.console.print(tree(place, explained), highlight=False)


def tree(place: Placement, explained: Explanation) -> Tree:
    """The explanation as a tree: the sentence, the rule, the existenceCondition, what was not read, the fixes."""
    verdict, policy = explained.verdict, place.policy
    head = f"{show.state(verdict.state)} [bold]{escape(place.name)}[/] on {show.short(verdict.resource)}"
    message = place.message(verdict)
    said = f"{explained.sentence()}\n{message}" if message else explained.sentence()
    root = Tree(f"{head}\n{escape(said)}", guide_style="dim")
    if explained.rule is not None:
        _grow(root.add("[bold]if[/]"), explained.rule)
    if explained.existence is not None:
        _grow(root.add(f"[bold]existenceCondition[/] of {escape(policy.details.type)}"), explained.existence)
    for need in verdict.needs:
        allowed = f" (needs {escape(need.permission)})" if need.permission else ""
        root.add(f"[yellow]would settle it:[/] {escape(need.part)}, not read: {escape(need.reason)}{allowed}")
    for fix in explained.fixes:
        root.add(f"[green]would comply:[/] {_fix(fix)}")
    return root


def _grow(branch: Tree, step: Step) -> None:
    weight = "" if step.decided else "dim "
    said = f"{step.kind}" if not step.operator else _condition(step)
    decided = " [bold]← decided[/]" if step.decided and step.operator else ""
    style = f"[{weight.strip() or 'none'}]"
    below = branch.add(f"{_MARK[step.result]} {style}{said}[/]{decided}")
    for part in step.parts:
        _grow(below, part)


def _condition(step: Step) -> str:
    """A condition with what it saw: the property, the operator, the expected and the observed value."""
    named = escape(step.path or step.field)
    subject = f"count of {named}" if step.kind == "count" else named
    expected = "" if step.expected is None else f" {show.value(step.expected)}"
    return f"{subject} {step.operator}{expected} [dim]· found[/] {show.value(step.observed)}"


def _fix(fix: Fix) -> str:
    if fix.action == "set":
        return f"set {escape(fix.path)} to {show.value(fix.value)}"
    return f"{fix.action} {escape(fix.path)}" + (f": {escape(fix.text)}" if fix.text else "")

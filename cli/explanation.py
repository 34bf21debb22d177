"""Explanations in the terminal: what is wrong, where, why it matters, the controls, the fix; then the tree."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from cli import terminal
from shared.engine import EffectivePolicy
from shared.engine.explain.reason import grouped, seen_part

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LABEL_COLUMNS = 9
_MARK = {True: Text("true", "green"), False: Text("false", "red"), None: Text("unknown", "yellow")}
_WEIGHED = frozenset({"nonCompliant", "exempt", "unknown"})
"""States in which it matters why a policy is there."""
Place = Callable[[str], str]
"""Returns where people find a JSON path of the definition, as `file:line`; "" where that is not known."""


def policy_title(effective: EffectivePolicy) -> str:
    """Return what people call a policy: its name with what brings it; of one named by a GUID, the display name."""
    outer, _, name = effective.name.rpartition("/")
    title = effective.policy.definition.display_name
    return "/".join(filter(None, (outer, title if title and _GUID.fullmatch(name) else name)))


def no_place(_clause: str) -> str:
    """Return nothing: the definition is in no file at hand."""
    return ""


def print_explanation(explained: Mapping[str, Any], place: Place = no_place, *, verbose: bool = False) -> None:
    """Print an explanation as the API returns it, in the order in which people ask; with `verbose` the tree too."""
    for label, text in _lines(explained, place):
        terminal.print_out("  [bold]{}[/] {}", label.ljust(_LABEL_COLUMNS), text, soft_wrap=True)
    if verbose:
        for name, step in (("if", explained["rule"]), ("existenceCondition", explained["existence"])):
            if step is not None:
                tree = Tree(terminal.styled("[bold]{}[/]", name), guide_style="dim")
                _add_steps(tree, step, place)
                terminal.console.print(tree)


def _lines(explained: Mapping[str, Any], place: Place) -> Iterator[tuple[str, object]]:
    yield "what", explained["title"]
    if not explained["reasons"] and not explained["missing"]:
        yield "result", explained["summary"]
    yield from _wheres(explained["reasons"], place)
    for need in explained["missing"]:
        allowed = f"; reading it takes {need['permission']}" if need["permission"] else ""
        yield "not read", f"{need['part']} ({need['reason']}{allowed})"
    if explained["state"] in _WEIGHED:
        named = (
            f"{framework} {', '.join(controls)}" for framework, controls in explained["controls"].items() if controls
        )
        why = "" if explained["title"].endswith(explained["rationale"]) else explained["rationale"]
        told = (("why", why), ("controls", "; ".join(named)))
        yield from (each for each in told if each[1])
    if explained.get("message"):
        yield "message", explained["message"]
    for fix in explained["fixes"]:
        yield "fix", terminal.style_by(fix["text"], "green")
    if explained["unfixable"]:
        yield "fix", explained["unfixable"]


def _wheres(reasons: Sequence[Mapping[str, Any]], place: Place) -> Iterator[tuple[str, object]]:
    """Yield a line for each fact that was seen, with all conditions that it meets and where those stand."""
    lines: dict[str, list[str]] = {}
    for reason in reasons:
        lines.setdefault(seen_part(reason["text"]), []).append(place(reason["clause"]))
    for text, places in zip(grouped(reason["text"] for reason in reasons), lines.values(), strict=True):
        said = ", ".join(filter(None, dict.fromkeys(places)))
        yield "where", terminal.styled("{}{}", text, terminal.styled(" [dim]· {}[/]", said) if said else "")


def _add_steps(branch: Tree, step: Mapping[str, Any], place: Place) -> None:
    said = _condition(step) if "operator" in step else Text(step["kind"])
    said.stylize_before("none" if step["decided"] else "dim")
    decided = terminal.styled(" [bold]← decided[/]") if step["decided"] and "operator" in step else ""
    line = terminal.styled(" [dim]{}[/]", place(step["clause"]) or step["clause"]) if "operator" in step else ""
    below = branch.add(terminal.styled("{} {}{}{}", _MARK[step["result"]], said, decided, line))
    for part in step.get("parts") or ():
        _add_steps(below, part, place)


def _condition(step: Mapping[str, Any]) -> Text:
    """Return a condition as text: the property, the operator, the expected and the observed value."""
    named = step["path"] or step["field"]
    subject = f"count of {named}" if step["kind"] == "count" else named
    expected = "" if step["expected"] is None else f" {terminal.format_value(step['expected'])}"
    return terminal.styled(
        "{} {}{} [dim]· found[/] {}", subject, step["operator"], expected, terminal.format_value(step["observed"])
    )

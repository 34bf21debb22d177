"""Lint rules about what Azure's documentation rules out though it reads well: functions, names and sizes of counts.

Sources: "Azure Policy definition structure policy rule": functions, value count, limits.
"""

import re
from collections.abc import Iterator, Mapping

from shared.authoring.lint.subject import DefinitionSubject, LintFinding, LintRule, called_functions, strings
from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.engine import Policy
from shared.engine.language.expression import Literal
from shared.engine.language.traversal import parameter_name, walk_nodes
from shared.engine.language.tree import Condition, CountExpression, Node, Operand

VALUE_COUNT_ITERATIONS = 100
"""Members that a value count may go through."""
_FORBIDDEN_FUNCTIONS = {
    "datetimeadd": "use addDays(utcNow(), …)",
    "datetimefromepoch": "compare with a date written as text",
    "datetimetoepoch": "compare the dates themselves, with less or greater",
}
_COUNT_NAME = re.compile(r"\w(?:[\w. -]*\w)?")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9]+")


def forbidden_function(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a template function that Azure does not allow in policy rules, though templates have it.

    Use another function: the templates that a policy deploys may call it, the rule may not.
    """
    for path, text in strings(subject.properties.get("policyrule"), "$.policyRule"):
        if ".deployment.properties.template." in path:
            continue
        for call in called_functions(text):
            low = call.name.lower()
            if low in _FORBIDDEN_FUNCTIONS:
                yield LintFinding(path, f"{call.name}() is not allowed in a policy rule", _FORBIDDEN_FUNCTIONS[low])
            elif low == "utcnow" and call.arguments:
                message = "utcNow() takes no format in a policy rule, as it does in a template"
                yield LintFinding(path, message, "use utcNow(), which gives 2026-01-31T10:00:00.0000000Z")


def count_name(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find the name of a value count that a count around it has too, or that is no plain word.

    Give each count a name of its own: `current('name')` chooses between them by it.
    """
    for root, _ in subject.nodes:
        for count in _counts(root):
            name = count.name or ""
            if count.name is not None and not _COUNT_NAME.fullmatch(name):
                yield LintFinding(f"{count.path}.name", f"{name!r} is no name for a count", "use letters and digits")
            for inner in _counts(count.where):
                if name and (inner.name or "").lower() == name.lower():
                    yield LintFinding(
                        f"{inner.path}.name", f"a count around this one is called {name!r} too", "use another name"
                    )


def count_name_plain(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find the name of a value count that has other characters than English letters and digits.

    Leave the others out: Azure's documentation names letters and digits only.
    """
    for root, _ in subject.nodes:
        for count in _counts(root):
            name = count.name or ""
            if _COUNT_NAME.fullmatch(name) and not _PLAIN_NAME.fullmatch(name):
                message = f"the name {name!r} of a count has more than English letters and digits"
                yield LintFinding(f"{count.path}.name", message, "use letters and digits")


def count_size(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a value count over more than 100 members, the documented limit; those of value counts around it multiply.

    Shorten the list, or split the policy: Azure may refuse the definition. The default of a parameter counts.
    """
    defaults = {name: each.default for name, each in subject.parameters.items()}
    for root, _ in subject.nodes:
        for count, message in _sizes(root, defaults):
            yield LintFinding(f"{count.path}.value", message, "shorten the list")


def long_counts(policy: Policy) -> Iterator[str]:
    """Yield what is to be said of each value count that goes through more members than Azure takes."""
    for root in (policy.definition.condition, policy.details.existence):
        yield from (message for _, message in _sizes(root, policy.parameters))


def _sizes(root: Node | None, values: Mapping[str, Json]) -> Iterator[tuple[CountExpression, str]]:
    """Yield the counts that go through too many members, each with what is to be said of it."""
    around: dict[str, int] = {}
    for count in _counts(root):
        outer, own = around.get(count.path, 1), len(_listed(count.value, values))
        # The counts come from the outside in, so that the nearest one around decides. What is not known is one.
        around |= {inner.path: outer * max(own, 1) for inner in _counts(count.where)}
        if own > VALUE_COUNT_ITERATIONS:
            yield count, f"the count goes through {own:,} members, {VALUE_COUNT_ITERATIONS} are documented"
        elif outer <= VALUE_COUNT_ITERATIONS < outer * own:
            how = f"{own:,} members for each of {outer:,} around it"
            yield count, f"the count goes through {how}, {VALUE_COUNT_ITERATIONS} in all are documented"


def _counts(root: Node | None) -> Iterator[CountExpression]:
    """Yield every count below a node."""
    for node in walk_nodes(root) if root is not None else ():
        if isinstance(node, Condition) and isinstance(node.left, CountExpression):
            yield node.left


def _listed(value: Operand | None, values: Mapping[str, Json]) -> list[Json]:
    """Return the members of a counted value, as far as they stand in the definition or are those of a parameter."""
    name = None if value is None else parameter_name(value)
    found: Json = value.value if isinstance(value, Literal) else values.get(name) if name is not None else None
    return found if isinstance(found, list) else []


RULES = (
    LintRule("function-forbidden", LintLevel.ERROR, forbidden_function),
    LintRule("count-name", LintLevel.ERROR, count_name),
    LintRule("count-name-plain", LintLevel.NOTE, count_name_plain),
    LintRule("count-size", LintLevel.WARNING, count_size),
)

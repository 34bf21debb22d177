"""Lint rules about form: what could be said once, or more simply."""

from collections.abc import Iterator

from shared.authoring.lint.subject import DefinitionSubject, LintFinding, LintRule, every_node, shape
from shared.domain.lint import LintLevel
from shared.engine.compile.applicability import field_name
from shared.engine.explain.sentence import OPPOSITE_OPERATORS
from shared.engine.language.comparison import ORDER_OPERATORS
from shared.engine.language.tree import AllOf, AnyOf, Condition, Literal, Not


def _groups(subject: DefinitionSubject) -> "Iterator[AllOf | AnyOf]":
    return (node for node in every_node(subject) if isinstance(node, AllOf | AnyOf))


def duplicate(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a condition that is repeated in one `allOf` or `anyOf`.

    Remove one of the two, or correct the one that was meant to differ.
    """
    for node in _groups(subject):
        seen: dict[object, str] = {}
        for part in node.parts:
            # By shape, not by text: spelling, and the order of the parts, make no difference to what a condition says.
            first = seen.setdefault(shape(part), part.path)
            if first != part.path:
                yield LintFinding(part.path, f"this says the same as {first}", "remove it")


def absorbed(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a nested clause that repeats a condition of the clause around it, so that it changes nothing.

    `a and (a or b)` is `a`: remove the nested clause, or correct it.
    """
    for node in _groups(subject):
        other = AnyOf if isinstance(node, AllOf) else AllOf
        shapes = frozenset(map(shape, node.parts))
        for part in node.parts:
            if isinstance(part, other) and not shapes.isdisjoint(map(shape, part.parts)):
                yield LintFinding(
                    part.path, "this repeats a condition of the clause around it, so it changes nothing", "remove it"
                )


def single(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an `allOf` or `anyOf` with one part.

    Write the part alone.
    """
    for node in _groups(subject):
        if len(node.parts) == 1:
            yield LintFinding(node.path, "there is only one part", "write the part alone")


def nested(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an `allOf` directly in an `allOf`, or an `anyOf` in an `anyOf`.

    Move the inner parts to the outer clause.
    """
    for node in _groups(subject):
        for part in node.parts:
            if type(part) is type(node):
                yield LintFinding(
                    part.path, "this stands in a clause of the same kind", "put its parts among the outer ones"
                )


def negation(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a `not` around another `not`, or around one condition whose operator has an opposite.

    Use the opposite operator. Conditions on `[*]` are left alone, because there the two differ.
    """
    for node in every_node(subject):
        if not isinstance(node, Not):
            continue
        part = node.part
        if isinstance(part, Not):
            yield LintFinding(node.path, "a not around a not", "remove both")
        elif isinstance(part, Condition) and "[*]" not in (field_name(part) or ""):
            better = None if part.operator in ORDER_OPERATORS else OPPOSITE_OPERATORS.get(part.operator)
            if part.operator == "exists" and isinstance(part.right, Literal):
                better = f"exists: {str(str(part.right.value).lower() == 'false').lower()}"
            if better is not None:
                yield LintFinding(node.path, f"{better} says the same as {part.operator} within a not", f"use {better}")


RULES = (
    LintRule("clause-duplicate", LintLevel.WARNING, duplicate),
    LintRule("clause-absorbed", LintLevel.WARNING, absorbed),
    LintRule("clause-single", LintLevel.NOTE, single),
    LintRule("clause-nested", LintLevel.NOTE, nested),
    LintRule("not-opposite", LintLevel.NOTE, negation),
)

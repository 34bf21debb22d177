"""Lint rules about form: what could be said once, or more simply."""

from collections.abc import Iterator

from shared.domain.lint import Level
from shared.engine.applicability import field_name
from shared.engine.fix import OPPOSITE
from shared.engine.tree import AllOf, AnyOf, Condition, Literal, Not
from shared.services.lint.subject import UNTURNED, Found, Rule, Subject, every_node, shape


def _groups(subject: Subject) -> "Iterator[AllOf | AnyOf]":
    return (node for node in every_node(subject) if isinstance(node, AllOf | AnyOf))


def duplicate(subject: Subject) -> Iterator[Found]:
    """The same condition stands twice in one `allOf` or `anyOf`.

    Remove one of the two, or mend the one that was meant to differ.
    """
    for node in _groups(subject):
        seen: dict[object, str] = {}
        for part in node.parts:
            first = seen.setdefault(shape(part), part.path)
            if first != part.path:
                yield Found(part.path, f"this says the same as {first}", "remove it")


def absorbed(subject: Subject) -> Iterator[Found]:
    """A nested clause repeats a condition that stands beside it, so that it changes nothing.

    `a and (a or b)` is `a`: remove the nested clause, or mend it.
    """
    for node in _groups(subject):
        other = AnyOf if isinstance(node, AllOf) else AllOf
        shapes = frozenset(map(shape, node.parts))
        for part in node.parts:
            if isinstance(part, other) and not shapes.isdisjoint(map(shape, part.parts)):
                yield Found(part.path, "a condition of this stands beside it too, so it changes nothing", "remove it")


def single(subject: Subject) -> Iterator[Found]:
    """An `allOf` or `anyOf` has one part.

    Write the part alone.
    """
    for node in _groups(subject):
        if len(node.parts) == 1:
            yield Found(node.path, "there is only one part", "write the part alone")


def nested(subject: Subject) -> Iterator[Found]:
    """An `allOf` stands directly in an `allOf`, or an `anyOf` in an `anyOf`.

    Put the inner parts among the outer ones.
    """
    for node in _groups(subject):
        for part in node.parts:
            if type(part) is type(node):
                yield Found(part.path, "this stands in a clause of the same kind", "put its parts among the outer ones")


def negation(subject: Subject) -> Iterator[Found]:
    """A `not` stands around another `not`, or around one condition whose operator has an opposite.

    Use the opposite operator; with `[*]` in the field the two differ, so those are left alone.
    """
    for node in every_node(subject):
        if not isinstance(node, Not):
            continue
        part = node.part
        if isinstance(part, Not):
            yield Found(node.path, "this is denied twice", "remove both")
        elif isinstance(part, Condition) and "[*]" not in (field_name(part) or ""):
            better = _opposite(part)
            if better is not None:
                yield Found(node.path, f"not {part.operator} is {better}", f"use {better}")


def _opposite(part: Condition) -> str | None:
    """The operator that says the opposite for every value, absent ones too."""
    if part.operator == "exists" and isinstance(part.right, Literal):
        return f"exists: {str(str(part.right.value).lower() == 'false').lower()}"
    return None if part.operator in UNTURNED else OPPOSITE.get(part.operator)


RULES = (
    Rule("clause-duplicate", Level.WARNING, duplicate),
    Rule("clause-absorbed", Level.WARNING, absorbed),
    Rule("clause-single", Level.NOTE, single),
    Rule("clause-nested", Level.NOTE, nested),
    Rule("not-opposite", Level.NOTE, negation),
)

"""Evidence: which conditions decided, what they saw, and what was not read."""

from collections.abc import Iterator

from shared.domain.resource import Json
from shared.domain.verdict import Evidence
from shared.engine.clause import Clause
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.path import NOWHERE, Places, placed, standing
from shared.engine.unknown import Unknown, hole

MOST = 50
MOST_MEMBERS = 3


def deciding(clause: Clause, frame: Frame) -> Iterator[tuple[Clause, bool | None]]:
    """The conditions that the answer of a clause rests on, with their own answers, in the order of the rule."""
    answer = clause.test(frame.body, frame)
    if not clause.parts or clause.kind == "count":
        yield clause, answer
        return
    if clause.kind == "not":
        yield from deciding(clause.parts[0], frame)
        return
    for part in clause.parts:
        if part.test(frame.body, frame) is answer:
            yield from deciding(part, frame)
            if answer is (clause.kind == "anyOf"):
                return  # one true part decides anyOf, one false part allOf


def evidence(clause: Clause, frame: Frame, at: Places = NOWHERE) -> tuple[Evidence, ...]:
    """One entry for each deciding condition, at most `MOST`; of a count also what its members were counted for.

    `at` are the members that surrounding counts stand at: paths name them.
    """
    found: list[Evidence] = []
    for each, answer in deciding(clause, frame):
        if len(found) >= MOST:
            break
        found.append(entry(each, frame, answer=answer, at=at))
        if each.kind == "count" and each.parts:
            found += _members_evidence(each, frame, at)
    return tuple(found[:MOST])


def _members_evidence(clause: Clause, frame: Frame, at: Places) -> list[Evidence]:
    """The deciding conditions at the first members that were counted."""
    found: list[Evidence] = []
    where, seen = clause.parts[0], [0]

    def visit(indexes: tuple[int, ...]) -> None:
        if seen[0] < MOST_MEMBERS and where.test(frame.body, frame):
            seen[0] += 1
            found.extend(evidence(where, frame, standing(clause.resolved, indexes, at)))

    if clause.each is not None:
        clause.each(frame.body, frame, visit)
    return found


def entry(clause: Clause, frame: Frame, *, answer: bool | None, at: Places = NOWHERE) -> Evidence:
    """What a condition saw."""
    return Evidence(
        clause=clause.path,
        field=clause.field or clause.kind,
        path=placed(clause.resolved, at) if clause.resolved and at else clause.resolved,
        operator=clause.operator,
        expected=_plain(_read(clause, frame, "expect")),
        observed=_plain(_read(clause, frame, "observe")),
        result=answer,
    )


def _read(clause: Clause, frame: Frame, side: str) -> Json:
    read = clause.expect if side == "expect" else clause.observe
    try:
        return read(frame.body, frame) if read is not None else None
    except EvaluationError as error:
        return f"({error})"


def _plain(value: Json) -> Json:
    """The value as JSON, whatever was not read named in words."""
    if isinstance(value, Unknown):
        return f"(not read: {value.part})"
    if hole(value) is None:
        return value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value]


def needs(clause: Clause, frame: Frame) -> tuple[Unknown, ...]:
    """The unread parts behind an unknown answer, each once."""
    found: dict[Unknown, None] = {}
    for each, answer in deciding(clause, frame):
        if answer is None:
            found.update(dict.fromkeys(gaps(each, frame)))
        if len(found) >= MOST:
            break
    return tuple(found)


def gaps(clause: Clause, frame: Frame) -> Iterator[Unknown]:
    """The unread parts that one condition met; inside a count, those of its where clause at any member."""
    for side in ("observe", "expect"):
        gap = hole(_read(clause, frame, side))
        if gap is not None and clause.kind != "count":
            yield gap
    if clause.kind == "count":
        yield from _counted(clause, frame)


def _counted(clause: Clause, frame: Frame) -> list[Unknown]:
    found: dict[Unknown, None] = {}

    def visit(_: tuple[int, ...]) -> None:
        members = [each for each in frame.slots if each.__class__ is Unknown]
        found.update(dict.fromkeys(members))
        if not members and clause.parts and len(found) < MOST:
            found.update(dict.fromkeys(needs(clause.parts[0], frame)))

    if clause.each is not None:
        clause.each(frame.body, frame, visit)
    elif clause.observe is not None and (gap := hole(clause.observe(frame.body, frame))):
        found[gap] = None
    return list(found)

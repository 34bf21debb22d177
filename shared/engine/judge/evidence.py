"""Evidence: which conditions decided, what they saw, and what was not read."""

from collections.abc import Iterator

from shared.domain.resource import Json
from shared.domain.verdict import Evidence
from shared.engine.compile.clause import CompiledClause
from shared.engine.compile.path import NO_INDEXES, MemberIndexes, indexed_path, member_indexes
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.unknown import Unknown, first_unknown

EVIDENCE_ENTRIES = 50
EVIDENCE_MEMBERS = 3
NOT_READ = "(not read: "
"""Begins the words that stand for a value that was not read."""
FIELD_CHARACTERS = 1000
"""Characters that are kept of the expression that a condition is about."""


def deciding_clauses(clause: CompiledClause, frame: Frame) -> Iterator[tuple[CompiledClause, bool | None]]:
    """Yield the conditions that the answer of a clause rests on, with their own answers, in the order of the rule."""
    answer = clause.test(frame.body, frame)
    if not clause.parts or clause.kind == "count":
        yield clause, answer
        return
    if clause.kind == "not":
        yield from deciding_clauses(clause.parts[0], frame)
        return
    for part in clause.parts:
        if part.test(frame.body, frame) is answer:
            yield from deciding_clauses(part, frame)
            if answer is (clause.kind == "anyOf"):
                return  # one true part decides anyOf, one false part allOf


def evidence(clause: CompiledClause, frame: Frame, at: MemberIndexes = NO_INDEXES) -> tuple[Evidence, ...]:
    """Return an entry for each deciding condition, and for the members of counts; at most `EVIDENCE_ENTRIES`.

    `at` are the members that surrounding counts stand at: paths name them.
    """
    found: list[Evidence] = []
    for each, answer in deciding_clauses(clause, frame):
        if len(found) >= EVIDENCE_ENTRIES:
            break
        found.append(evidence_entry(each, frame, answer=answer, at=at))
        if each.kind == "count" and each.parts:
            found += _members_evidence(each, frame, at)
    return tuple(found[:EVIDENCE_ENTRIES])


def _members_evidence(clause: CompiledClause, frame: Frame, at: MemberIndexes) -> list[Evidence]:
    """Return the deciding conditions at the first members that were counted."""
    found: list[Evidence] = []
    where, seen = clause.parts[0], [0]

    def visit(indexes: tuple[int, ...]) -> None:
        if seen[0] < EVIDENCE_MEMBERS and where.test(frame.body, frame):
            seen[0] += 1
            found.extend(evidence(where, frame, member_indexes(clause.resolved, indexes, at)))

    if clause.each is not None:
        clause.each(frame.body, frame, visit)
    return found


def evidence_entry(
    clause: CompiledClause, frame: Frame, *, answer: bool | None, at: MemberIndexes = NO_INDEXES
) -> Evidence:
    """Return what a condition saw, as evidence."""
    return Evidence(
        clause=clause.path,
        field=clause.field if len(clause.field) <= FIELD_CHARACTERS else f"{clause.field[:FIELD_CHARACTERS]}…",
        path=indexed_path(clause.resolved, at) if clause.resolved and at else clause.resolved,
        operator=clause.operator,
        expected=_plain(_read(clause, frame, "expect")),
        observed=_plain(_read(clause, frame, "observe")),
        result=answer,
    )


def _read(clause: CompiledClause, frame: Frame, side: str) -> Json:
    read = clause.expect if side == "expect" else clause.observe
    try:
        return read(frame.body, frame) if read is not None else None
    except EvaluationError as error:
        return f"({error})"


def _plain(value: Json) -> Json:
    """Return the value as JSON, whatever was not read named in words."""
    if isinstance(value, Unknown):
        return f"{NOT_READ}{value.part})"
    if first_unknown(value) is None:
        return value
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value]


def missing_parts(clause: CompiledClause, frame: Frame) -> tuple[Unknown, ...]:
    """Return the unread parts behind an unknown answer, each once."""
    found: dict[Unknown, None] = {}
    for each, answer in deciding_clauses(clause, frame):
        if answer is None:
            found.update(dict.fromkeys(unread_parts(each, frame)))
        if len(found) >= EVIDENCE_ENTRIES:
            break
    return tuple(found)


def unread_parts(clause: CompiledClause, frame: Frame) -> Iterator[Unknown]:
    """Yield the unread parts that one condition met; inside a count, those of its where clause at any member."""
    for side in ("observe", "expect"):
        gap = first_unknown(_read(clause, frame, side))
        if gap is not None and clause.kind != "count":
            yield gap
    if clause.kind == "count":
        yield from _counted(clause, frame)


def _counted(clause: CompiledClause, frame: Frame) -> list[Unknown]:
    found: dict[Unknown, None] = {}

    def visit(_: tuple[int, ...]) -> None:
        members = [each for each in frame.slots if each.__class__ is Unknown]
        found.update(dict.fromkeys(members))
        if not members and clause.parts and len(found) < EVIDENCE_ENTRIES:
            found.update(dict.fromkeys(missing_parts(clause.parts[0], frame)))

    if clause.each is not None:
        clause.each(frame.body, frame, visit)
    elif clause.observe is not None and (gap := first_unknown(clause.observe(frame.body, frame))):
        found[gap] = None
    return list(found)

"""The tree of a rule: what each clause saw, and which clauses decided."""

from dataclasses import dataclass, replace

from shared.domain.resource import Json
from shared.engine.compile.clause import CompiledClause
from shared.engine.compile.path import NO_INDEXES, MemberIndexes, indexed_path, member_indexes
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.explain.rule_source import RuleSource
from shared.engine.judge.evidence import evidence_entry

EXPLAINED_MEMBERS = 5
_LOGICAL_KINDS = frozenset({"allOf", "anyOf", "not"})


@dataclass(frozen=True, slots=True)
class ExplanationStep:
    """One clause: `result` true, false or None for unknown; `decided` when the verdict rests on it.

    `field` is the name or the expression that a condition is about. Below a count stand the members that were counted,
    at most `EXPLAINED_MEMBERS`, each with the path of its `member`; `where` says in words what they are counted by.
    """

    clause: str
    kind: str
    result: bool | None
    decided: bool
    field: str = ""
    path: str | None = None
    operator: str = ""
    expected: Json = None
    observed: Json = None
    parts: "tuple[ExplanationStep, ...]" = ()
    member: str = ""
    where: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return the step as JSON, without what is empty."""
        full: dict[str, Json] = {
            "clause": self.clause,
            "kind": self.kind,
            "result": self.result,
            "decided": self.decided,
        }
        if self.operator:
            full |= {"field": self.field, "path": self.path, "operator": self.operator}
            full |= {"expected": self.expected, "observed": self.observed}
        return full | ({"parts": [each.to_json() for each in self.parts]} if self.parts else {})


@dataclass(frozen=True)
class TreeBuilder:
    """Builds the tree of clauses for one evaluation."""

    frame: Frame
    source: RuleSource

    def step(self, clause: CompiledClause, *, decided: bool, at: MemberIndexes = NO_INDEXES) -> ExplanationStep:
        """Return the clause and everything below it, evaluated where the frame stands; `at` are the members there."""
        try:
            result = clause.test(self.frame.body, self.frame)
        except EvaluationError as error:
            return self._failed(clause, error, decided=decided, at=at)
        if clause.kind in _LOGICAL_KINDS:
            parts = self._parts(clause, result=result, decided=decided, at=at)
            return ExplanationStep(clause.path, clause.kind, result, decided, parts=parts)
        condition = self._condition(clause, result=result, decided=decided, at=at)
        if clause.kind != "count" or not clause.parts:
            return condition
        where = self.source.phrase(clause.parts[0], self.frame)
        return replace(condition, parts=self._counted(clause, at), where=where)

    def _failed(
        self, clause: CompiledClause, error: EvaluationError, *, decided: bool, at: MemberIndexes
    ) -> ExplanationStep:
        """Return a clause without an answer; the condition that fails shows the error in place of what it saw."""
        if clause.kind in _LOGICAL_KINDS:
            parts = tuple(self.step(each, decided=False, at=at) for each in clause.parts)
            return ExplanationStep(clause.path, clause.kind, None, decided, parts=parts)
        return replace(self._condition(clause, result=None, decided=decided, at=at), observed=f"({error})")

    def _condition(
        self, clause: CompiledClause, *, result: bool | None, decided: bool, at: MemberIndexes
    ) -> ExplanationStep:
        seen = evidence_entry(clause, self.frame, answer=result, at=at)
        return ExplanationStep(
            clause=clause.path,
            kind=clause.kind,
            result=result,
            decided=decided,
            field=seen.field,
            path=seen.path,
            operator=seen.operator,
            expected=seen.expected,
            observed=seen.observed,
        )

    def _parts(
        self, clause: CompiledClause, *, result: bool | None, decided: bool, at: MemberIndexes
    ) -> tuple[ExplanationStep, ...]:
        """Return the parts; those decided that bring about the result (of several that would do, the first)."""
        one_is_enough = result is (clause.kind == "anyOf") and clause.kind != "not"
        found: list[ExplanationStep] = []
        open_ = decided
        for part in clause.parts:
            answer = self._answer(part)
            decides = open_ and (clause.kind == "not" or answer is result)
            found.append(self.step(part, decided=decides, at=at))
            if decides and one_is_enough:
                open_ = False
        return tuple(found)

    def _answer(self, clause: CompiledClause) -> bool | None:
        try:
            return clause.test(self.frame.body, self.frame)
        except EvaluationError:
            return None

    def _counted(self, clause: CompiledClause, at: MemberIndexes) -> tuple[ExplanationStep, ...]:
        where, found = clause.parts[0], list[ExplanationStep]()

        def visit(indexes: tuple[int, ...]) -> None:
            if len(found) < EXPLAINED_MEMBERS and self._answer(where) is not False:
                here = member_indexes(clause.resolved, indexes, at)
                member = indexed_path(clause.resolved, here) if clause.resolved else ""
                found.append(replace(self.step(where, decided=True, at=here), member=member))

        if clause.each is not None:
            clause.each(self.frame.body, self.frame, visit)
        return tuple(found)

"""The rule behind compiled clauses: expressions as written, what they read, and clauses in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from shared.domain.resource import Json
from shared.engine.compile.clause import CompiledClause
from shared.engine.compile.field import resolve_field
from shared.engine.compile.policy import Policy
from shared.engine.compile.scope import CompileScope
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.explain.sentence import (
    OPPOSITE_OPERATORS,
    and_text,
    condition_words,
    expression_words,
    is_set_wanted,
    shortened,
    subject_text,
)
from shared.engine.language.expression import FunctionCall, MemberAccess
from shared.engine.language.expression_text import operand_text
from shared.engine.language.traversal import function_calls, walk_conditions, walk_operand
from shared.engine.language.tree import Condition, CountExpression, Field, Literal, Operand, Value
from shared.engine.unknown import first_unknown

IMMUTABLE_FIELDS = frozenset({"type", "name", "fullname", "id", "kind", "location", "apiversion"})
_PHRASE_CONDITIONS = 4
_MEMBER_FUNCTIONS = ("empty", "length", "contains", "startswith", "endswith", "first", "last", "take", "skip")
_NAMING_FUNCTIONS = ("field", "parameters", "current")


@dataclass(frozen=True)
class RuleSource:
    """The conditions of a policy by their JSON path."""

    policy: Policy

    @cached_property
    def _conditions(self) -> Mapping[str, Condition]:
        existence = self.policy.details.existence
        nodes = (self.policy.definition.condition, *([existence] if existence is not None else ()))
        return {each.path: each for node in nodes for each in walk_conditions(node)}

    def _operand(self, path: str) -> Operand | None:
        match self._conditions.get(path):
            case Condition(left=Value(value=operand) | Field(name=operand) | CountExpression(value=operand)):
                return operand
            case _:
                return None

    def expression(self, path: str) -> str:
        """Return the expression that a condition is about, as it is written; "" for a count over a field."""
        operand = self._operand(path)
        return "" if operand is None else operand_text(operand)

    def literals(self, path: str) -> tuple[Json, ...]:
        """Return the texts and numbers in the expression of a condition, without names."""
        operand = self._operand(path)
        if operand is None:
            return ()
        names = {id(each) for call in function_calls(operand, *_NAMING_FUNCTIONS) for each in call.arguments}
        names |= {id(each.key) for each in walk_operand(operand) if isinstance(each, MemberAccess)}
        return tuple(
            each.value for each in walk_operand(operand) if isinstance(each, Literal) and id(each) not in names
        )

    def allowed_values(self, path: str) -> tuple[Json, ...]:
        """Return the values that the parameter on the right side of a condition may have: those that there are."""
        match self._conditions.get(path):
            case Condition(right=FunctionCall(name=function, arguments=(Literal(value=str(name)),))):
                known = self.policy.definition.parameters.get(name.lower())
                return known.allowed or () if known and function.lower() == "parameters" else ()
            case _:
                return ()

    def is_of_members(self, path: str) -> bool:
        """Return whether the expression of a condition asks for the members or the text of what it reads."""
        operand = self._operand(path)
        return operand is not None and any(function_calls(operand, *_MEMBER_FUNCTIONS))

    def is_emptiness(self, path: str) -> bool:
        """Return whether the expression of a condition says whether a property is empty, and nothing else."""
        match self._operand(path):
            case FunctionCall(name=name, arguments=(FunctionCall(name=inner),)):
                return (name.lower(), inner.lower()) == ("empty", "field")
            case _:
                return False

    def value_paths(self, path: str, frame: Frame) -> Iterator[str]:
        """Yield the paths of the single properties that the expression of a condition reads and that can be changed."""
        operand = self._operand(path)
        scope = CompileScope(self.policy.catalog, self.policy.parameters, frame.type, frame.api_version)
        for call in function_calls(operand, "field") if operand is not None else ():
            match call.arguments[0]:
                case Literal(value=str(name)) if "[*]" not in name and name.lower() not in IMMUTABLE_FIELDS:
                    found = resolve_field(name, scope).path
                    if found is not None:
                        yield found

    def phrase(self, clause: CompiledClause, frame: Frame, *, wanted: bool = True) -> str:
        """Return what a clause asks in words, with properties as they are called in the member it is about."""
        match clause.kind:
            case "not":
                return self.phrase(clause.parts[0], frame, wanted=not wanted)
            case "allOf" | "anyOf":
                word = "and" if (clause.kind == "allOf") is wanted else "or"
                if len(clause.parts) > _PHRASE_CONDITIONS:
                    return f"{len(clause.parts)} conditions hold"
                return and_text([self.phrase(each, frame, wanted=wanted) for each in clause.parts], word)
            case _:
                return f"{self.subject(clause)} is {self._words(clause, frame, wanted=wanted)}"

    def subject(self, clause: CompiledClause) -> str:
        """Return what a condition is about: a property below the nearest member, an expression, a number."""
        name = clause.resolved or subject_text(clause.field)
        below = name if name.startswith("[") else name.removesuffix("[*]").rpartition("[*]")[2].lstrip(".")
        if clause.kind == "count":
            return f"the number of {shortened(below)}"
        return "it" if name.endswith("[*]") else shortened(below)

    def _words(self, clause: CompiledClause, frame: Frame, *, wanted: bool) -> str:
        assert clause.expect is not None
        operator = clause.operator if wanted else OPPOSITE_OPERATORS.get(clause.operator, clause.operator)
        right = self._conditions[clause.path].right if clause.path in self._conditions else None
        if right is not None and any(function_calls(right, "current")):
            return expression_words(operator, operand_text(right))
        try:
            expected = clause.expect(frame.body, frame)
        except EvaluationError:
            return "…"
        if first_unknown(expected) is not None:
            return "…"
        if clause.operator == "exists":
            return "set" if is_set_wanted(expected) is wanted else "not set"
        return condition_words(operator, expected)

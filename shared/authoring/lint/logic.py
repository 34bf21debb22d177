"""Lint rules about truth: clauses that are always true or false, that contradict each other, or that fail."""

from collections.abc import Iterable, Iterator

from shared.authoring.lint.subject import (
    DefinitionSubject,
    LintFinding,
    LintRule,
    Types,
    every_node,
    narrowed,
)
from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.engine.compile.applicability import field_name, possible_types
from shared.engine.compile.clause import CompiledClause
from shared.engine.compile.compiler import compile_node, normalize_location
from shared.engine.compile.evaluate import compile_operand
from shared.engine.compile.scope import CompileScope
from shared.engine.error import EvaluationError
from shared.engine.explain.sentence import OPPOSITE_OPERATORS
from shared.engine.language.comparison import ORDER_OPERATORS, operator_check
from shared.engine.language.operand import POLICY_FUNCTIONS
from shared.engine.language.traversal import function_calls, parameter_name
from shared.engine.language.tree import AllOf, AnyOf, Condition, CountExpression, Literal, Node, Not, Operand, Value
from shared.engine.value import text as text_of

_FIELD_TESTS = 1_000
"""Conditions on one field that are weighed against each other."""
_ENUMERATING_OPERATORS = frozenset(("equals", "in"))
_NEVER_TRUE_COUNTS = {"less": 0, "equals": -1, "lessOrEquals": -1}
_ALWAYS_TRUE_COUNTS = {"greaterOrEquals": 0, "notEquals": -1, "greater": -1}


def constant(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a clause that is always true or always false, whatever the resource.

    Remove it: a true part of `allOf` or a false part of `anyOf` changes nothing, any other settles the whole
    clause.
    """
    for root, _ in () if subject.static else subject.nodes:
        try:
            clause = compile_node(root, CompileScope(subject.facts.aliases, {}))
        except EvaluationError:
            continue  # `evaluation-fails` reports it
        yield from (
            LintFinding(
                each.path, f"this is always {str(each.always).lower()}", "remove it, or correct what it compares"
            )
            for each in _settled(clause)
        )


def _settled(clause: CompiledClause) -> Iterator[CompiledClause]:
    """Yield the outermost clauses whose answer is known."""
    if clause.always is not None:
        yield clause
        return
    for part in clause.parts:
        yield from _settled(part)


def failing(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a condition that fails whenever it is evaluated, which enforcement treats as a deny.

    Correct the expression: an operand has a type that the operator or function does not take, or is null.
    """
    for root, _ in () if subject.static else subject.nodes:
        try:
            compile_node(root, CompileScope(subject.facts.aliases, {}))
        except EvaluationError as error:
            yield LintFinding(root.path, f"this cannot be evaluated: {error}")
    scope = CompileScope(subject.facts.aliases, {})
    for path, operand, _ in subject.operands:
        if isinstance(operand, Literal) and operand.value is None and not path.endswith(".value"):
            yield LintFinding(path, "the right side is null, which no operator takes", "use exists: false")
        elif (reason := _failure(operand, scope)) is not None:
            yield LintFinding(path, f"this fails whenever it is evaluated: {reason}")


def _failure(operand: Operand, scope: CompileScope) -> str | None:
    """Return why an expression of constants fails; None where it does not, or depends on more, or no steps are left."""
    if isinstance(operand, Literal) or any(function_calls(operand, *POLICY_FUNCTIONS)):
        return None
    try:
        compile_operand(operand, scope).read({}, scope.blank)
    except EvaluationError as error:
        # Out of steps is no fault of the expression: it may well be computed where more are allowed.
        return str(error) if scope.blank.steps >= 0 else None
    return None


def contradiction(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find conditions of one `allOf` on the same field that cannot all be true.

    Correct one of them: several values of one field belong in `in` or `anyOf`.
    """
    for node in every_node(subject):
        if isinstance(node, AllOf):
            yield from _excluding(node.parts, node.path, "can never all be true", negated=False)


def tautology(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find conditions of one `anyOf` on the same field of which one is always true.

    Two `notEquals` in an `anyOf` are the classic mistake: write `notIn`, or use `allOf`.
    """
    for node in every_node(subject):
        if isinstance(node, AnyOf):
            yield from _excluding(node.parts, node.path, "leave nothing out: one is always true", negated=True)


def _excluding(parts: Iterable[Node], path: str, what: str, *, negated: bool) -> Iterator[LintFinding]:
    """Yield the fields whose conditions (or their opposites) no value can meet."""
    tests: dict[str, list[tuple[str, Json]]] = {}
    for part in parts:
        if isinstance(part, Condition) and (test := _test(part, negated=negated)):
            tests.setdefault(field_name(part) or "", []).append(test)
    for name, found in tests.items():
        if 1 < len(found) <= _FIELD_TESTS and not _possible(found):
            yield LintFinding(
                path, f"the {len(found)} conditions on {name} {what}", "use in, notIn or the other of allOf and anyOf"
            )


def _test(part: Condition, *, negated: bool) -> tuple[str, Json] | None:
    """Return operator and literal of a condition on one value, or their opposite; None for other conditions."""
    name = field_name(part)
    if name is None or "[*]" in name or not isinstance(part.right, Literal) or part.operator in ORDER_OPERATORS:
        return None
    # "East US" and "eastus" are one location, and so no contradiction.
    value = normalize_location(part.right.value) if name == "location" else part.right.value
    if not negated:
        return part.operator, value
    if part.operator == "exists":
        return "exists", str(value).lower() == "false"
    return OPPOSITE_OPERATORS[part.operator], value


def _possible(tests: list[tuple[str, Json]]) -> bool:
    """Return whether some value can meet all tests; true where no test names its values one by one."""
    closed = [value if operator == "in" else [value] for operator, value in tests if operator in _ENUMERATING_OPERATORS]
    # Only an absent field meets `exists: false`, so that the others are tried on its value, null.
    if ("exists", False) in [(operator, str(value).lower() == "true") for operator, value in tests]:
        return all(_holds(operator, value, None) for operator, value in tests)
    if not closed or not all(isinstance(each, list) for each in closed):
        return True
    # Only a value that every closed test names can meet all; those of the shortest are tried.
    fewest = min(closed, key=len)
    return len(fewest) > _FIELD_TESTS or any(
        all(_holds(operator, value, each) for operator, value in tests) for each in fewest
    )


def _holds(operator: str, expected: Json, value: Json) -> bool:
    try:
        return operator_check(operator, expected)(value) is not False
    except EvaluationError:
        return True


def type_contradiction(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a clause that asks for a resource type which the rule around it has already excluded.

    Check the types: the clause can never be true.
    """
    for root, types in subject.nodes:
        yield from _excluded(root, types)


def _excluded(node: Node, types: Types) -> Iterator[LintFinding]:
    if isinstance(node, Condition):
        asked = possible_types(node, {})
        if asked is not None and types is not None and not asked & types:
            named = ", ".join(sorted(types)[:3])
            yield LintFinding(node.path, f"only resources of type {named} get here", "remove it")
        return
    # Only an allOf narrows: a part of an anyOf says nothing of the resources that reach the others.
    here = narrowed(node, types) if isinstance(node, AllOf) else types
    if here is not None and not here:
        yield LintFinding(node.path, "no resource has all the types that are asked for here", "use anyOf or in")
        return
    for each in (node.part,) if isinstance(node, Not) else node.parts:
        yield from _excluded(each, here)


def impossible_choice(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a comparison of a parameter with a value that it cannot have.

    Compare with one of its allowed values, or allow the value.
    """
    choices = {
        low: frozenset(text_of(choice).lower() for choice in each.allowed)
        for low, each in subject.tree.parameters.items()
        if each.allowed is not None
    }
    for place in subject.places:
        left, wanted = place.condition.left, place.literal
        name = (parameter_name(left.value) if isinstance(left, Value) else None) or ""
        if wanted is None or name not in choices or place.condition.operator not in {"equals", "notEquals"}:
            continue
        if text_of(wanted).lower() not in choices[name]:
            parameter = subject.tree.parameters[name]
            shown = ", ".join(map(str, (parameter.allowed or ())[:10]))
            message = f"the parameter {parameter.name!r} can never be {wanted!r}"
            yield LintFinding(place.condition.path, message, f"its allowed values are {shown}")


def settled_count(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a count that is compared with a number that settles the answer, or with something that is not a number.

    Counts are zero or more: `greater` 0 asks for one, `equals` 0 for none.
    """
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if not isinstance(place.condition.left, CountExpression) or wanted is None or isinstance(wanted, list):
            continue
        path = f"{place.condition.path}.{operator}"
        if isinstance(wanted, bool | str) and operator in ORDER_OPERATORS:
            yield LintFinding(path, f"a count cannot be ordered against {wanted!r}", "write a number")
        elif isinstance(wanted, int | float) and wanted <= _NEVER_TRUE_COUNTS.get(operator, wanted - 1):
            yield LintFinding(path, f"a count is never {operator} {wanted}", "use equals 0 for none")
        elif isinstance(wanted, int | float) and wanted <= _ALWAYS_TRUE_COUNTS.get(operator, wanted - 1):
            yield LintFinding(path, f"a count is always {operator} {wanted}", "use greater 0 for at least one")


RULES = (
    LintRule("clause-constant", LintLevel.WARNING, constant),
    LintRule("evaluation-fails", LintLevel.ERROR, failing),
    LintRule("clause-contradiction", LintLevel.WARNING, contradiction),
    LintRule("clause-tautology", LintLevel.WARNING, tautology),
    LintRule("type-contradiction", LintLevel.WARNING, type_contradiction),
    LintRule("parameter-never", LintLevel.WARNING, impossible_choice),
    LintRule("count-settled", LintLevel.WARNING, settled_count),
)

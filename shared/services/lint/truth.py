"""Lint rules about truth: clauses that are always true or false, that contradict each other, or that fail."""

from collections.abc import Iterable, Iterator

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine.applicability import field_name, possible_types
from shared.engine.clause import Clause
from shared.engine.comparison import checker
from shared.engine.compiler import compile_node, plain
from shared.engine.error import EvaluationError
from shared.engine.evaluate import compile_operand
from shared.engine.fix import OPPOSITE
from shared.engine.operand import CONTEXTUAL, calls
from shared.engine.scope import Scope
from shared.engine.tree import AllOf, AnyOf, Condition, Count, Literal, Node, Not, Operand, Value
from shared.engine.value import text as text_of
from shared.services.lint.subject import (
    UNTURNED,
    Found,
    Rule,
    Subject,
    Types,
    every_node,
    narrowed,
    parameter_name,
)

_MOST_TESTS = 1_000
"""Conditions on one field that are weighed against each other."""
_CLOSED = frozenset(("equals", "in"))
_NEVER = {"less": 0, "equals": -1, "lessOrEquals": -1}
_ALWAYS = {"greaterOrEquals": 0, "notEquals": -1, "greater": -1}


def constant(subject: Subject) -> Iterator[Found]:
    """A clause is always true or always false, whatever the resource.

    Remove it: a true part of `allOf` and a false part of `anyOf` change nothing, the others settle the whole clause.
    """
    for root, _ in () if subject.static else subject.nodes:
        try:
            clause = compile_node(root, Scope(subject.facts.aliases, {}))
        except EvaluationError:
            continue  # `evaluation-fails` tells
        yield from (
            Found(each.path, f"this is always {str(each.always).lower()}", "remove it, or mend what it compares")
            for each in _settled(clause)
        )


def _settled(clause: Clause) -> Iterator[Clause]:
    """The outermost clauses whose answer is known."""
    if clause.always is not None:
        yield clause
        return
    for part in clause.parts:
        yield from _settled(part)


def failing(subject: Subject) -> Iterator[Found]:
    """A condition fails whenever it is evaluated, which enforcement treats as a deny.

    Mend the expression: an operand of a type that the operator or function does not take, or a null.
    """
    for root, _ in () if subject.static else subject.nodes:
        try:
            compile_node(root, Scope(subject.facts.aliases, {}))
        except EvaluationError as error:
            yield Found(root.path, f"this cannot be evaluated: {error}")
    scope = Scope(subject.facts.aliases, {})
    for path, operand, _ in subject.operands:
        if isinstance(operand, Literal) and operand.value is None and not path.endswith(".value"):
            yield Found(path, "the right side is null, which no operator takes", "use exists: false")
        elif (reason := _failure(operand, scope)) is not None:
            yield Found(path, f"this fails whenever it is evaluated: {reason}")


def _failure(operand: Operand, scope: Scope) -> str | None:
    """Why an expression of constants fails; None where it does not, or depends on more, or no steps are left."""
    if isinstance(operand, Literal) or any(each.name.lower() in CONTEXTUAL for each in calls(operand)):
        return None
    try:
        compile_operand(operand, scope).read({}, scope.blank)
    except EvaluationError as error:
        return str(error) if scope.blank.steps >= 0 else None
    return None


def contradiction(subject: Subject) -> Iterator[Found]:
    """Conditions of one `allOf` on the same field cannot all be true.

    One of them is wrong: several values of one field belong into `in` or `anyOf`.
    """
    for node in every_node(subject):
        if isinstance(node, AllOf):
            yield from _excluding(node.parts, node.path, "can never all be true", negated=False)


def tautology(subject: Subject) -> Iterator[Found]:
    """Conditions of one `anyOf` on the same field leave no value out, so that it is always true.

    Two `notEquals` in an `anyOf` are the classic: write `notIn`, or use `allOf`.
    """
    for node in every_node(subject):
        if isinstance(node, AnyOf):
            yield from _excluding(node.parts, node.path, "leave nothing out: one is always true", negated=True)


def _excluding(parts: Iterable[Node], path: str, what: str, *, negated: bool) -> Iterator[Found]:
    """Fields whose conditions (or their opposites) no value can meet."""
    tests: dict[str, list[tuple[str, Json]]] = {}
    for part in parts:
        if isinstance(part, Condition) and (test := _test(part, negated=negated)):
            tests.setdefault(field_name(part) or "", []).append(test)
    for name, found in tests.items():
        if 1 < len(found) <= _MOST_TESTS and not _possible(found):
            yield Found(
                path, f"the {len(found)} conditions on {name} {what}", "use in, notIn or the other of allOf and anyOf"
            )


def _test(part: Condition, *, negated: bool) -> tuple[str, Json] | None:
    """Operator and literal of a condition on one value; the opposite when negated; None for other conditions."""
    name = field_name(part)
    if name is None or "[*]" in name or not isinstance(part.right, Literal) or part.operator in UNTURNED:
        return None
    value = plain(part.right.value) if name == "location" else part.right.value
    if not negated:
        return part.operator, value
    if part.operator == "exists":
        return "exists", str(value).lower() == "false"
    return OPPOSITE[part.operator], value


def _possible(tests: list[tuple[str, Json]]) -> bool:
    """Whether some value can meet all tests; true where no test names its values one by one."""
    closed = [value if operator == "in" else [value] for operator, value in tests if operator in _CLOSED]
    if ("exists", False) in [(operator, str(value).lower() == "true") for operator, value in tests]:
        return all(_holds(operator, value, None) for operator, value in tests)
    if not closed or not all(isinstance(each, list) for each in closed):
        return True
    fewest = min(closed, key=len)
    return len(fewest) > _MOST_TESTS or any(
        all(_holds(operator, value, each) for operator, value in tests) for each in fewest
    )


def _holds(operator: str, expected: Json, value: Json) -> bool:
    try:
        return checker(operator, expected)(value) is not False
    except EvaluationError:
        return True


def type_contradiction(subject: Subject) -> Iterator[Found]:
    """A clause asks for a resource type that the rule around it has already excluded.

    Check the types: the clause can never be true.
    """
    for root, types in subject.nodes:
        yield from _excluded(root, types)


def _excluded(node: Node, types: Types) -> Iterator[Found]:
    if isinstance(node, Condition):
        asked = possible_types(node, {})
        if asked is not None and types is not None and not asked & types:
            named = ", ".join(sorted(types)[:3])
            yield Found(node.path, f"only resources of type {named} get here", "remove it")
        return
    here = narrowed(node, types) if isinstance(node, AllOf) else types
    if here is not None and not here:
        yield Found(node.path, "no resource has all the types that are asked for here", "use anyOf or in")
        return
    for each in (node.part,) if isinstance(node, Not) else node.parts:
        yield from _excluded(each, here)


def impossible_choice(subject: Subject) -> Iterator[Found]:
    """A parameter is compared with a value that it cannot have.

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
            yield Found(place.condition.path, message, f"its allowed values are {shown}")


def settled_count(subject: Subject) -> Iterator[Found]:
    """A count is compared with a number that settles the answer, or with something that is no number.

    Counts are zero or more: `greater` 0 asks for one, `equals` 0 for none.
    """
    for place in subject.places:
        operator, wanted = place.condition.operator, place.literal
        if not isinstance(place.condition.left, Count) or wanted is None or isinstance(wanted, list):
            continue
        path = f"{place.condition.path}.{operator}"
        if isinstance(wanted, bool | str) and operator in UNTURNED:
            yield Found(path, f"a count cannot be ordered against {wanted!r}", "write a number")
        elif isinstance(wanted, int | float) and wanted <= _NEVER.get(operator, wanted - 1):
            yield Found(path, f"a count is never {operator} {wanted}", "use equals 0 for none")
        elif isinstance(wanted, int | float) and wanted <= _ALWAYS.get(operator, wanted - 1):
            yield Found(path, f"a count is always {operator} {wanted}", "use greater 0 for at least one")


RULES = (
    Rule("clause-constant", Level.WARNING, constant),
    Rule("evaluation-fails", Level.ERROR, failing),
    Rule("clause-contradiction", Level.WARNING, contradiction),
    Rule("clause-tautology", Level.WARNING, tautology),
    Rule("type-contradiction", Level.WARNING, type_contradiction),
    Rule("parameter-never", Level.WARNING, impossible_choice),
    Rule("count-settled", Level.WARNING, settled_count),
)

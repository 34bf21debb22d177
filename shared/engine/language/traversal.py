"""Walk over parsed rules: every node, every condition and its operands, every part of an operand."""

from collections.abc import Iterator

from shared.engine.language.expression import FunctionCall, Literal, MemberAccess
from shared.engine.language.tree import (
    AllOf,
    AnyOf,
    ArrayOf,
    Condition,
    CountExpression,
    Field,
    Node,
    Not,
    ObjectOf,
    Operand,
    Value,
)


def walk_nodes(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it in the order of the rule, the where clauses of counts included."""
    left = [node]  # a stack: compiling walks every rule several times, and nested generators would cost it a fifth
    while left:
        each = left.pop()
        yield each
        if isinstance(each, AllOf | AnyOf):
            left.extend(reversed(each.parts))
        elif isinstance(each, Not):
            left.append(each.part)
        elif isinstance(each.left, CountExpression) and each.left.where is not None:
            left.append(each.left.where)


def walk_conditions(node: Node) -> Iterator[Condition]:
    """Yield every condition below a node, those inside counts included."""
    return (each for each in walk_nodes(node) if isinstance(each, Condition))


def condition_operands(condition: Condition) -> Iterator[tuple[str, Operand]]:
    """Yield both sides of a condition as operands, each with its path below it; the field of a count is none."""
    left = condition.left
    if isinstance(left, Field):
        yield "field", left.name
    elif isinstance(left, Value):
        yield "value", left.value
    elif left.value is not None:
        yield "count.value", left.value
    yield condition.operator, condition.right


def walk_operand(operand: Operand) -> Iterator[Operand]:
    """Yield an operand and all of its parts, outermost first."""
    left = [operand]
    while left:
        each = left.pop()
        yield each
        match each:
            case FunctionCall(arguments=parts) | ArrayOf(members=parts):
                left.extend(reversed(parts))
            case MemberAccess(base=base, key=key):
                left += (key, base)
            case ObjectOf(pairs=pairs):
                left.extend(part for _, part in reversed(pairs))


def function_calls(operand: Operand, *names: str) -> Iterator[FunctionCall]:
    """Yield the function calls in an operand, outermost first; with names (lower case), only of those functions."""
    if isinstance(operand, Literal):
        return  # as most operands are
    for each in walk_operand(operand):
        if isinstance(each, FunctionCall) and (not names or each.name.lower() in names):
            yield each


def parameter_name(operand: Operand) -> str | None:
    """Return the name (lower case) in a plain `[parameters('x')]`; None for any other operand."""
    if isinstance(operand, FunctionCall) and operand.name.lower() == "parameters":
        name = operand.arguments[0]
        return str(name.value).lower() if isinstance(name, Literal) else None
    return None

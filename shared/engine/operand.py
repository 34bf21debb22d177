"""Reads operands (literals, expressions, arrays and objects of them) and checks the functions they call."""

from collections.abc import Iterator, Mapping

from shared.domain.resource import Json
from shared.engine.error import InvalidDefinition, nearest
from shared.engine.expression import Access, Call, Expression, Literal, is_expression, parse_expression, unescape
from shared.engine.function import FUNCTIONS
from shared.engine.tree import ArrayOf, ObjectOf, Operand

CONTEXTUAL: Mapping[str, tuple[str, int, int]] = {
    name.lower(): (name, least, most)
    for name, least, most in (
        ("parameters", 1, 1),
        ("field", 1, 1),
        ("current", 0, 1),
        ("resourceGroup", 0, 0),
        ("subscription", 0, 0),
        ("requestContext", 0, 0),
        ("policy", 0, 0),
        ("utcNow", 0, 1),
    )
}
_DEEPEST = 64
_LONGEST_STEP = 60
_MOST_ARGUMENTS = 128


def parse_operand(value: Json, path: str, depth: int = 0) -> Operand:
    """Read a value of a definition: strings may be expressions, arrays and objects may hold them."""
    if depth > _DEEPEST:
        raise InvalidDefinition(f"the value nests more than {_DEEPEST} levels", path=path)
    if isinstance(value, str):
        return checked(parse_expression(value, path), path) if is_expression(value) else Literal(unescape(value))
    if isinstance(value, list):
        if not any(isinstance(each, str | list | Mapping) for each in value):
            return Literal(value)
        return _array([parse_operand(each, f"{path}[{at}]", depth + 1) for at, each in enumerate(value)])
    if isinstance(value, Mapping):
        return _object([(str(key), parse_operand(each, _below(path, key), depth + 1)) for key, each in value.items()])
    return Literal(value)


def _below(path: str, key: Json) -> str:
    """The path of a member; of a long key only the beginning, for the paths of all that is below it begin with it."""
    return f"{path}.{str(key)[:_LONGEST_STEP]}"


def _array(members: list[Operand]) -> Operand:
    if all(isinstance(each, Literal) for each in members):
        return Literal([each.value for each in members if isinstance(each, Literal)])
    return ArrayOf(tuple(members))


def _object(pairs: list[tuple[str, Operand]]) -> Operand:
    if all(isinstance(each, Literal) for _, each in pairs):
        return Literal({key: each.value for key, each in pairs if isinstance(each, Literal)})
    return ObjectOf(tuple(pairs))


def checked(node: Expression, path: str) -> Expression:
    """The expression, if every function it calls exists and takes that many arguments."""
    for each in calls(node):
        low = each.name.lower()
        known = FUNCTIONS.get(low)
        name, least, most = (known.name, known.least, known.most) if known else CONTEXTUAL.get(low, ("", 0, 0))
        if not name:
            raise _unknown_function(each.name, path)
        if len(each.arguments) > _MOST_ARGUMENTS:
            message = f"{name}() has more than {_MOST_ARGUMENTS} arguments"
            raise InvalidDefinition(message, path=path, offending=each.name)
        if len(each.arguments) < least or (most is not None and len(each.arguments) > most):
            raise InvalidDefinition(_arity(name, least, most, len(each.arguments)), path=path, offending=each.name)
    return node


def _unknown_function(name: str, path: str) -> InvalidDefinition:
    known = [each.name for each in FUNCTIONS.values()] + [name for name, _, _ in CONTEXTUAL.values()]
    message = f"unknown function {name[:60]!r}"
    return InvalidDefinition(message, path=path, offending=name, suggestion=nearest(name, known))


def _arity(name: str, least: int, most: int | None, found: int) -> str:
    wanted = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
    return f"{name}() takes {wanted} arguments, found {found}"


def calls(node: Operand) -> Iterator[Call]:
    """Every function call inside, outermost first."""
    if isinstance(node, Call):
        yield node
    for inner in inside(node):
        yield from calls(inner)


def inside(node: Operand) -> tuple[Operand, ...]:
    """The parts of an operand."""
    match node:
        case Call():
            return node.arguments
        case Access():
            return (node.base, node.key)
        case ArrayOf():
            return node.members
        case ObjectOf():
            return tuple(each for _, each in node.pairs)
        case _:
            return ()

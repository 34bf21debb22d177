"""Read operands (literals, expressions, arrays and objects of them) and check the functions they call."""

from collections.abc import Mapping

from shared.domain.resource import Json
from shared.engine.error import InvalidDefinition, unknown_word
from shared.engine.functions import FUNCTIONS
from shared.engine.language.expression import Expression, Literal, is_expression, parse_expression, unescape
from shared.engine.language.traversal import function_calls
from shared.engine.language.tree import ArrayOf, ObjectOf, Operand

POLICY_FUNCTIONS: Mapping[str, tuple[str, int, int]] = {
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
RESOURCE_FUNCTIONS = POLICY_FUNCTIONS.keys() - {"parameters"}
"""Functions (lower case) that only the evaluation of a resource can answer."""
# Source: "Azure Policy definition structure policy rule", policy functions: what templates have and rules do not.
_TEMPLATE_FUNCTIONS = frozenset({
    "copyindex", "deployer", "deployment", "environment", "extensionresourceid", "managementgroup",
    "managementgroupresourceid", "newguid", "pickzones", "providers", "reference", "references", "resourceid",
    "subscriptionresourceid", "tenant", "tenantresourceid", "variables",
})  # fmt: skip
_OPERAND_LEVELS = 64
_PATH_STEP_CHARACTERS = 60
_FUNCTION_ARGUMENTS = 128


def parse_operand(value: Json, path: str, depth: int = 0) -> Operand:
    """Read a value of a definition: strings may be expressions, arrays and objects may hold them."""
    if depth > _OPERAND_LEVELS:
        raise InvalidDefinition(f"the value nests more than {_OPERAND_LEVELS} levels", path=path)
    if isinstance(value, str):
        return (
            check_functions(parse_expression(value, path), path) if is_expression(value) else Literal(unescape(value))
        )
    if isinstance(value, list):
        if not any(isinstance(each, str | list | Mapping) for each in value):
            return Literal(value)
        return _array([parse_operand(each, f"{path}[{at}]", depth + 1) for at, each in enumerate(value)])
    if isinstance(value, Mapping):
        # Of a long key only the beginning: the paths of all that is below it begin with it.
        paths = {key: f"{path}.{str(key)[:_PATH_STEP_CHARACTERS]}" for key in value}
        return _object([(str(key), parse_operand(each, paths[key], depth + 1)) for key, each in value.items()])
    return Literal(value)


def _array(members: list[Operand]) -> Operand:
    if all(isinstance(each, Literal) for each in members):
        return Literal([each.value for each in members if isinstance(each, Literal)])
    return ArrayOf(tuple(members))


def _object(pairs: list[tuple[str, Operand]]) -> Operand:
    if all(isinstance(each, Literal) for _, each in pairs):
        return Literal({key: each.value for key, each in pairs if isinstance(each, Literal)})
    return ObjectOf(tuple(pairs))


def check_functions(node: Expression, path: str) -> Expression:
    """Return the expression, if every function it calls exists and takes that many arguments."""
    for each in function_calls(node):
        low = each.name.lower()
        known = FUNCTIONS.get(low)
        name, least, most = (known.name, known.least, known.most) if known else POLICY_FUNCTIONS.get(low, ("", 0, 0))
        if not name:
            raise _no_function(each.name, path)
        if len(each.arguments) > _FUNCTION_ARGUMENTS:
            message = f"{name}() has more than {_FUNCTION_ARGUMENTS} arguments"
            raise InvalidDefinition(message, path=path, offending=each.name)
        if len(each.arguments) < least or (most is not None and len(each.arguments) > most):
            raise InvalidDefinition(_arity(name, least, most, len(each.arguments)), path=path, offending=each.name)
    return node


def _no_function(name: str, path: str) -> InvalidDefinition:
    if name.lower() in _TEMPLATE_FUNCTIONS or name.lower().startswith("list"):
        message = f"{name}() is for deployment templates, and not allowed in a policy rule"
        return InvalidDefinition(message, path=path, offending=name)
    known = [*(each.name for each in FUNCTIONS.values()), *(row[0] for row in POLICY_FUNCTIONS.values())]
    return unknown_word("function", name, known, path=path)


def _arity(name: str, least: int, most: int | None, found: int) -> str:
    wanted = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
    return f"{name}() takes {wanted} arguments, found {found}"

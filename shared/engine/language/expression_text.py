"""Expressions as people write them, made again from their trees."""

import json

from shared.domain.resource import Json
from shared.engine.language.tree import ArrayOf, FunctionCall, Literal, MemberAccess, ObjectOf, Operand


def operand_text(operand: Operand) -> str:
    """Return an operand as it stands in a definition: an expression in brackets, anything else as JSON."""
    match operand:
        case Literal(value=value):
            return json.dumps(value, ensure_ascii=False)
        case ArrayOf(members=members):
            return f"[{', '.join(map(operand_text, members))}]"
        case ObjectOf(pairs=pairs):
            return f"{{{', '.join(f'{json.dumps(name)}: {operand_text(each)}' for name, each in pairs)}}}"
        case _:
            return f"[{_expression(operand)}]"


def _expression(node: Operand) -> str:
    match node:
        case FunctionCall(name=name, arguments=arguments):
            return f"{name}({', '.join(map(_expression, arguments))})"
        case MemberAccess(base=base, key=Literal(value=str(key))) if key.isidentifier():
            return f"{_expression(base)}.{key}"
        case MemberAccess(base=base, key=key):
            return f"{_expression(base)}[{_expression(key)}]"
        case Literal(value=value):
            return _literal(value)
        case _:
            return operand_text(node)


def _literal(value: Json) -> str:
    quoted = str(value).replace("'", "''")
    return f"'{quoted}'" if isinstance(value, str) else json.dumps(value)

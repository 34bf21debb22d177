"""Parameters: their declarations, and the values that an assignment gives them."""

from collections.abc import Callable, Mapping
from datetime import datetime

from shared.domain.resource import Json
from shared.domain.spelling import lowered
from shared.engine.error import InvalidDefinition, nearest, unknown_word
from shared.engine.language.comparison import operator_check
from shared.engine.language.schema import schema_error
from shared.engine.language.tree import ParameterDefinition
from shared.engine.value import kind

_KEYS = (
    "type",
    "defaultValue",
    "allowedValues",
    "schema",
    "metadata",
    "minValue",
    "maxValue",
    "minLength",
    "maxLength",
)


def _is_time(value: Json) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


_TYPES: Mapping[str, Callable[[Json], bool]] = {
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
    "boolean": lambda value: isinstance(value, bool) or str(value).lower() in {"true", "false"},
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "datetime": _is_time,
    "any": lambda _: True,
}


def parse_parameters(source: Json, path: str) -> dict[str, ParameterDefinition]:
    """Return the declarations by lower-case name."""
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object of parameters", path=path)
    found = {name.lower(): _parameter(name, each, f"{path}.{name}") for name, each in source.items()}
    if len(found) != len(source):
        raise InvalidDefinition("a parameter occurs twice in different spellings", path=path)
    return found


def _parameter(name: str, source: Json, path: str) -> ParameterDefinition:
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object", path=path)
    for key in source:
        if key.lower() not in _LOWERED_KEYS:
            raise unknown_word("key", key, _KEYS, path=path)
    low = lowered(source)
    type_ = str(low.get("type", "any")).lower()
    if type_ not in _TYPES:
        raise unknown_word("parameter type", str(low.get("type")), _TYPES, path=f"{path}.type")
    allowed = low.get("allowedvalues")
    if allowed is not None and not isinstance(allowed, list):
        raise InvalidDefinition("allowedValues must be a list", path=f"{path}.allowedValues")
    return ParameterDefinition(
        name=name,
        type=type_,
        required="defaultvalue" not in low,
        default=low.get("defaultvalue"),
        allowed=tuple(allowed) if allowed else None,  # Azure takes an empty list for no restriction
        schema=low.get("schema"),
    )


_LOWERED_KEYS = {key.lower() for key in _KEYS}


def bind_values(
    declared: Mapping[str, ParameterDefinition], given: Mapping[str, Json] | None, *, schemas: bool = True
) -> dict[str, Json]:
    """Return the values by lower-case name: the given one, else the default; a missing required one is left out.

    The `schemas` of objects are for what people assign; a definition is compiled with values that were accepted.

    Raises:
        InvalidDefinition: a value for no declared parameter, of a wrong type, not allowed, or outside its schema.
    """
    values = {low: each.default for low, each in declared.items() if not each.required}
    if len({name.lower() for name in given or ()}) < len(given or ()):
        raise InvalidDefinition("a parameter is given twice in different spellings", path="$.parameters")
    for name, value in (given or {}).items():
        declaration = declared.get(name.lower())
        path = f"$.parameters.{name}"
        if declaration is None:
            names = tuple(each.name for each in declared.values())
            raise InvalidDefinition("no such parameter", path=path, offending=name, suggestion=nearest(name, names))
        # Assignments wrap their values, tests and expressions do not.
        plain = value["value"] if isinstance(value, Mapping) and set(value) == {"value"} else value
        values[name.lower()] = _accepted(declaration, plain, path)
        found = schema_error(plain, declaration.schema, path) if schemas and declaration.type == "object" else None
        if found is not None:
            raise InvalidDefinition(found[1], path=found[0], offending=str(plain))
    return values


def _accepted(declaration: ParameterDefinition, value: Json, path: str) -> Json:
    if not _TYPES[declaration.type](value):
        message = f"expected a value of type {declaration.type}, found {kind(value)}"
        raise InvalidDefinition(message, path=path, offending=str(value))
    if declaration.allowed is not None and not _allowed(declaration, value):
        shown = ", ".join(map(str, declaration.allowed[:10]))
        raise InvalidDefinition(f"{str(value)[:60]!r} is not one of the allowed values {shown}", path=path)
    return value.lower() == "true" if declaration.type == "boolean" and isinstance(value, str) else value


def _allowed(declaration: ParameterDefinition, value: Json) -> bool:
    """Return whether a value is allowed, without case; of an array parameter every member must be."""
    allowed = list(declaration.allowed or ())
    check = operator_check("in", allowed)
    if declaration.type == "array" and not any(isinstance(each, list) for each in allowed):
        return all(map(check, value))
    return check(value) is True


def missing_parameters(declared: Mapping[str, ParameterDefinition], values: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the names of required parameters without a value."""
    return tuple(each.name for low, each in declared.items() if low not in values)

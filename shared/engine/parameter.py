"""Parameters: their declarations, and the values that an assignment gives them."""

from collections.abc import Callable, Mapping
from datetime import datetime

from shared.domain.resource import Json
from shared.engine.comparison import checker
from shared.engine.error import InvalidDefinition, nearest
from shared.engine.schema import fault
from shared.engine.tree import Parameter
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


def parse_parameters(source: Json, path: str) -> dict[str, Parameter]:
    """The declarations by lower-case name."""
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object of parameters", path=path)
    found = {name.lower(): _parameter(name, each, f"{path}.{name}") for name, each in source.items()}
    if len(found) != len(source):
        raise InvalidDefinition("a parameter occurs twice in different spellings", path=path)
    return found


def _parameter(name: str, source: Json, path: str) -> Parameter:
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object", path=path)
    for key in source:
        if key.lower() not in _LOW_KEYS:
            raise InvalidDefinition(
                f"unknown key {key[:60]!r}", path=path, offending=key, suggestion=nearest(key, _KEYS)
            )
    low = {key.lower(): value for key, value in source.items()}
    type_ = str(low.get("type", "any")).lower()
    if type_ not in _TYPES:
        message = f"unknown parameter type {low.get('type')!r}"
        raise InvalidDefinition(message, path=f"{path}.type", suggestion=nearest(type_, tuple(_TYPES)))
    allowed = low.get("allowedvalues")
    if allowed is not None and not isinstance(allowed, list):
        raise InvalidDefinition("allowedValues must be a list", path=f"{path}.allowedValues")
    return Parameter(
        name=name,
        type=type_,
        required="defaultvalue" not in low,
        default=low.get("defaultvalue"),
        allowed=None if allowed is None else tuple(allowed),
        schema=low.get("schema"),
    )


_LOW_KEYS = {key.lower() for key in _KEYS}


def bind(
    declared: Mapping[str, Parameter], given: Mapping[str, Json] | None, *, schemas: bool = True
) -> dict[str, Json]:
    """The values by lower-case name: what is given, else the default; a required one that is missing is left out.

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
        plain = value["value"] if isinstance(value, Mapping) and set(value) == {"value"} else value
        values[name.lower()] = _accepted(declaration, plain, path)
        found = fault(plain, declaration.schema, path) if schemas and declaration.type == "object" else None
        if found is not None:
            raise InvalidDefinition(found[1], path=found[0], offending=str(plain))
    return values


def _accepted(declaration: Parameter, value: Json, path: str) -> Json:
    if not _TYPES[declaration.type](value):
        message = f"expected a value of type {declaration.type}, found {kind(value)}"
        raise InvalidDefinition(message, path=path, offending=str(value))
    if declaration.allowed is not None and not _allowed(declaration, value):
        shown = ", ".join(map(str, declaration.allowed[:10]))
        raise InvalidDefinition(f"{str(value)[:60]!r} is not one of the allowed values {shown}", path=path)
    return value.lower() == "true" if declaration.type == "boolean" and isinstance(value, str) else value


def _allowed(declaration: Parameter, value: Json) -> bool:
    """Every member of an array parameter must be allowed; comparison is without case."""
    allowed = list(declaration.allowed or ())
    check = checker("in", allowed)
    if declaration.type == "array" and not any(isinstance(each, list) for each in allowed):
        return all(map(check, value))
    return check(value) is True


def missing(declared: Mapping[str, Parameter], values: Mapping[str, Json]) -> tuple[str, ...]:
    """The names of required parameters without a value."""
    return tuple(each.name for low, each in declared.items() if low not in values)

"""JSON schemas of object parameters: where a value does not fit, and why.

Source: "Azure Policy definition structure parameters, schema" (JSON Schema 2019-09). Understood are the keywords for
types, choices, objects, arrays, lengths, bounds and combinations; `pattern`, `format` and remote references are left
unchecked, for an expression of somebody else's could take time without end.
"""

from collections.abc import Callable, Iterator, Mapping

from shared.domain.resource import Json
from shared.engine.value import hashable, is_number, kind, strictly_equal, text

SchemaError = tuple[str, str]
_SCHEMA_LEVELS = 64
_SIZES: Mapping[str, tuple[type, Callable[[int, int], bool], str]] = {
    "minLength": (str, int.__ge__, "at least {} characters"),
    "maxLength": (str, int.__le__, "at most {} characters"),
    "minItems": (list, int.__ge__, "at least {} members"),
    "maxItems": (list, int.__le__, "at most {} members"),
    "minProperties": (dict, int.__ge__, "at least {} properties"),
    "maxProperties": (dict, int.__le__, "at most {} properties"),
}
_BOUNDS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "minimum": (lambda value, bound: value >= bound, "at least {}"),
    "maximum": (lambda value, bound: value <= bound, "at most {}"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "more than {}"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "less than {}"),
}


def schema_error(value: Json, schema: Json, path: str, depth: int = 0) -> SchemaError | None:
    """Return the path of the first part that does not fit the schema, and what was expected there."""
    if schema is False:
        return path, "no such property"
    if not isinstance(schema, Mapping) or depth > _SCHEMA_LEVELS:
        return None
    plain = next(_scalar_errors(value, schema), None)
    if plain is not None:
        return path, plain
    return next((found for found in _nested_errors(value, schema, path, depth) if found is not None), None)


def _scalar_errors(value: Json, schema: Mapping[str, Json]) -> Iterator[str]:
    types = schema.get("type")
    listed = types if isinstance(types, list) else [types]
    if types is not None and not any(_is(value, each) for each in listed):
        yield f"expected {' or '.join(map(str, listed))}, found {kind(value)}"
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(strictly_equal(value, each) for each in choices):
        yield f"{text(value)[:60]} is not one of {', '.join(text(each) for each in choices[:10])}"
    if "const" in schema and not strictly_equal(value, schema["const"]):
        yield f"expected {text(schema['const'])[:60]}"
    yield from _size_errors(value, schema)


def _size_errors(value: Json, schema: Mapping[str, Json]) -> Iterator[str]:
    for key, (of, holds, words) in _SIZES.items():
        if isinstance(value, of) and isinstance(schema.get(key), int) and not holds(len(value), schema[key]):  # type: ignore[arg-type]
            yield f"expected {words.format(schema[key])}, found {len(value)}"  # type: ignore[arg-type]
    for key, (within, words) in _BOUNDS.items():
        if is_number(value) and is_number(schema.get(key)) and not within(value, schema[key]):
            yield f"expected {words.format(schema[key])}, found {text(value)}"


def _is(value: Json, name: Json) -> bool:
    if name == "integer":
        return is_number(value) and bool(value % 1 == 0)
    return bool(kind(value) == name)


def _nested_errors(value: Json, schema: Mapping[str, Json], path: str, depth: int) -> Iterator[SchemaError | None]:
    if isinstance(value, Mapping):
        yield from _property_errors(value, schema, path, depth)
    if isinstance(value, list):
        for at, each in enumerate(value):
            yield schema_error(each, schema.get("items"), f"{path}[{at}]", depth + 1)
        if schema.get("uniqueItems") is True and len({hashable(each) for each in value}) < len(value):
            yield path, "expected members that differ"
    yield from _combined_errors(value, schema, path, depth)


def _combined_errors(value: Json, schema: Mapping[str, Json], path: str, depth: int) -> Iterator[SchemaError | None]:
    for each in schema.get("allOf") or ():
        yield schema_error(value, each, path, depth + 1)
    for key, most in (("anyOf", None), ("oneOf", 1)):
        options = schema.get(key)
        if isinstance(options, list):
            fitting = sum(schema_error(value, each, path, depth + 1) is None for each in options)
            if not fitting or (most is not None and fitting > most):
                yield path, f"expected {'one' if most else 'any'} of {len(options)} forms, found {fitting} that fit"
    if "not" in schema and schema_error(value, schema["not"], path, depth + 1) is None:
        yield path, "expected another form"


def _property_errors(
    value: Mapping[str, Json], schema: Mapping[str, Json], path: str, depth: int
) -> Iterator[SchemaError | None]:
    known = schema.get("properties")
    properties: Mapping[str, Json] = known if isinstance(known, Mapping) else {}
    others = None if "patternProperties" in schema else schema.get("additionalProperties")
    for name in schema.get("required") or ():
        if name not in value:
            yield path, f"the property {name!r} is missing"
    for name, each in value.items():
        yield schema_error(each, properties.get(name, others), f"{path}.{name}", depth + 1)

"""The form of what people write around rules: which keys there are, and what kind of value each one takes."""

from collections.abc import Mapping

from shared.domain.resource import Json
from shared.engine.error import InvalidDefinition, nearest
from shared.engine.value import kind

Form = str | tuple["Form"] | Mapping[str, "Form"]
"""A kind of value ("string", "object", …; "any"), a tuple with the form of an array's members, or keys and forms."""


def shaped(source: Json, form: Form, path: str) -> Json:
    """The value with the keys that the form names in its spelling; what the form does not name stays.

    The service adds keys as it grows, so an unknown key is refused only where it looks like a known one misspelled.

    Raises:
        InvalidDefinition: another kind of value, a key twice in different spellings, a misspelled key.
    """
    if isinstance(form, str):
        return source if form == "any" else _of_kind(source, form, path)
    if isinstance(form, tuple):
        members = _of_kind(source, "array", path)
        return [shaped(each, form[0], f"{path}[{at}]") for at, each in enumerate(members)]
    spelling = {name.lower(): name for name in form}
    found: dict[str, Json] = {}
    for key, value in _of_kind(source, "object", path).items():
        name = spelling.get(str(key).lower()) or _foreign(str(key), form, path)
        if name in found:
            raise InvalidDefinition(f"the key {name[:60]!r} occurs twice in different spellings", path=path)
        found[name] = shaped(value, form[name], f"{path}.{name}") if name in form and value is not None else value
    return found


def opened(
    source: Mapping[str, Json], outer: Mapping[str, Form], inner: Mapping[str, Form]
) -> tuple[dict[str, Json], dict[str, Json]]:
    """A resource with `properties`, or the bare properties, as both of them: what is around, and the properties.

    Raises:
        InvalidDefinition: as `shaped`; the path of a property is told without `properties`.
    """
    if any(str(key).lower() == "properties" for key in source):
        around = shaped(source, outer, "$")
        return around, shaped(around["properties"], inner, "$")
    both = shaped(source, {**outer, **inner}, "$")
    return both, both


def _of_kind(source: Json, wanted: str, path: str) -> Json:
    if kind(source) != wanted:
        raise InvalidDefinition(
            f"expected {_article(wanted)}, found {kind(source)}", path=path, offending=str(source)[:200]
        )
    return source


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _foreign(key: str, form: Mapping[str, Form], path: str) -> str:
    near = nearest(key, tuple(form))
    if near:
        raise InvalidDefinition(f"unknown key {key[:60]!r}", path=f"{path}.{key[:60]}", offending=key, suggestion=near)
    return key

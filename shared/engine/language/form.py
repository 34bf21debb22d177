"""The form of what people write around rules: which keys there are, and what kind of value each one takes."""

from collections.abc import Mapping

from shared.domain.resource import Json
from shared.engine.error import InvalidDefinition, nearest, unknown_word
from shared.engine.value import kind

Form = str | tuple["Form"] | Mapping[str, "Form"]
"""A kind of value ("string", "object", …; "any"), a tuple with the form of an array's members, or keys and forms."""


def normalize(source: Json, form: Form, path: str) -> Json:
    """Return the value with the keys that the form names in its spelling; what the form does not name stays.

    The service adds keys as it grows, so an unknown key is refused only where it looks like a known one misspelled.

    Raises:
        InvalidDefinition: another kind of value, a key twice in different spellings, a misspelled key.
    """
    if isinstance(form, str):
        return source if form == "any" else _of_kind(source, form, path)
    if isinstance(form, tuple):
        members = _of_kind(source, "array", path)
        return [normalize(each, form[0], f"{path}[{at}]") for at, each in enumerate(members)]
    spelling = {name.lower(): name for name in form}
    found: dict[str, Json] = {}
    for key, value in _of_kind(source, "object", path).items():
        name = spelling.get(str(key).lower()) or str(key)
        if name not in form and nearest(name, form):
            raise unknown_word("key", name, form, path=f"{path}.{name[:60]}")
        if name in found:
            raise InvalidDefinition(f"the key {name[:60]!r} occurs twice in different spellings", path=path)
        found[name] = normalize(value, form[name], f"{path}.{name}") if name in form and value is not None else value
    return found


def split_properties(
    source: Mapping[str, Json], outer: Mapping[str, Form], inner: Mapping[str, Form]
) -> tuple[dict[str, Json], dict[str, Json]]:
    """Split a resource, or bare properties, into what stands around the properties and the properties.

    Raises:
        InvalidDefinition: as `normalize`; paths of properties leave `properties` out.
    """
    if any(str(key).lower() == "properties" for key in source):
        around = normalize(source, outer, "$")
        return around, normalize(around["properties"], inner, "$")
    both = normalize(source, {**outer, **inner}, "$")
    return both, both


def _of_kind(source: Json, wanted: str, path: str) -> Json:
    if kind(source) != wanted:
        article = "an" if wanted[0] in "aeiou" else "a"
        raise InvalidDefinition(f"expected {article} {wanted}, found {kind(source)}", path=path, offending=str(source))
    return source

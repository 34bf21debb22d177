"""The base of all models, and the types of texts and times that they share."""

import re
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

DOCUMENT_BYTES = 32 * 1024 * 1024
"""Bytes of JSON in the largest document; Azure Resource Manager takes 4 MB and answers more."""


class Model(BaseModel):
    """The base of all models: frozen, camelCase on the wire, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        defer_build=True,
        use_enum_values=False,
        ser_json_inf_nan="null",
        allow_inf_nan=False,
    )


# A class when it runs, an alias of a type for mypy.
INTERNAL: object = SkipJsonSchema()  # type: ignore[type-arg]
"""Marks a member that is stored and that no response shows, such as a cursor; schemas leave it out too."""


@cache
def internal_members(model: type[Model]) -> frozenset[str]:
    """Return the names of a model's internal members."""
    return frozenset(name for name, each in model.model_fields.items() if INTERNAL in each.metadata)


AnyCase = Annotated[str, AfterValidator(str.lower)]
"""A text that compares without case, such as an ARM id; kept in lower case."""

_TIMESTAMP_PATTERN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def _check_timestamp(given: object) -> object:
    """Refuse what JSON Schema's `date-time` does not take: numbers, dates alone, times without an offset."""
    if isinstance(given, (int, float)) or (isinstance(given, str) and not _TIMESTAMP_PATTERN.fullmatch(given)):
        raise ValueError("a time is expected as RFC 3339 has it, such as 2027-03-31T00:00:00Z")
    return given


Timestamp = Annotated[AwareDatetime, BeforeValidator(_check_timestamp)]
"""A time that people write, with its offset (RFC 3339)."""

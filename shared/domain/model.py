"""The two roots of every model: `Model` for what we and people write, `Foreign` for what vendors send."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Frozen, camelCase on the wire, refuses unknown keys."""

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


class Foreign(Model):
    """As `Model`, but keys we do not know are dropped: vendors add them as they please."""

    model_config = ConfigDict(extra="ignore")

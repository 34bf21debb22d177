"""What is wrong with a command, told by the names of its options: all of it at once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import typer
from pydantic import ValidationError

from cli.client import ApiError
from shared.domain.model import Model
from shared.domain.validation_message import describe

INVALID = (400, 422)
OptionByField = Mapping[str, str]
"""Field of a body, by its name in the JSON -> the option that it comes from."""


def find_faults(model: type[Model], body: Mapping[str, object], options: OptionByField) -> dict[str, str]:
    """Return what the API would refuse of these options, by option; fields that are not in the body are left out."""
    try:
        model.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False)
        fields = ((str(each["loc"][0]) if each["loc"] else "", each) for each in found)
        return {options[name]: describe(each) for name, each in fields if name in body and name in options}
    return {}


def check_faults(faults: Mapping[str, str]) -> None:
    """Raise BadParameter where there are faults, by option, which tells all of them."""
    if len(faults) == 1:
        ((option, reason),) = faults.items()
        raise typer.BadParameter(reason, param_hint=option)
    if faults:
        raise typer.BadParameter("; ".join(f"{option}: {reason}" for option, reason in faults.items()))


@contextmanager
def named_options(options: OptionByField) -> Iterator[None]:
    """Tell what the API refuses of a body by the option that it comes from: BadParameter."""
    try:
        yield
    except ApiError as error:
        name = error.path.removeprefix("$.").partition("[")[0]
        if error.status not in INVALID or name not in options:
            raise
        raise typer.BadParameter(str(error).removeprefix(f"{error.path}: "), param_hint=options[name]) from None

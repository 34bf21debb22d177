"""Options that say where resources are from, which templates do not say themselves, and of which api-version."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from cli.input_file import read_file_text
from shared.domain.error import InvalidInput
from shared.domain.import_job import ImportOrigin
from shared.domain.json_text import Unreadable
from shared.domain.jsonc import read_record
from shared.domain.validation_message import describe

_PARAMETER = "--parameter"
SubscriptionOption = Annotated[str | None, typer.Option(help="id of the subscription that a template is deployed to")]
ResourceGroupOption = Annotated[
    str | None, typer.Option(help="name of the resource group that a template is deployed to")
]
ManagementGroupOption = Annotated[
    str | None, typer.Option(help="id of the management group that a template is deployed to")
]
LocationOption = Annotated[
    str | None, typer.Option(help="location of the deployment of a template, such as westeurope")
]
ApiVersionOption = Annotated[
    str | None, typer.Option(help="api-version of the bodies that do not say it, as 2023-05-01")
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option(_PARAMETER, help="parameter of a template: NAME=VALUE, or @FILE, a parameter file; repeat for more"),
]


def read_origin(parameters: Iterable[str], **named: str | None) -> ImportOrigin:
    """Return the origin that the options name; BadParameter for what cannot be one."""
    try:
        return ImportOrigin(**named, parameters=_read_parameters(parameters))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0] if first["loc"] else "parameters")
        option = _PARAMETER if name == "parameters" else f"--{name.replace('_', '-')}"
        raise typer.BadParameter(describe(first), param_hint=option) from None
    except InvalidInput as error:
        raise typer.BadParameter(error.message, param_hint=_PARAMETER) from None


def _read_parameters(given: Iterable[str]) -> dict[str, Any]:
    """Return the values of parameters; of two with the same name the later one holds."""
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if each.startswith("@"):
            found |= _read_parameter_file(Path(each[1:]))
        elif equals and name:
            found[name] = text
        else:
            raise InvalidInput(f"NAME=VALUE or @FILE is expected, not '{each[:60]}'", path=_PARAMETER)
    return found


def _read_parameter_file(path: Path) -> dict[str, Any]:
    """Return the values that a parameter file holds, each as {"value": …} or {"reference": …} or as itself."""
    try:
        read = read_record(read_file_text(path).encode())
    except Unreadable as error:
        hint = "; `az bicep build-params` makes JSON of it" if path.suffix == ".bicepparam" else ""
        raise InvalidInput(f"{path}: {error.reason}{hint}", path=_PARAMETER) from None
    values = read.get("parameters", read) if isinstance(read, dict) else None
    if not isinstance(values, dict):
        raise InvalidInput(f'{path} is no parameter file: it holds no object "parameters"', path=_PARAMETER)
    return values

"""Settings: the app's host.json, local.settings.json and the environment."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

logger = logging.getLogger("Host.Startup")

_BODY_LIMIT_SETTING = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
_NAME = re.compile(r"%([^%\s]+)%")
_TIME = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)")


class SettingError(Exception):
    """A setting cannot be used; the message says which, where and why."""


def parse_time_span(text: object) -> timedelta:
    """Parse a .NET TimeSpan, `[days.]hh:mm:ss[.fff]`, as in host.json; ValueError for any other text."""
    match = _TIME.fullmatch(str(text))
    if not match:
        raise ValueError(f"'{text}' is not a time span like 00:05:00")
    days, hours, minutes, seconds = match.groups(default="0")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))


TimeSpan = Annotated[timedelta, BeforeValidator(parse_time_span)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class Queues(_Section):
    """Source: "Azure Queue storage trigger and bindings", host.json settings."""

    batch_size: int = Field(default=16, ge=1, le=32)
    new_batch_threshold: int | None = Field(default=None, ge=0)
    max_dequeue_count: int = Field(default=5, ge=1)
    visibility_timeout: TimeSpan = timedelta(0)
    max_polling_interval: TimeSpan = timedelta(seconds=1)
    message_encoding: Annotated[Literal["base64", "none"], BeforeValidator(lambda text: str(text).lower())] = "base64"

    @property
    def threshold(self) -> int:
        """Return how many messages may still be in progress when the next batch is taken."""
        return self.batch_size // 2 if self.new_batch_threshold is None else self.new_batch_threshold


class Http(_Section):
    """Source: "Azure Functions HTTP triggers and bindings", host.json settings."""

    route_prefix: str = "api"
    max_outstanding_requests: int = -1
    custom_headers: Mapping[str, str] = Field(default_factory=dict)


class DurableTask(_Section):
    """Source: "Bindings for Durable Functions", host.json settings."""

    hub_name: str = "TestHubName"
    max_concurrent_activity_functions: int = Field(default=16, ge=1)
    max_concurrent_orchestrator_functions: int = Field(default=16, ge=1)
    max_concurrent_entity_functions: int = Field(default=16, ge=1)
    overridable_existing_instance_states: Literal["NonRunningStates", "AnyState"] = "NonRunningStates"
    default_version: str | None = None
    version_match_strategy: Literal["None", "Strict", "CurrentOrOlder"] = "CurrentOrOlder"
    version_failure_strategy: Literal["Reject", "Fail"] = "Reject"


class Extensions(_Section):
    """The extensions that have an effect on one machine."""

    http: Http = Http()
    queues: Queues = Queues()
    durable_task: DurableTask = DurableTask()


class Logging(_Section):
    """Levels by category, such as {"default": "Information", "Host.Results": "Warning"}."""

    log_level: Mapping[str, str] = Field(default_factory=dict)


class HostSettings(_Section):
    """host.json. Source: "host.json reference for Azure Functions 2.x and later"."""

    function_timeout: Annotated[
        timedelta | None, BeforeValidator(lambda text: None if str(text) == "-1" else parse_time_span(text))
    ] = timedelta(minutes=30)
    extensions: Extensions = Extensions()
    logging: Logging = Logging()


class _LocalSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    values: Mapping[str, str | bool | int | float] = Field(default_factory=dict, alias="Values")


def read_host(directory: Path) -> HostSettings:
    """Return the app's host.json; the defaults when there is none. SettingError for a value that cannot be used."""
    settings = _read(directory / "host.json", HostSettings)
    for name in _unknown(settings, ""):
        logger.debug("host.json: %s has no effect on one machine", name)
    return settings


def _read[Model: BaseModel](path: Path, model: type[Model]) -> Model:
    if not path.exists():
        return model()
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingError(f"{path}: {where or 'the file'}: {first['msg']}") from error


def _unknown(section: _Section, at: str) -> Iterator[str]:
    yield from (f"{at}{name}" for name in section.model_extra or () if (at + name) != "version")
    for name in type(section).model_fields:
        if isinstance(value := getattr(section, name), _Section):
            yield from _unknown(value, f"{at}{to_camel(name)}.")


@contextmanager
def local_settings(directory: Path) -> Iterator[None]:
    """Put the `Values` of local.settings.json into the environment, without overriding, until the end of the block."""
    values = _read(directory / "local.settings.json", _LocalSettings).values
    with defaults({name: str(value) for name, value in values.items()}):
        yield


@contextmanager
def defaults(values: Mapping[str, str]) -> Iterator[None]:
    """Put values into the environment, without overriding, until the end of the block."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def body_limit() -> int:
    """Return how many bytes a request may carry: FUNCTIONS_REQUEST_BODY_SIZE_LIMIT, 100 MiB when it is not set."""
    text = os.environ.get(_BODY_LIMIT_SETTING) or str(100 * 1024 * 1024)
    if not text.isdecimal():
        raise SettingError(f"{_BODY_LIMIT_SETTING}: '{text}' is not a number of bytes")
    return int(text)


def resolve_names(text: str) -> str:
    """Replace each %NAME% by that environment variable; SettingError when it is not set."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise SettingError(f"%{name}% does not resolve: set {name} in the environment or local.settings.json")
        return os.environ[name]

    return _NAME.sub(value, text)

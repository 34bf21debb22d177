"""The environment as one frozen model; nothing else reads environment variables."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.domain.error import Misconfigured
from shared.domain.retention import Retention
from shared.domain.scan import ScanRhythm

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "CORTEX_"
_ADDRESS_PATTERN = r"^https?://[0-9A-Za-z.-]{1,253}(:[0-9]{1,5})?$"
_SCHEDULE_PATTERN = r"^\S+( +\S+){5}$"
PATTERN_DESCRIPTIONS: Mapping[str, str] = {
    _ADDRESS_PATTERN: "must be an address without a path, such as https://cortex.example.com",
    _SCHEDULE_PATTERN: "must be a schedule of six fields, such as 0 0 2 * * *",
}
"""Pattern -> what it allows."""


def _real_connection(connection: SecretStr | None) -> SecretStr | None:
    """Keep a connection string that names an account or address; None for the emulator's shorthand or none at all."""
    text = connection.get_secret_value() if connection else ""
    return connection if "AccountName=" in text or "Endpoint=" in text else None


class Settings(BaseSettings):
    """Read when asked, from variables named `CORTEX_` and the field's name; nested fields are joined by `__`.

    With nothing set, everything is kept in the `state` folder of this machine. `cosmos_endpoint` moves the documents
    to Cosmos DB, `storage_connection` or `storage_account_url` the blobs and queues to Azure Storage. Without a key
    or connection string the managed identity is used.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    state: Path = Path(".cortex")
    """The folder that holds everything when nothing of Azure is set."""

    cosmos_endpoint: str | None = None
    cosmos_key: SecretStr | None = None
    cosmos_database: str = "cortex"

    storage_connection: Annotated[SecretStr | None, AfterValidator(_real_connection)] = Field(
        default=None, validation_alias=AliasChoices("CORTEX_STORAGE_CONNECTION", "AzureWebJobsStorage")
    )
    storage_account_url: str | None = None
    """Such as https://NAME.blob.core.windows.net; the queue's address follows from it."""

    cloud_endpoint: str | None = None
    """Where Azure Resource Manager answers: https://management.azure.com, or a sandbox cloud. Unset: no cloud."""
    cloud_token: SecretStr | None = None
    """A ready bearer token for `cloud_endpoint`, as the sandbox cloud takes; without it the identity is asked."""

    assignments: Path | None = None
    """A folder of policy assignments in Azure Policy's JSON, in force besides the default one; each with an id."""

    tenant: str = "local"
    """The tenant that the command line works for; timers work for it and for all that are registered."""
    local_token_secret: SecretStr | None = None
    """Signs development tokens; without it they are not accepted."""

    public_url: str | None = Field(default=None, pattern=_ADDRESS_PATTERN)
    """Where people reach the product, such as https://cortex.example.com; pages name it."""
    host_name: str | None = Field(default=None, validation_alias="WEBSITE_HOSTNAME")
    """The name that the platform gives the app; used where there is no `public_url`."""

    scan_schedule: str = Field(default="0 0 2 * * *", pattern=_SCHEDULE_PATTERN)
    """NCRONTAB, six fields, UTC."""

    scan: ScanRhythm = ScanRhythm()
    """How often what no change tells of is read again, such as `CORTEX_SCAN__RELATED_DAYS=1`."""

    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    """The bearer token that `/metrics` expects; without it there is no such address."""

    retention: Retention = Retention()
    """For how many days each kind is kept, such as `CORTEX_RETENTION__CHANGES=30`; docs/retention.md lists them."""


def read() -> Settings:
    """Read the environment as it is now; Misconfigured names what cannot be used and what is allowed, never a value."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [_describe(each) for each in error.errors(include_url=False, include_input=False)]
    except SettingsError as error:
        names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields if f'"{name}"' in str(error)]
        problems = [f"{' and '.join(names)} must be a JSON object; or leave it out and set its parts"]
    raise Misconfigured(f"{'; '.join(problems)}: change that and start again")


def _describe(wrong: "ErrorDetails") -> str:
    """Return the name of a setting, and what is allowed."""
    first, *parts = map(str, wrong["loc"])
    name = "__".join([first, *parts]).upper()
    known = ERROR_DESCRIPTIONS.get(wrong["type"])
    problem = known(wrong.get("ctx", {})) if known else "has a value that is not allowed"
    return f"{PREFIX if first in Settings.model_fields else ''}{name} {problem}"


ERROR_DESCRIPTIONS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "extra_forbidden": lambda _: "is not a setting",
    "greater_than_equal": lambda allowed: f"must be {allowed['ge']} or more",
    "int_from_float": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "string_pattern_mismatch": lambda allowed: PATTERN_DESCRIPTIONS[allowed["pattern"]],
    "too_short": lambda allowed: f"must have {allowed['min_length']} characters or more",
}
"""Type of a validation error -> what is wrong, from the error's context."""

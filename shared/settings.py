"""The environment as one frozen model; nothing else reads environment variables."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _real_connection(connection: SecretStr | None) -> SecretStr | None:
    """A connection string of a storage account or emulator by address; None for the shorthand and what is empty."""
    text = connection.get_secret_value() if connection else ""
    return connection if "AccountName=" in text or "Endpoint=" in text else None


class Settings(BaseSettings):
    """Read when asked, from variables named `CORTEX_` and the field's name; nested fields are joined by `__`.

    With nothing set, everything is kept in the `state` folder of this machine. `cosmos_endpoint` moves the documents
    to Cosmos DB, `storage_connection` or `storage_account_url` the blobs and queues to Azure Storage. Without a key
    or connection string the managed identity is used.
    """

    model_config = SettingsConfigDict(
        env_prefix="CORTEX_",
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

    tenant: str = "local"
    """The tenant that timers and the command line work for."""
    local_token_secret: SecretStr | None = None
    """Signs development tokens; without it they are refused."""

    scan_schedule: str = "0 0 2 * * *"
    """NCRONTAB, six fields, UTC."""

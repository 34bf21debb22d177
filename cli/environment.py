"""The environment variables of the command and of the product that it runs: one table, for `cortex settings`."""

import os
from collections.abc import Mapping

COMMAND_VARIABLES: Mapping[str, str] = {
    "CORTEX_URL": "address of the service; without it the one that `cortex run` saved, else http://127.0.0.1:7071",
    "CORTEX_TOKEN": "bearer token; without it the one that `cortex run` saved for the role that a command needs",
    "CORTEX_STATE": "folder where `cortex run` keeps everything, and saves address and tokens; .cortex without it",
    "PORT": "port of `cortex run`",
    "NO_COLOR": "set to anything: no colours",
    "COLUMNS": "width of tables; without it that of the terminal, and no limit in a pipe",
    "SSL_CERT_FILE": "certificates to trust, such as those of a proxy",
}
"""What commands read; the others are read by the service alone."""
SERVICE_VARIABLES: Mapping[str, str] = {
    "CORTEX_ASSIGNMENTS": "folder of policy assignments that are in force with the default one",
    "CORTEX_CLOUD_ENDPOINT": "address of Azure Resource Manager, or of a sandbox cloud; without it no cloud is read",
    "CORTEX_CLOUD_TOKEN": "bearer token for a sandbox cloud; without it the managed identity is used",
    "CORTEX_COSMOS_DATABASE": "name of the database in Cosmos DB",
    "CORTEX_COSMOS_ENDPOINT": "address of Cosmos DB; without it documents are kept in the state folder",
    "CORTEX_COSMOS_KEY": "key of Cosmos DB; without it the managed identity is used",
    "CORTEX_LOCAL_TOKEN_SECRET": "signs development tokens; without it none are accepted",
    "CORTEX_METRICS_TOKEN": "bearer token that /metrics expects; without it there is no such address",
    "CORTEX_PUBLIC_URL": "where people reach the product, such as https://cortex.example.com",
    "CORTEX_RETENTION": "days that each kind is kept: CORTEX_RETENTION__CHANGES=30 and so on (docs/retention.md)",
    "CORTEX_SCAN": "days and calls of scans: CORTEX_SCAN__RELATED_DAYS=3 and so on (docs/deploy.md)",
    "CORTEX_SCAN_SCHEDULE": "when scans start, as six NCRONTAB fields in UTC",
    "CORTEX_STORAGE_ACCOUNT_URL": "https://NAME.blob.core.windows.net; blobs and queues by the managed identity",
    "CORTEX_STORAGE_CONNECTION": "connection string of the storage account, in place of its address",
    "CORTEX_TENANT": "tenant that timers and local tokens work for",
}
_SECRET_WORDS = ("TOKEN", "KEY", "SECRET", "CONNECTION")


def value_of(name: str) -> str:
    """Return what a variable is set to: empty when it is not set, `set` for a secret."""
    found = os.environ.get(name, "")
    return "set" if found and any(word in name for word in _SECRET_WORDS) else found

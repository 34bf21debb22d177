"""A storage account's clients, from a connection string or an address."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

from azure.core.credentials import TokenCredential

from shared.adapters.azure.login import credential
from shared.domain.error import InvalidInput

_RETRY_OPTIONS = {"connection_timeout": 5, "read_timeout": 20, "retry_total": 3}


class _Service(Protocol):
    def __init__(self, account_url: str, credential: TokenCredential, **options: Any) -> None: ...  # noqa: ANN401 - the SDK's

    @classmethod
    def from_connection_string(cls, conn_str: str, **options: Any) -> Self: ...  # noqa: ANN401 - the SDK's


def service[S: _Service](
    kind: type[S], name: str, address: str, identity: TokenCredential | None, options: Mapping[str, Any]
) -> S:
    """Return a service client ("blob" or "queue") that gives up in time; InvalidInput for an invalid address.

    An account's address may be that of any of its services: https://NAME.blob.core.windows.net.
    """
    settings = {**_RETRY_OPTIONS, **options}
    if not address.startswith(("https://", "http://")):
        return kind.from_connection_string(address, **settings)
    # https://NAME.blob.core.windows.net: the service's name is replaced, so one setting serves blobs and queues.
    account, _, rest = address.partition(".")
    _, _, domain = rest.partition(".")
    if not domain:
        raise InvalidInput(
            f"{address} is not an address like https://NAME.blob.core.windows.net", path="storageAccountUrl"
        )
    return kind(f"{account}.{name}.{domain}", identity or credential(), **settings)

"""A storage account's clients, from a connection string or an address."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

from azure.core.credentials import TokenCredential

from shared.adapters.azure.login import credential
from shared.domain.error import InvalidInput

_PATIENCE = {"connection_timeout": 5, "read_timeout": 20, "retry_total": 3}


class _Service(Protocol):
    def __init__(self, account_url: str, credential: TokenCredential, **options: Any) -> None: ...  # noqa: ANN401 - the SDK's

    @classmethod
    def from_connection_string(cls, conn_str: str, **options: Any) -> Self: ...  # noqa: ANN401 - the SDK's


def service[S: _Service](
    kind: type[S], name: str, address: str, identity: TokenCredential | None, options: Mapping[str, Any]
) -> S:
    """A service client ("blob" or "queue") that gives up in time; asks nothing of the network yet.

    An account's address may be that of any of its services: https://NAME.blob.core.windows.net.
    """
    patient = {**_PATIENCE, **options}
    if not address.startswith(("https://", "http://")):
        return kind.from_connection_string(address, **patient)
    account, _, rest = address.partition(".")
    _, _, domain = rest.partition(".")
    if not domain:
        raise InvalidInput(f"{address} is not like https://NAME.blob.core.windows.net", path="storageAccountUrl")
    return kind(f"{account}.{name}.{domain}", identity or credential(), **patient)

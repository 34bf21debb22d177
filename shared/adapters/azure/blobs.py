"""Blobs in Azure Blob Storage."""

import contextlib
import threading
from types import TracebackType
from typing import Any, Self

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.adapters.azure.account import service
from shared.adapters.azure.fault import translated
from shared.adapters.record import check_name, check_prefix, check_tenant
from shared.domain.error import NotFound

_CONTAINER = "cortex"


class StorageBlobs:
    """Keeps the `Blobs` port in one container, under a folder for each tenant; the container is made on first use.

    `address` is a connection string or the account's https address, which takes an identity.
    """

    def __init__(self, address: str, *, identity: TokenCredential | None = None, **options: Any) -> None:  # noqa: ANN401 - the SDK client's own
        self._service = service(BlobServiceClient, "blob", address, identity, options)
        self._making = threading.Lock()
        self._made = False

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put(self, *, tenant: str, name: str, data: bytes) -> str:
        """See `Blobs.put`."""
        return self._upload(tenant, name, data, overwrite=True)

    def create(self, *, tenant: str, name: str, data: bytes) -> str:
        """See `Blobs.create`."""
        return self._upload(tenant, name, data, overwrite=False)

    def _upload(self, tenant: str, name: str, data: bytes, *, overwrite: bool) -> str:
        path = _path(tenant, name)
        with translated(f"blob '{name}'"):
            answer = self._container.get_blob_client(path).upload_blob(data, overwrite=overwrite)
        return str(answer["etag"])

    def get(self, *, tenant: str, name: str) -> bytes:
        """See `Blobs.get`."""
        path = _path(tenant, name)
        with translated(f"blob '{name}'"):
            return self._container.download_blob(path).readall()

    def exists(self, *, tenant: str, name: str) -> bool:
        """See `Blobs.exists`."""
        path = _path(tenant, name)
        with translated(f"blob '{name}'"):
            return self._container.get_blob_client(path).exists()

    def names(self, *, tenant: str, prefix: str) -> list[str]:
        """See `Blobs.names`."""
        check_tenant(tenant)
        check_prefix(prefix)
        with translated(f"the listing of '{prefix}'"):
            paths = self._container.list_blob_names(name_starts_with=f"{tenant}/{prefix}")
            return sorted(path.removeprefix(f"{tenant}/") for path in paths)

    def delete(self, *, tenant: str, name: str) -> None:
        """See `Blobs.delete`."""
        path = _path(tenant, name)
        try:
            with translated(f"blob '{name}'"):
                self._container.delete_blob(path)
        except NotFound:
            return

    @property
    def _container(self) -> ContainerClient:
        container = self._service.get_container_client(_CONTAINER)
        with self._making:
            if not self._made:
                with contextlib.suppress(ResourceExistsError):
                    container.create_container()
                self._made = True
        return container


def _path(tenant: str, name: str) -> str:
    check_tenant(tenant)
    check_name(name)
    return f"{tenant}/{name}"

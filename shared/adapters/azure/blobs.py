"""Blobs in Azure Blob Storage."""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, ContainerClient, generate_blob_sas

from shared.adapters import probe
from shared.adapters.azure.account import service
from shared.adapters.azure.storage_error import error_translation
from shared.adapters.closing import Closing
from shared.adapters.record import check_name, check_prefix, check_tenant
from shared.domain.error import Conflict, NotFound, Stale, Unauthenticated
from shared.ports.blobs import CHUNK_BYTES, Admission, BlobEntry, Grant

_CONTAINER = "cortex"
_EMULATED = "devstoreaccount1"
_KEY_LIFETIME = timedelta(hours=1)
"""How long before its end a delegation key becomes valid, so that clocks may differ."""


class StorageBlobs(Closing):
    """Keeps the `Blobs` port in one container, under a folder for each tenant; the container is made on first use.

    `address` is a connection string or the account's https address, which takes an identity.
    """

    def __init__(self, address: str, *, identity: TokenCredential | None = None, **options: Any) -> None:  # noqa: ANN401 - the SDK client's own
        sizes = {"max_chunk_get_size": CHUNK_BYTES, "max_single_get_size": CHUNK_BYTES, "max_block_size": CHUNK_BYTES}
        self._service = service(BlobServiceClient, "blob", address, identity, {**sizes, **options})
        self._making = threading.Lock()
        self._made = False

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def check(self) -> None:
        """See `Blobs.check`."""
        probe.blobs(self)

    def put(self, *, tenant: str, name: str, data: bytes | Iterable[bytes]) -> str:
        """See `Blobs.put`."""
        return self._upload(tenant, name, data, overwrite=True)

    def create(self, *, tenant: str, name: str, data: bytes | Iterable[bytes]) -> str:
        """See `Blobs.create`."""
        return self._upload(tenant, name, data, overwrite=False)

    def _upload(self, tenant: str, name: str, data: bytes | Iterable[bytes], *, overwrite: bool) -> str:
        path = _path(tenant, name)
        with error_translation(f"blob '{name}'"):
            answer = self._container.get_blob_client(path).upload_blob(data, overwrite=overwrite)
        return str(answer["etag"])

    def get(self, *, tenant: str, name: str) -> bytes:
        """See `Blobs.get`."""
        path = _path(tenant, name)
        with error_translation(f"blob '{name}'"):
            return self._container.download_blob(path).readall()

    def pieces(self, *, tenant: str, name: str) -> Iterator[bytes]:
        """See `Blobs.pieces`."""
        path = _path(tenant, name)
        with error_translation(f"blob '{name}'"):
            yield from self._container.download_blob(path).chunks()

    def size(self, *, tenant: str, name: str) -> int:
        """See `Blobs.size`."""
        path = _path(tenant, name)
        with error_translation(f"blob '{name}'"):
            return int(self._container.get_blob_client(path).get_blob_properties().size)

    def grant(self, *, tenant: str, name: str, expires_at: datetime) -> Grant:
        """See `Blobs.grant`: a shared access signature that may create, and so neither read, replace nor delete.

        Source: Azure Storage, "Create a user delegation SAS"; "Put Blob", which takes 5,000 MiB at once.
        """
        blob = self._container.get_blob_client(_path(tenant, name))
        with error_translation(f"the upload of blob '{name}'"):
            signature = generate_blob_sas(
                str(self._service.account_name),
                blob.container_name,
                blob.blob_name,
                permission=BlobSasPermissions(create=True),
                # A beginning in the past lets a client whose clock is behind use the grant at once.
                start=expires_at - _KEY_LIFETIME,
                expiry=expires_at,
                protocol="https" if blob.primary_endpoint.startswith("https") else "https,http",
                **self._signing(expires_at),
            )
        headers = {"x-ms-blob-type": "BlockBlob", "if-none-match": "*"}
        return Grant(f"{blob.url}?{signature}", "PUT", headers, expires_at)

    def admit(self, token: str) -> Admission:  # noqa: ARG002 - the port's
        """See `Blobs.admit`: uploads go to the storage account itself."""
        raise Unauthenticated("uploads go to the storage account; no token is taken here")

    def _signing(self, expires_at: datetime) -> dict[str, Any]:
        """Return the key that signs a grant: one delegated to our identity, or the emulator's well-known one.

        Conflict for a real account's own key, which would open all of it.
        """
        key = getattr(self._service.credential, "account_key", None)
        if key is None:
            begun = expires_at - _KEY_LIFETIME
            return {"user_delegation_key": self._service.get_user_delegation_key(begun, expires_at)}
        if self._service.account_name != _EMULATED:
            raise Conflict("uploads need an identity: name the account in CORTEX_STORAGE_ACCOUNT_URL, without a key")
        return {"account_key": key}

    def exists(self, *, tenant: str, name: str) -> bool:
        """See `Blobs.exists`."""
        path = _path(tenant, name)
        with error_translation(f"blob '{name}'"):
            return self._container.get_blob_client(path).exists()

    def names(self, *, tenant: str, prefix: str) -> list[str]:
        """See `Blobs.names`."""
        check_tenant(tenant)
        check_prefix(prefix)
        with error_translation(f"the listing of '{prefix}'"):
            paths = self._container.list_blob_names(name_starts_with=f"{tenant}/{prefix}")
            return sorted(path.removeprefix(f"{tenant}/") for path in paths)

    def entries(self, *, tenant: str, prefix: str) -> Iterator[BlobEntry]:
        """See `Blobs.entries`."""
        check_tenant(tenant)
        check_prefix(prefix)
        with error_translation(f"the listing of '{prefix}'"):
            for each in self._container.list_blobs(name_starts_with=f"{tenant}/{prefix}"):
                yield BlobEntry(each.name.removeprefix(f"{tenant}/"), each.size, each.last_modified, each.etag)

    def delete(self, *, tenant: str, name: str, version: str | None = None) -> None:
        """See `Blobs.delete`."""
        path = _path(tenant, name)
        # Without a version there is no condition, and anything there is deleted.
        condition: dict[str, Any] = {"etag": version, "match_condition": MatchConditions.IfNotModified}
        try:
            with error_translation(f"blob '{name}'"):
                self._container.delete_blob(path, **(condition if version else {}))
        except NotFound:
            return
        except Stale:  # also raised for a condition on a blob that does not exist
            if self.exists(tenant=tenant, name=name):
                raise

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

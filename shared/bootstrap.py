"""From settings to ports: the one place that chooses adapters."""

import atexit
import secrets
import threading
import time
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from shared.ports.blobs import Blobs
from shared.ports.catalog import Catalog
from shared.ports.clock import NewId, Now
from shared.ports.control import Control
from shared.ports.documents import Documents
from shared.ports.identity import Identity
from shared.ports.inventory import Inventory
from shared.ports.queue import Queue

if TYPE_CHECKING:
    from shared.adapters.azure.arm import Connection
    from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Ports:
    """One adapter for each port. Services take the ones they use, as keyword arguments."""

    documents: Documents
    blobs: Blobs
    queue: Queue
    inventory: Inventory
    control: Control
    catalog: Catalog
    identity: Identity
    now: Now
    new_id: NewId

    def close(self) -> None:
        """Close the adapters that hold files or connections."""
        for field in fields(self):
            close = getattr(getattr(self, field.name), "close", None)
            if close is not None:
                close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_built: Ports | None = None
_building = threading.Lock()


def ports() -> Ports:
    """The ports of this process, built from the environment on first use and closed when the process ends."""
    global _built  # noqa: PLW0603 - the one thing built once per process
    with _building:
        if _built is None:
            _built = build(settings())
            atexit.register(_built.close)
        return _built


def settings() -> "Settings":
    """The environment as it is now."""
    from shared.settings import Settings

    return Settings()


@cache
def tenant() -> str:
    """The tenant that timers work for, as the environment said when it was first asked for."""
    return settings().tenant


def build(settings: "Settings") -> Ports:
    """Ports of their own, for the caller to close."""
    return Ports(
        documents=_documents(settings),
        blobs=_blobs(settings),
        queue=_queue(settings),
        inventory=_inventory(settings),
        control=_control(settings),
        catalog=catalog(),
        identity=_identity(settings),
        now=_now,
        new_id=_new_id,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    """Milliseconds since 1970 in hexadecimal, then 56 random bits: later ids sort later."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(7)}"


def catalog() -> Catalog:
    """The packaged policies; they need no settings."""
    from shared.adapters.local.catalog import PackagedCatalog

    return PackagedCatalog(Path(__file__).parent.parent / "catalog")


def _identity(settings: "Settings") -> Identity:
    from shared.adapters.local.identity import NoIdentity, SignedTokens

    secret = _text(settings.local_token_secret)
    return SignedTokens(secret, _now) if secret else NoIdentity()


def _inventory(settings: "Settings") -> Inventory:
    if settings.cloud_endpoint is None:
        from shared.adapters.local.inventory import NoInventory

        return NoInventory()
    from shared.adapters.azure.inventory import ArmInventory

    return ArmInventory(_connection(settings, settings.cloud_endpoint), resource_types=catalog().resource_types())


def _control(settings: "Settings") -> Control:
    if settings.cloud_endpoint is None:
        from shared.adapters.local.control import NoControl

        return NoControl()
    from shared.adapters.azure.control import ArmControl

    return ArmControl(_connection(settings, settings.cloud_endpoint))


def _connection(settings: "Settings", endpoint: str) -> "Connection":
    from shared.adapters.azure.arm import Connection, StaticToken

    token = _text(settings.cloud_token)
    if token:
        return Connection(settings.tenant, endpoint, StaticToken(token))
    from shared.adapters.azure.login import credential

    return Connection(settings.tenant, endpoint, credential())


def _documents(settings: "Settings") -> Documents:
    from shared.adapters.index import INDEXES

    if settings.cosmos_endpoint:
        from shared.adapters.azure.documents import CosmosDocuments

        return CosmosDocuments(
            settings.cosmos_endpoint, settings.cosmos_database, key=_text(settings.cosmos_key), indexes=INDEXES
        )
    from shared.adapters.local.documents import SqliteDocuments

    return SqliteDocuments(settings.state / "documents.db", indexes=INDEXES)


def _blobs(settings: "Settings") -> Blobs:
    if settings.storage_connection or settings.storage_account_url:
        from shared.adapters.azure.blobs import StorageBlobs

        return StorageBlobs(_text(settings.storage_connection) or settings.storage_account_url or "")
    from shared.adapters.local.blobs import FileBlobs

    return FileBlobs(settings.state / "blobs")


def _queue(settings: "Settings") -> Queue:
    if settings.storage_connection or settings.storage_account_url:
        from shared.adapters.azure.queue import StorageQueue

        return StorageQueue(_text(settings.storage_connection) or settings.storage_account_url or "")
    from shared.adapters.local.queue import SqliteQueue

    return SqliteQueue(settings.state / "queue.db")


def _text(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None

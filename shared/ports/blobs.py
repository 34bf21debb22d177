"""Blobs: bodies too large for a document, kept by name within a tenant."""

from typing import Protocol


class Blobs(Protocol):
    """Bytes by (tenant, name). Names are paths of safe characters ("scan/…/page-0001.ndjson.gz"), at most 512 long.

    A write is atomic: readers see the old bytes, the new ones or nothing, never a part.
    """

    def put(self, *, tenant: str, name: str, data: bytes) -> str:
        """Write, replacing what was there; answer the etag."""
        ...

    def create(self, *, tenant: str, name: str, data: bytes) -> str:
        """Write only if absent; AlreadyExists otherwise."""
        ...

    def get(self, *, tenant: str, name: str) -> bytes:
        """Read all of it; NotFound."""
        ...

    def exists(self, *, tenant: str, name: str) -> bool:
        """Whether there is such a blob."""
        ...

    def names(self, *, tenant: str, prefix: str) -> list[str]:
        """The names that start with `prefix`, sorted."""
        ...

    def delete(self, *, tenant: str, name: str) -> None:
        """Remove; no error when absent."""
        ...

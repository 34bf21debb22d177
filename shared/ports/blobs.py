"""Blobs: bodies too large for a document, kept by name within a tenant."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

CHUNK_BYTES = 4 * 1024 * 1024
"""Bytes that a blob is read and written by, at most."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Lets whoever holds it create one blob, once, until `expires_at`.

    The blob's bytes are the body of a request with this method, url and headers. Without a url our own API takes them.
    """

    url: str | None
    method: str
    headers: Mapping[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Admission:
    """The right that the token of a grant gives its holder at our own API."""

    tenant: str
    name: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BlobEntry:
    """A blob in a listing. `version` changes with every write, also of the same bytes."""

    name: str
    size: int
    written_at: datetime
    version: str


class Blobs(Protocol):
    """Bytes by (tenant, name). Names are paths of safe characters ("scan/…/page-0001.ndjson.gz"), at most 512 long.

    A write is atomic: readers see the old bytes, the new ones or nothing, never a part.
    """

    def put(self, *, tenant: str, name: str, data: bytes | Iterable[bytes]) -> str:
        """Write, replacing what was there; return the etag. Pieces are written as they come."""
        ...

    def create(self, *, tenant: str, name: str, data: bytes | Iterable[bytes]) -> str:
        """Write only if absent, and return the etag; AlreadyExists otherwise."""
        ...

    def get(self, *, tenant: str, name: str) -> bytes:
        """Read all of a blob; NotFound."""
        ...

    def pieces(self, *, tenant: str, name: str) -> Iterator[bytes]:
        """Yield the bytes of a blob in pieces of at most `CHUNK_BYTES`; NotFound, with the first piece."""
        ...

    def size(self, *, tenant: str, name: str) -> int:
        """Return the number of bytes of a blob; NotFound."""
        ...

    def grant(self, *, tenant: str, name: str, expires_at: datetime) -> Grant:
        """Let somebody without any other right create this one blob, once, until then; Conflict where nothing can."""
        ...

    def admit(self, token: str) -> Admission:
        """Return what a grant without a url lets the holder of its token do; Unauthenticated for any other token.

        The caller checks whether the grant has expired.
        """
        ...

    def exists(self, *, tenant: str, name: str) -> bool:
        """Return whether there is such a blob."""
        ...

    def names(self, *, tenant: str, prefix: str) -> list[str]:
        """Return the names that start with `prefix`, sorted."""
        ...

    def entries(self, *, tenant: str, prefix: str) -> Iterator[BlobEntry]:
        """Yield the blobs whose names start with `prefix`, in no particular order, listed as they are asked for."""
        ...

    def delete(self, *, tenant: str, name: str, version: str | None = None) -> None:
        """Delete a blob; no error when absent. With `version`: Stale when it was written again since it was listed."""
        ...

    def check(self) -> None:
        """Write something small and read it back; raise the error of what does not work, Damaged included."""
        ...

"""Blobs in a folder of files."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from shared.adapters.record import check_name, check_prefix, check_tenant
from shared.domain.error import AlreadyExists, NotFound, Unavailable

_PARTIAL = ".partial"


class FileBlobs:
    """Keeps the `Blobs` port in files under `root`, for several threads and processes at once.

    A folder's name ends in "+", which no blob's name may hold, so that "a" and "a/b" can both be blobs.
    Writes go to a file beside, are flushed to the disk and then renamed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, *, tenant: str, name: str, data: bytes) -> str:
        """See `Blobs.put`."""
        path = self._path(tenant, name)
        with self._written(path, data) as partial:
            partial.replace(path)
        return _etag(data)

    def create(self, *, tenant: str, name: str, data: bytes) -> str:
        """See `Blobs.create`."""
        path = self._path(tenant, name)
        with self._written(path, data) as partial:
            try:
                path.hardlink_to(partial)
            except FileExistsError as error:
                raise AlreadyExists(f"blob '{name}' is there already", path="name") from error
        return _etag(data)

    def get(self, *, tenant: str, name: str) -> bytes:
        """See `Blobs.get`."""
        try:
            with _translated():
                return self._path(tenant, name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob '{name}'", path="name") from error

    def exists(self, *, tenant: str, name: str) -> bool:
        """See `Blobs.exists`."""
        return self._path(tenant, name).is_file()

    def names(self, *, tenant: str, prefix: str) -> list[str]:
        """See `Blobs.names`."""
        check_tenant(tenant)
        check_prefix(prefix)
        stem, _, _ = prefix.rpartition("/")
        top = self._folder(tenant, stem)
        found = (_name(Path(folder), file, self._folder(tenant)) for folder, _, files in top.walk() for file in files)
        return sorted(name for name in found if name.startswith(prefix))

    def delete(self, *, tenant: str, name: str) -> None:
        """See `Blobs.delete`."""
        with _translated():
            self._path(tenant, name).unlink(missing_ok=True)

    def _path(self, tenant: str, name: str) -> Path:
        check_tenant(tenant)
        check_name(name)
        stem, _, last = name.rpartition("/")
        return self._folder(tenant, stem) / last

    def _folder(self, tenant: str, stem: str = "") -> Path:
        return self._root.joinpath(f"{tenant}+", *(f"{part}+" for part in stem.split("/") if part))

    @contextlib.contextmanager
    def _written(self, path: Path, data: bytes) -> Iterator[Path]:
        """A complete file beside, gone afterwards unless it was renamed to `path`."""
        with _translated():
            beside = self._root / _PARTIAL
            beside.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=beside, delete=False) as file:
                partial = Path(file.name)
                try:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    yield partial
                    _flush_folder(path.parent)
                finally:
                    partial.unlink(missing_ok=True)


def _name(folder: Path, file: str, top: Path) -> str:
    parts = [part.removesuffix("+") for part in folder.relative_to(top).parts]
    return "/".join((*parts, file))


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _etag(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable(f"the blob folder does not answer: {error.strerror}") from error

"""Blobs in a folder of files."""

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

import jwt

from shared.adapters import probe
from shared.adapters.local.file import check_room
from shared.adapters.local.private import FILE_MODE, make_folder
from shared.adapters.record import check_name, check_prefix, check_tenant
from shared.domain.error import AlreadyExists, Damaged, NotFound, Stale, Unauthenticated, Unusable
from shared.ports.blobs import CHUNK_BYTES, Admission, BlobEntry, Grant

TOKEN_HEADER = "x-upload-token"  # noqa: S105 - the name of a header
_PARTIAL = ".partial"
_LOCK = ".lock"
_KEY = ".upload-key"
_KEY_BYTES = 32
_ALGORITHM = "HS256"


class FileBlobs:
    """Keeps the `Blobs` port in files under `root`, for several threads and processes at once.

    A folder's name ends in "+", which no blob's name may hold, so that "a" and "a/b" can both be blobs.
    Writes go to a temporary file, which is flushed to the disk and then renamed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        with _translated():
            make_folder(root)
            if not root.is_dir():
                raise Damaged(f"{root.name} is not a folder: move it away", place=str(root))
            self._identity = _identity(root)

    def check(self) -> None:
        """See `Blobs.check`."""
        check_room(self._folder(probe.PROBE_NAME).parent)
        probe.blobs(self)

    def put(self, *, tenant: str, name: str, data: bytes | Iterable[bytes]) -> str:
        """See `Blobs.put`."""
        path = self._path(tenant, name)
        with self._written(path, data) as (partial, etag), self._turn():
            partial.replace(path)
        return etag

    def create(self, *, tenant: str, name: str, data: bytes | Iterable[bytes]) -> str:
        """See `Blobs.create`."""
        return self._create(self._path(tenant, name), name, data)

    def _create(self, path: Path, name: str, data: bytes | Iterable[bytes]) -> str:
        with self._written(path, data) as (partial, etag):
            try:
                # A hard link fails where the name exists, in one step, which a rename would not.
                path.hardlink_to(partial)
            except FileExistsError as error:
                raise AlreadyExists(f"blob '{name}' already exists", path="name") from error
        return etag

    def get(self, *, tenant: str, name: str) -> bytes:
        """See `Blobs.get`."""
        try:
            with _translated():
                return self._path(tenant, name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob '{name}'", path="name") from error

    def pieces(self, *, tenant: str, name: str) -> Iterator[bytes]:
        """See `Blobs.pieces`."""
        try:
            with _translated(), self._path(tenant, name).open("rb") as file:
                while piece := file.read(CHUNK_BYTES):
                    yield piece
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob '{name}'", path="name") from error

    def size(self, *, tenant: str, name: str) -> int:
        """See `Blobs.size`."""
        try:
            with _translated():
                return self._path(tenant, name).stat().st_size
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob '{name}'", path="name") from error

    def grant(self, *, tenant: str, name: str, expires_at: datetime) -> Grant:
        """See `Blobs.grant`: our own API takes the bytes."""
        self._path(tenant, name)
        claims = {"tenant": tenant, "name": name, "expires": expires_at.isoformat()}
        return Grant(None, "PUT", {TOKEN_HEADER: jwt.encode(claims, self._key(), _ALGORITHM)}, expires_at)

    def admit(self, token: str) -> Admission:
        """See `Blobs.admit`."""
        try:
            claims = jwt.decode(token, self._key(), [_ALGORITHM])
            return Admission(claims["tenant"], claims["name"], datetime.fromisoformat(claims["expires"]))
        except (jwt.PyJWTError, KeyError, ValueError) as error:
            raise Unauthenticated("this is not the token of an upload that was granted") from error

    def _key(self) -> bytes:
        """Read the key that signs grants: random bytes of this folder's own, made when first needed."""
        path = self._root / _KEY
        if not path.is_file():
            with contextlib.suppress(AlreadyExists):
                self._create(path, _KEY, secrets.token_bytes(_KEY_BYTES))
        with _translated():
            found = path.read_bytes()
        if len(found) != _KEY_BYTES:
            raise Damaged(
                f"{path.name} is not a key: remove it; uploads under way have to start again", place=str(path)
            )
        return found

    def exists(self, *, tenant: str, name: str) -> bool:
        """See `Blobs.exists`."""
        path = self._path(tenant, name)
        with _translated():
            return path.is_file()

    def names(self, *, tenant: str, prefix: str) -> list[str]:
        """See `Blobs.names`."""
        return sorted(name for name, _ in self._walk(tenant, prefix))

    def entries(self, *, tenant: str, prefix: str) -> Iterator[BlobEntry]:
        """See `Blobs.entries`."""
        for name, path in self._walk(tenant, prefix):
            # It may have been deleted since it was listed.
            with contextlib.suppress(FileNotFoundError), _translated():
                found = path.stat()
                yield BlobEntry(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC), _version(found))

    def delete(self, *, tenant: str, name: str, version: str | None = None) -> None:
        """See `Blobs.delete`."""
        path = self._path(tenant, name)
        if version is None:
            with _translated():
                path.unlink(missing_ok=True)
            return
        with contextlib.suppress(FileNotFoundError), _translated(), self._turn():
            # Looking and removing are two steps: the lock keeps writers out between them.
            if _version(path.stat()) != version:
                raise Stale(f"blob '{name}' was written again: it is kept", path="version")
            path.unlink()

    def _walk(self, tenant: str, prefix: str) -> Iterator[tuple[str, Path]]:
        """Yield the blobs whose names start with `prefix`, and their files."""
        check_tenant(tenant)
        check_prefix(prefix)
        stem, _, _ = prefix.rpartition("/")
        home, top = self._folder(tenant), self._folder(tenant, stem)
        if not top.exists():
            return
        with _translated():
            # Without `on_error` what cannot be read would be missing from the list, unseen.
            for folder, _, files in top.walk(on_error=_raise):
                above = "".join(f"{part.removesuffix('+')}/" for part in folder.relative_to(home).parts)
                yield from ((above + file, folder / file) for file in files if (above + file).startswith(prefix))

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the lock under which blobs are replaced and deleted by version, one at a time over all processes."""
        handle = os.open(self._root / _LOCK, os.O_CREAT | os.O_RDWR, FILE_MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _path(self, tenant: str, name: str) -> Path:
        check_tenant(tenant)
        check_name(name)
        stem, _, last = name.rpartition("/")
        return self._folder(tenant, stem) / last

    def _folder(self, tenant: str, stem: str = "") -> Path:
        """Find the folder of a tenant, or one in it; Unusable when the root is gone, which would read as empty."""
        try:
            present = _identity(self._root)
        except OSError:
            present = None
        if present != self._identity:
            raise Unusable(f"{self._root.name} was removed or replaced while in use: restore it and restart")
        return self._root.joinpath(f"{tenant}+", *(f"{part}+" for part in stem.split("/") if part))

    @contextlib.contextmanager
    def _written(self, path: Path, data: bytes | Iterable[bytes]) -> Iterator[tuple[Path, str]]:
        """Yield a complete temporary file and its etag; it is removed afterwards unless it was renamed to `path`."""
        digest = hashlib.blake2b(digest_size=16)
        with _translated():
            temporary = self._root / _PARTIAL
            make_folder(temporary)
            make_folder(path.parent)
            with NamedTemporaryFile(dir=temporary, delete=False) as file:
                partial = Path(file.name)
                try:
                    for piece in (data,) if isinstance(data, bytes) else data:
                        digest.update(piece)
                        file.write(piece)
                    file.flush()
                    # Without it, a power cut could leave an empty file under the final name.
                    os.fsync(file.fileno())
                    yield partial, digest.hexdigest()
                    _flush_folder(path.parent)
                finally:
                    partial.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _version(found: os.stat_result) -> str:
    """Return a value that changes with every write: each is a file of its own, renamed to its place."""
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}"


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unusable(f"the blob folder does not answer: {error.strerror}", retry_after=1.0) from error


def _identity(folder: Path) -> tuple[int, int]:
    """Return the device and inode of a folder."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def _raise(error: OSError) -> None:
    raise error

"""The state folder, where `cortex run` keeps for the other commands its address, tokens and signing secret."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from shared.adapters.local.private import make_folder
from shared.domain.error import Damaged, Unavailable

SECRET_BYTES = 32
_CONNECTION_ADAPTER = TypeAdapter(dict[str, str])


def state_path() -> Path:
    """Return the state folder: CORTEX_STATE, or .cortex here."""
    return Path(os.environ.get("CORTEX_STATE", ".cortex"))


def load_secret() -> str:
    """Return the secret that signs local tokens; created on first use, readable by its owner only; Damaged."""
    path = state_path() / "secret"
    with _as_unavailable(path):
        if not path.exists():
            _write(path, secrets.token_hex(SECRET_BYTES))
        found = path.read_text(encoding="utf-8", errors="replace").strip()
    if len(found) < 2 * SECRET_BYTES:
        raise Damaged(f"{path.name} holds no secret: remove it, and a new one is created", place=str(path))
    return found


def save_connection(address: str, tokens: dict[str, str]) -> None:
    """Save the product's address, and its tokens by role, for the other commands."""
    path = state_path() / "local.json"
    with _as_unavailable(path):
        _write(path, json.dumps({"address": address, **tokens}))


def load_connection(name: str) -> str | None:
    """Return the address, or the token of a role, that `cortex run` saved; None without one, Damaged if unreadable."""
    path = state_path() / "local.json"
    with _as_unavailable(path):
        if not path.exists():
            return None
        text = path.read_bytes()
    try:
        return _CONNECTION_ADAPTER.validate_json(text).get(name)
    except ValidationError as error:
        message = f"{path.name} is not what `cortex run` saved: remove it, and run `cortex run` again"
        raise Damaged(message, place=str(path)) from error


def read_text(name: str) -> str:
    """Return the text of a file in the state folder; Unavailable when it cannot be read."""
    path = state_path() / name
    with _as_unavailable(path):
        return path.read_text(encoding="utf-8", errors="replace")


def lock_state() -> bool:
    """Lock the state folder until this process ends; return False when another process holds it."""
    path = state_path() / "lock"
    with _as_unavailable(path):
        make_folder(path.parent)
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:  # the kernel releases this lock however the process ends
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return False
    # The handle stays open: the lock ends with the process, however that ends.
    return True


def _write(path: Path, text: str) -> None:
    """Write a temporary file and rename it: a reader sees the old text or the new one, never a part."""
    make_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def _as_unavailable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{path} cannot be used ({error.strerror}): check it, or set CORTEX_STATE to another folder"
        raise Unavailable(message) from error

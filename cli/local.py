"""What `cortex run` keeps in the state folder for the other commands: the signing secret, its address, tokens."""

import fcntl
import json
import os
import secrets
from pathlib import Path


def state() -> Path:
    """The state folder: CORTEX_STATE, or .cortex here."""
    return Path(os.environ.get("CORTEX_STATE", ".cortex"))


def secret() -> str:
    """The secret that signs local tokens; made on first use, readable by its owner alone."""
    path = state() / "secret"
    if not path.exists():
        _write(path, secrets.token_hex(32))
    return path.read_text(encoding="utf-8").strip()


def keep(address: str, tokens: dict[str, str]) -> None:
    """Leave the product's address and tokens by role for the other commands."""
    _write(state() / "local.json", json.dumps({"address": address, **tokens}))


def kept(name: str) -> str | None:
    """The address, or the token for a role, that `cortex run` left."""
    path = state() / "local.json"
    if not path.exists():
        return None
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found.get(name)


def claim() -> bool:
    """Take the state folder for this process until it ends; False when another process has it."""
    state().mkdir(parents=True, exist_ok=True)
    handle = os.open(state() / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return False
    return True


def _write(path: Path, text: str) -> None:
    """Write it beside and move it there: who reads meanwhile sees the old text or the new, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)

"""Azurite and the Cosmos stand-in as child processes, on ports the system chooses."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Emulator:
    """Where it answers, and what a client needs besides."""

    address: str
    options: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def cosmos(folder: Path) -> Iterator[Emulator]:
    raise NotImplementedError
    yield


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[Emulator]:
    raise NotImplementedError
    yield

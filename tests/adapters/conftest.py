"""Emulators of the cloud services, started once, and a tenant for each test."""

import itertools
from collections.abc import Iterator

import pytest

from tests.fakes.emulator import Cosmos, Emulator, azurite, cosmos

_numbers = itertools.count(1)


@pytest.fixture
def tenant() -> str:
    """A tenant nobody used before: the stores behind the contract suites outlive a test."""
    return f"tenant-{next(_numbers)}"


@pytest.fixture(scope="session")
def cosmos_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cosmos]:
    with cosmos(tmp_path_factory.mktemp("cosmos")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def storage_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with azurite(tmp_path_factory.mktemp("azurite")) as emulator:
        yield emulator

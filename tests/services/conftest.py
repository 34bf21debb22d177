"""Fixtures for the tests of services: an inventory in memory, and what is in force from a small catalog."""

import pytest

from shared.ports.clock import Now
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes.catalog import SmallCatalog
from tests.fakes.inventory import MemoryInventory


@pytest.fixture
def inventory(clock: Now) -> MemoryInventory:
    return MemoryInventory(now=clock)


@pytest.fixture(scope="session")
def policies() -> EffectivePolicies:
    return effective_policy.packaged(SmallCatalog())

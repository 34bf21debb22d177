"""The nightly scan reads changes, and everything once a week."""

from datetime import timedelta

import pytest

from shared.domain.scan import ScanRhythm
from shared.domain.scan_difference import ScanMode
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import nightly
from tests.fakes import scan_run
from tests.fakes.clock import Clock
from tests.fakes.inventory import MemoryInventory, account


def test_before_the_first_scan_there_is_nothing_to_verify(store: Store) -> None:
    assert nightly.mode(ScanRhythm(), store=store) is ScanMode.CHANGES


@pytest.mark.parametrize(("days", "mode"), [(1, ScanMode.CHANGES), (6, ScanMode.CHANGES), (7, ScanMode.VERIFICATION)])
def test_after_a_week_all_is_verified(
    store: Store,
    queue: Queue,
    inventory: MemoryInventory,
    policies: EffectivePolicies,
    clock: Clock,
    days: int,
    mode: ScanMode,
) -> None:
    inventory.put(account("one"))
    scan_run.run("s1", store, queue, inventory, policies)
    clock.at += timedelta(days=days)
    assert nightly.mode(ScanRhythm(), store=store) is mode
    if mode is ScanMode.VERIFICATION:
        scan_run.run("s2", store, queue, inventory, policies, scan_run.EVERYTHING.model_copy(update={"mode": mode}))
        assert nightly.mode(ScanRhythm(), store=store) is ScanMode.CHANGES
    assert nightly.mode(ScanRhythm(verification_days=days + 1), store=store) is ScanMode.CHANGES

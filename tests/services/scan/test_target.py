"""What is not seen is no success: subscriptions that are not listed any more, or none at all."""

from collections.abc import Mapping

import pytest

from shared.domain.compliance import ComplianceSummary
from shared.domain.error import (
    Conflict,
    CortexError,
    Damaged,
    Forbidden,
    InvalidInput,
    Malformed,
    NotFound,
    Stale,
    TooLarge,
)
from shared.domain.inventory import Subscription, UnreadReason
from shared.domain.scan import ScanRequest, ScanStatus
from shared.eventstore.store import Store
from tests.fakes import scan_run
from tests.fakes.inventory import SUBSCRIPTION, MemoryInventory, account
from tests.fakes.summary import summary_of
from tests.services.scan.test_scan import Run, by_name, run

__all__ = ["run"]  # the fixture
OTHER = "22222222-0000-0000-0000-000000000002"
GONE = Forbidden(
    "its subscription is deleted, or our identity has no role on it",
    permission="Microsoft.Resources/subscriptions/read",
    scope=f"/subscriptions/{OTHER}",
)


def summary(store: Store) -> ComplianceSummary:
    return summary_of(store)


@pytest.fixture
def known(run: Run, inventory: MemoryInventory, store: Store) -> ComplianceSummary:
    """The summary after a scan of two subscriptions, each with a failing account."""
    inventory.put(account("a", https=False), account("b", https=False, subscription=OTHER))
    assert run("s1").status == ScanStatus.COMPLETED
    return summary(store)


def test_a_subscription_that_is_not_listed_any_more_is_read_by_its_id(
    run: Run, store: Store, inventory: MemoryInventory, known: ComplianceSummary
) -> None:
    inventory.unlisted = {OTHER}
    ended = run("s2")
    assert ended.status == ScanStatus.PARTIAL
    assert [(gap.scope, gap.part, gap.reason) for gap in ended.gaps] == [("/", "subscriptions", UnreadReason.PARTIAL)]
    assert "leaves out 1" in ended.gaps[0].message
    assert OTHER in ended.gaps[0].message
    assert scan_run.progress(store, "s2")[OTHER].collected == 1
    now = summary(store)
    assert (now.non_compliant, now.gap_count, now.gaps) == (known.non_compliant, 1, ended.gaps)
    assert now.scopes[OTHER].as_of != known.scopes[OTHER].as_of


def test_one_that_cannot_be_read_either_is_a_gap_and_what_stands_in_for_it_shows_its_age(
    run: Run, store: Store, inventory: MemoryInventory, known: ComplianceSummary
) -> None:
    inventory.unlisted, inventory.lost = {OTHER}, {OTHER: GONE}
    ended = run("s2")
    assert (ended.status, ended.gap_count, ended.reason) == (
        ScanStatus.PARTIAL,
        2,
        f"2 things could not be read, the first because {ended.gaps[0].message}",
    )
    gap = ended.gaps[1]
    assert (gap.scope, gap.reason, gap.role, gap.message) == (
        f"/subscriptions/{OTHER}",
        UnreadReason.FORBIDDEN,
        "Reader",
        GONE.message,
    )
    assert by_name(store)["b", "https-only"].open
    now = summary(store)
    assert now.non_compliant == known.non_compliant
    assert (now.scopes[OTHER].as_of, now.scopes[OTHER].gap_count) == (known.scopes[OTHER].as_of, 1)
    assert now.as_of == known.scopes[OTHER].as_of == ended.as_of == scan_run.progress(store, "s2")[OTHER].as_of
    assert now.scopes[SUBSCRIPTION].as_of != known.scopes[SUBSCRIPTION].as_of
    assert now.gap_count == 2


LISTS: Mapping[str, CortexError | None] = {
    "empty": None,
    "malformed": Malformed("the cloud answered /subscriptions with a page that does not hold a list"),
    "forbidden": Forbidden("not allowed"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_none_is_never_complete(
    run: Run, store: Store, inventory: MemoryInventory, known: ComplianceSummary, name: str
) -> None:
    inventory.listing, inventory.unlisted = LISTS[name], {SUBSCRIPTION, OTHER}
    ended = run("s2")
    assert (ended.status, ended.resources) == (ScanStatus.PARTIAL, 2)
    assert [gap.scope for gap in ended.gaps] == ["/"]
    now = summary(store)
    assert (now.non_compliant, now.gap_count, now.resources) == (known.non_compliant, 1, 2)


@pytest.mark.parametrize("name", LISTS)
def test_a_first_scan_that_sees_no_subscription_fails_with_what_to_check(
    run: Run, inventory: MemoryInventory, name: str
) -> None:
    inventory.listing = LISTS[name]
    ended = run("s1")
    assert ended.status == ScanStatus.FAILED
    error = LISTS[name]
    assert ended.reason == (error.message if error else ended.gaps[0].message)
    assert error or ("endpoint" in ended.reason and "Reader" in ended.reason)


def test_without_a_cloud_and_imports_there_is_nothing_to_scan(run: Run, inventory: MemoryInventory) -> None:
    inventory.listing = NotFound("no cloud is connected for tenant contoso")
    ended = run("s1")
    assert (ended.status, ended.reason) == (
        ScanStatus.FAILED,
        "there is nothing to scan: no cloud is connected, and nothing was imported",
    )


def test_a_cloud_that_is_not_connected_any_more_is_a_gap(
    run: Run, store: Store, inventory: MemoryInventory, known: ComplianceSummary
) -> None:
    error = NotFound("no cloud is connected for tenant contoso")
    inventory.listing, inventory.lost = error, {SUBSCRIPTION: error, OTHER: error}
    ended = run("s2")
    assert (ended.status, ended.gap_count) == (ScanStatus.PARTIAL, 3)
    assert summary(store).as_of == known.as_of


def test_only_the_subscriptions_that_were_asked_for_are_missed(
    run: Run, inventory: MemoryInventory, known: ComplianceSummary
) -> None:
    assert known
    inventory.unlisted = {OTHER}
    ended = run("s2", ScanRequest(subscriptions=(SUBSCRIPTION,)))
    assert (ended.status, ended.gap_count) == (ScanStatus.COMPLETED, 0)


def test_a_collection_that_ends_at_once_makes_nothing_look_new(
    run: Run, store: Store, inventory: MemoryInventory, known: ComplianceSummary
) -> None:
    inventory.faults = [Forbidden("no", permission="Microsoft.Resources/subscriptions/resources/read")]
    run("s2")
    assert summary(store).scopes[SUBSCRIPTION].as_of == known.scopes[SUBSCRIPTION].as_of


@pytest.mark.parametrize("bad", ["../x", "a" * 5000, "", "\u202e", "a/b", "a\ud800"])
def test_an_id_that_is_none_is_left_out_of_the_list_and_told(
    bad: str,
    run: Run,
    store: Store,
    inventory: MemoryInventory,
    known: ComplianceSummary,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = [*inventory.subscriptions(tenant=store.tenant), Subscription(id=bad)]
    monkeypatch.setattr(inventory, "subscriptions", lambda **_: listed)
    ended = run("s2")
    assert (ended.status, sorted(scan_run.progress(store, "s2"))) == (ScanStatus.PARTIAL, [SUBSCRIPTION, OTHER])
    assert [(gap.scope, gap.part, gap.reason) for gap in ended.gaps] == [("/", "subscriptions", UnreadReason.FAILED)]
    assert "have an id that is none" in ended.reason
    assert summary(store).non_compliant == known.non_compliant
    assert run("s3").ended_at


@pytest.mark.parametrize("error", [InvalidInput("405"), Conflict("409"), Stale("412"), TooLarge("413"), Damaged("?")])
def test_a_refused_list_of_any_kind_is_a_gap_and_what_was_known_is_judged(
    error: CortexError, run: Run, inventory: MemoryInventory, known: ComplianceSummary
) -> None:
    inventory.listing = error
    ended = run("s2")
    assert (ended.status, ended.resources) == (ScanStatus.PARTIAL, known.resources)
    assert error.message in ended.reason

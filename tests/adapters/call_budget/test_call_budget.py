"""Instances share what the cloud takes: together never more, with far fewer writes than calls."""

import heapq
import logging
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.cloud.quota import RateLimits
from shared.adapters.call_budget import FIRST_LEASE_CALLS, KIND, StoredCallBudget, document_id
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.call_budget import LEASE_SECONDS, LIMITS, CallBucket, CallScope
from shared.domain.error import Throttled
from shared.ports.call_budget import CALL_WAIT_SECONDS, CallBudget
from tests.adapters.call_budget.conftest import SCOPE, CountedDocuments, MeteredCloud, Time

READS = LIMITS["reads"]
MINUTE = 60.0
MINUTE_CALLS = READS.calls + READS.refill * MINUTE
Start = Callable[..., CallBudget]


def run(
    budgets: Sequence[CallBudget], metered: MeteredCloud, seconds: float, *, threads: int = 8, scope: CallScope = SCOPE
) -> None:
    """Let every instance call as fast as its budget allows, each with some threads, in simulated time."""
    until = metered.time.at + seconds
    turns = [(metered.time.at, number, False) for number in range(len(budgets) * threads)]
    heapq.heapify(turns)
    while turns:
        at, number, due = heapq.heappop(turns)
        if at > until:
            continue
        metered.time.at = at
        budget = budgets[number % len(budgets)]
        if due:
            metered.call(budget, scope)
            heapq.heappush(turns, (at, number, False))
            continue
        try:
            heapq.heappush(turns, (at + budget.take(scope), number, True))
        except Throttled as error:
            heapq.heappush(turns, (at + error.retry_after, number, False))


def drain(budget: CallBudget, scope: CallScope = SCOPE) -> int:
    """Take all calls that may be sent at once."""
    count = 0
    while budget.take(scope) == 0:
        count += 1
    return count


def test_four_instances_together_stay_within_the_bucket(
    instance: Start, metered: MeteredCloud, store: CountedDocuments
) -> None:
    run([instance() for _ in range(4)], metered, 3 * MINUTE)
    assert metered.refused == 0
    assert metered.most_within(MINUTE) <= MINUTE_CALLS
    assert len(metered.sent) >= 0.95 * (READS.calls + READS.refill * 3 * MINUTE), "nothing of it is given away"
    assert store.writes <= len(metered.sent) / 20


@pytest.mark.parametrize("seed", range(5))
def test_instances_that_come_and_go_stay_within_the_bucket(instance: Start, metered: MeteredCloud, seed: int) -> None:
    """Bursts and silences, of instances that start and die: what is leased is never sent twice."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    budgets = [instance() for _ in range(4)]
    for _ in range(25):
        some = chance.sample(budgets, chance.randint(1, 4))
        run(some, metered, chance.choice([0.1, 2.0, 20.0]), threads=chance.choice([1, 16]))
        metered.time.sleep(chance.choice([0.0, 1.0, 30.0, 90.0]))
        budgets[chance.randrange(4)] = instance()
    assert metered.refused == 0
    assert metered.most_within(MINUTE) <= MINUTE_CALLS


def test_threads_over_one_file_together_take_no_more_than_the_bucket(tmp_path: Path, time: Time) -> None:
    """Four stores on one file, as four processes have them, in one moment: the bucket has as many calls as it has."""
    barrier = threading.Barrier(4)

    def work(number: int) -> int:
        with SqliteDocuments(tmp_path / "documents.db") as documents:
            budget = StoredCallBudget(documents, tenant="t", instance=str(number), now=time)
            barrier.wait()
            return drain(budget)

    with SqliteDocuments(tmp_path / "documents.db"), ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(work, range(4)))
    assert sum(taken) == READS.calls


def test_calls_are_leased_some_at_a_time(instance: Start, store: CountedDocuments) -> None:
    budget = instance()
    for _ in range(FIRST_LEASE_CALLS):
        assert budget.take(SCOPE) == 0
    assert (store.reads, store.writes) == (1, 1)
    drain(budget)
    assert store.writes <= 10, "a lease that is used up quickly is followed by a larger one"
    assert store.reads == 1, "who is alone knows what is stored"


def test_an_instance_that_calls_now_and_then_writes_once_a_minute_at_most(
    instance: Start, metered: MeteredCloud, store: CountedDocuments
) -> None:
    budget = instance()
    for _ in range(60):
        assert budget.take(SCOPE) == 0
        metered.call(budget)
        metered.time.sleep(10.0)
    assert store.writes <= 11


def test_the_calls_of_an_instance_that_died_return_after_its_lease(instance: Start, time: Time) -> None:
    dead, alive = instance(), instance()
    for _ in range(100):
        dead.take(SCOPE)
    time.sleep(LEASE_SECONDS / 2)
    assert drain(alive) <= READS.calls - FIRST_LEASE_CALLS, "what it may still send is its own"
    time.sleep(2 * LEASE_SECONDS)
    assert drain(instance()) == READS.calls


def test_calls_that_were_not_used_return_with_the_next_lease(instance: Start, time: Time) -> None:
    budget = instance()
    for _ in range(100):
        budget.take(SCOPE)
    time.sleep(LEASE_SECONDS + 1)
    budget.take(SCOPE)
    time.sleep(LEASE_SECONDS - 1)
    assert drain(budget) >= READS.calls - FIRST_LEASE_CALLS


def test_two_principals_do_not_share(instance: Start) -> None:
    budget = instance()
    assert drain(budget) == READS.calls
    assert drain(budget, CallScope("p2", "s1", "reads")) == READS.calls
    assert drain(budget, CallScope("p1", "s2", "reads")) == READS.calls
    assert drain(budget, CallScope("p1", "", "reads")) == READS.calls
    assert drain(budget, CallScope("p1", "s1", "writes")) == LIMITS["writes"].calls


def test_the_budget_outlives_the_process(instance: Start, time: Time) -> None:
    drain(instance())
    time.sleep(1.0)
    assert drain(instance()) <= READS.refill, "the next scan begins with what the last one left"


def test_headers_that_tell_of_less_lower_the_budget(instance: Start) -> None:
    budget, other = instance(), instance()
    budget.take(SCOPE)
    budget.learn(SCOPE, 3)
    assert drain(budget) <= 3, "somebody else calls as the same principal"
    for _ in range(FIRST_LEASE_CALLS):
        budget.take(SCOPE)
    assert drain(other) == 0, "and the others know of it with the next lease"


def test_headers_that_tell_of_more_raise_the_budget(instance: Start, metered: MeteredCloud) -> None:
    metered.limits = RateLimits(enforced=True, scale=4.0)
    run([instance()], metered, MINUTE)
    assert metered.refused == 0
    assert len(metered.sent) > 1.5 * MINUTE_CALLS, "the cloud gives more than is documented"


@pytest.mark.parametrize("remaining", [0, 1, 249, 250, 11_999, 10**9])
def test_no_header_makes_the_budget_larger_than_the_bucket_or_stops_it(
    instance: Start, metered: MeteredCloud, remaining: int
) -> None:
    budget = instance()
    budget.take(SCOPE)
    budget.learn(SCOPE, remaining)
    assert drain(budget) <= READS.calls
    metered.time.sleep(1.0)
    assert drain(budget) > 0


def test_a_refusal_is_told_to_the_others(instance: Start, time: Time) -> None:
    budget, other = instance(), instance()
    budget.take(SCOPE)
    time.sleep(1.0)
    budget.learn_throttling(SCOPE, 5.0)
    assert budget.take(SCOPE) >= 5.0
    assert other.take(SCOPE) >= 5.0


def test_a_long_wait_is_for_the_caller_to_plan_and_takes_nothing(
    instance: Start, time: Time, store: CountedDocuments
) -> None:
    budget, other = instance(), instance()
    budget.take(SCOPE)
    time.sleep(1.0)
    budget.learn_throttling(SCOPE, 1e9)
    for each in (budget, other):
        with pytest.raises(Throttled, match="reads of subscription s1") as refused:
            each.take(SCOPE)
        assert CALL_WAIT_SECONDS < refused.value.retry_after <= 61.0
    asked = store.reads + store.writes
    for _ in range(100):
        with pytest.raises(Throttled):
            budget.take(SCOPE)
    assert store.reads + store.writes == asked
    time.sleep(60.0)
    assert budget.take(SCOPE) < CALL_WAIT_SECONDS


def test_a_cloud_with_a_smaller_bucket_is_learned(instance: Start, metered: MeteredCloud) -> None:
    metered.limits = RateLimits(enforced=True, scale=0.2)
    run([instance() for _ in range(4)], metered, 3 * MINUTE)
    assert metered.refused <= 0.1 * len(metered.sent)
    assert len(metered.sent) >= 0.7 * 0.2 * READS.refill * 3 * MINUTE


def test_a_store_that_fails_stops_no_call_and_is_told_once(
    instance: Start, metered: MeteredCloud, store: CountedDocuments, caplog: pytest.LogCaptureFixture
) -> None:
    budget = instance()
    store.broken = True
    with caplog.at_level(logging.WARNING):
        run([budget], metered, 2 * MINUTE)
    assert (metered.refused, len(caplog.records)) == (0, 1)
    assert len(metered.sent) > MINUTE_CALLS
    assert store.reads + store.writes <= 10, "a store that fails is left alone"
    store.broken = False
    metered.time.sleep(30.0)
    run([budget, instance()], metered, MINUTE)
    assert store.writes > 10, "and used again"
    assert metered.refused <= READS.refill


@pytest.mark.parametrize(
    "changed",
    [
        {"level": "many"},
        {"level": -1e9},
        {"level": 1e300},
        {"level": "NaN"},
        {"refill": 0},
        {"refill": -1},
        {"refill": 1e-9},
        {"refill": 1e300},
        {"refill": "NaN"},
        {"at": 1e300},
        {"at": "NaN"},
        {"refused_at": 1e300},
        {"leases": {"x": {"calls": -1_000_000, "ends": 1_800_000_060.0}}},
        {"leases": {"x": {"calls": 1_000_000, "ends": 1_800_000_060.0}}},
    ],
)
def test_a_document_that_cannot_be_read_is_replaced(
    instance: Start, store: CountedDocuments, tenant: str, time: Time, changed: dict[str, Any]
) -> None:
    body = {"level": 0.0, "at": time.at, "refill": READS.refill, **changed}
    store.create(tenant=tenant, kind=KIND, id=document_id(SCOPE), body=body)
    budget = instance()
    assert 0 < budget.take(SCOPE) < 1.0, "nothing is known of what is left"
    found = store.get(tenant=tenant, kind=KIND, id=document_id(SCOPE))
    assert found
    assert CallBucket.model_validate(found.body).refill == READS.refill
    time.sleep(1.0)
    assert 0 < drain(budget) <= READS.refill


def test_clocks_may_differ_by_some_seconds(instance: Start, metered: MeteredCloud) -> None:
    run([instance(behind=each) for each in (0.0, 0.5, 1.0, 2.0)], metered, 3 * MINUTE)
    assert metered.refused <= 0.01 * len(metered.sent)


@pytest.mark.parametrize("ahead", [20.0, 100.0, 3600.0, 86_400.0])
def test_a_clock_that_is_ahead_neither_stops_the_others_nor_fills_the_bucket_twice(
    instance: Start, metered: MeteredCloud, ahead: float
) -> None:
    wrong, *others = (instance(behind=each) for each in (-ahead, 0.0, 0.0, 1.0))
    wrong.take(SCOPE)
    assert [each.take(SCOPE) for each in others] == [0, 0, 0]
    run([wrong, *others], metered, 3 * MINUTE)
    assert metered.refused == 0
    assert len(metered.sent) >= 0.95 * (READS.calls + READS.refill * 3 * MINUTE)


def test_a_clock_that_was_wrong_does_not_stop_the_others(instance: Start) -> None:
    drain(instance(behind=-86_400.0))
    assert instance().take(SCOPE) < CALL_WAIT_SECONDS


@pytest.mark.parametrize("back", [5.0, 20.0, 100.0, 3600.0])
def test_a_clock_that_is_set_back_stops_no_call(instance: Start, metered: MeteredCloud, back: float) -> None:
    """Neither those of a lease, nor those after it, nor those of a process that starts then."""
    budget = instance()
    assert budget.take(SCOPE) == 0
    metered.call(budget)
    metered.time.sleep(-back)
    metered.limits = RateLimits(enforced=True)  # the cloud has a clock of its own
    assert budget.take(SCOPE) == 0
    run([budget, instance()], metered, MINUTE)
    assert metered.refused == 0
    assert len(metered.sent) >= 0.95 * MINUTE_CALLS


def test_a_pause_is_no_longer_for_a_clock_that_is_set_back(instance: Start, time: Time) -> None:
    budget, other = instance(), instance()
    budget.take(SCOPE)
    time.sleep(1.0)
    budget.learn_throttling(SCOPE, 60.0)
    time.sleep(-3600.0)
    for each in (budget, other):
        with pytest.raises(Throttled) as refused:
            each.take(SCOPE)
        assert refused.value.retry_after <= 61.0
    time.sleep(60.0)
    assert budget.take(SCOPE) < CALL_WAIT_SECONDS
    assert other.take(SCOPE) < CALL_WAIT_SECONDS


def test_a_store_that_failed_is_not_left_alone_for_a_clock_that_is_set_back(
    instance: Start, time: Time, store: CountedDocuments
) -> None:
    budget = instance()
    store.broken = True
    budget.take(SCOPE)
    store.broken = False
    time.sleep(-3600.0)
    drain(budget)
    assert store.writes > 0

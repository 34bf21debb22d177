"""Decisions on a subscription: those of one process take turns, and each is taken once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from shared.domain.estate import Estate
from shared.domain.estate_event import ExemptionChanged
from shared.eventstore.store import Store
from shared.services.estate import estate

THREADS = 8


def test_threads_take_turns_and_none_decides_twice(store: Store) -> None:
    arrived, decided = threading.Barrier(THREADS + 1), list[int]()

    def decide(number: int) -> None:
        def decision(known: Estate) -> estate.EstateChange:
            decided.append(known.sequence)
            threading.Event().wait(0.01)  # for the others to come in, were they let
            return estate.EstateChange(ExemptionChanged(exemption=f"{number}@1"))

        arrived.wait(30)
        estate.decide(store, "s", decision)

    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(decide, number) for number in range(THREADS)]
        arrived.wait(30)
        for each in asked:
            each.result()
    assert decided == list(range(THREADS)), "each saw what the one before it had recorded"


def test_a_decision_within_a_decision_does_not_wait_for_itself(store: Store) -> None:
    def decision(known: Estate) -> estate.EstateChange | None:
        if known.sequence == 0:
            estate.decide(store, "s", lambda _: estate.EstateChange(ExemptionChanged(exemption="inner@1")))
        return estate.EstateChange(ExemptionChanged(exemption="outer@1"))

    assert estate.decide(store, "s", decision).sequence == 2

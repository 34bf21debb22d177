"""Work that several threads ask for at once: one run at a time, each as new as every call that gets it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from shared.eventstore.store import Store
from shared.services.shared_run import SharedRun

THREADS = 8


def until(true: Callable[[], object]) -> None:
    while not true():
        threading.Event().wait(0.001)


def test_all_who_ask_while_a_run_is_under_way_share_the_next(store: Store) -> None:
    shared, runs, held, begun = SharedRun[int](), count(1), threading.Event(), threading.Event()
    arrived: list[int] = []

    def work() -> int:
        number = next(runs)
        begun.set()
        assert held.wait(30)
        return number

    def ask(number: int) -> int:
        arrived.append(number)
        return shared.do(store.documents, "t", work)

    with ThreadPoolExecutor(THREADS + 1) as pool:
        first = pool.submit(ask, 0)
        assert begun.wait(30)
        others = [pool.submit(ask, number) for number in range(1, THREADS + 1)]
        until(lambda: len(arrived) == THREADS + 1 and shared._queued[store.documents])
        assert not first.done()
        held.set()
        assert first.result() == 1
        later = {each.result() for each in others}
    assert min(later) == 2, "a run that had begun before the call is too old for it"
    assert len(later) <= 2, "who came to ask before it began has the same run"
    assert shared.do(store.documents, "t", work) == max(later) + 1


def test_a_run_that_fails_fails_for_all_who_share_it_and_for_nobody_after(store: Store) -> None:
    shared = SharedRun[int]()

    def fails() -> int:
        raise ValueError("it does")

    with pytest.raises(ValueError, match="it does"):
        shared.do(store.documents, "t", fails)
    assert shared.do(store.documents, "t", lambda: 5) == 5


def test_tenants_do_not_wait_for_each_other(store: Store) -> None:
    shared = SharedRun[str]()
    inner = shared.do(store.documents, "one", lambda: shared.do(store.documents, "two", lambda: "done"))
    assert inner == "done"

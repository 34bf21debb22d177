"""Work that several threads ask for: one run at a time, and none who asks is left without a run that began later."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.eventstore.store import Store
from shared.services.shared_run import SharedRun

THREADS = 8


def until(true: Callable[[], object]) -> None:
    while not true():
        threading.Event().wait(0.001)


def test_who_asks_before_a_run_has_begun_leaves_the_work_to_it(store: Store) -> None:
    shared, held, begun = SharedRun(), threading.Event(), threading.Event()
    runs: list[int] = []

    def work() -> None:
        runs.append(threading.get_ident())
        begun.set()
        assert held.wait(30)

    with ThreadPoolExecutor(THREADS + 1) as pool:
        first = pool.submit(shared.ensure, store.documents, "t", work)
        assert begun.wait(30)
        others = [pool.submit(shared.ensure, store.documents, "t", work) for _ in range(THREADS)]
        # One of them promises the next run and waits for its turn; all others go on at once.
        until(lambda: sum(each.done() for each in others) == THREADS - 1)
        assert not first.done()
        assert len(runs) == 1
        held.set()
        for each in [first, *others]:
            each.result()
    assert len(runs) == 2, "what came after the first run had begun is in the second"


def test_a_pause_lies_between_two_runs(store: Store) -> None:
    now, waits = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    def work() -> None:
        now[0] += 2.0

    shared = SharedRun(5.0, sleep=sleep, clock=lambda: now[0])
    shared.ensure(store.documents, "t", work)
    now[0] += 1.0
    shared.ensure(store.documents, "t", work)
    now[0] += 60.0
    shared.ensure(store.documents, "t", work)
    assert waits == [0.0, 4.0, 0.0]


def test_a_run_that_fails_fails_for_who_does_it_and_for_nobody_after(store: Store) -> None:
    shared, done = SharedRun(), list[int]()

    def fails() -> None:
        raise ValueError("it does")

    with pytest.raises(ValueError, match="it does"):
        shared.ensure(store.documents, "t", fails)
    shared.ensure(store.documents, "t", lambda: done.append(1))
    assert done == [1]


def test_a_wait_that_is_broken_off_keeps_no_promise(store: Store) -> None:
    def broken(_seconds: float) -> None:
        raise KeyboardInterrupt

    shared, done = SharedRun(sleep=broken), list[int]()
    with pytest.raises(KeyboardInterrupt):
        shared.ensure(store.documents, "t", lambda: done.append(1))
    shared._sleep = lambda _: None
    shared.ensure(store.documents, "t", lambda: done.append(2))
    assert done == [2]


def test_tenants_do_not_wait_for_each_other(store: Store) -> None:
    shared, done = SharedRun(), list[str]()
    shared.ensure(store.documents, "one", lambda: shared.ensure(store.documents, "two", lambda: done.append("two")))
    assert done == ["two"]

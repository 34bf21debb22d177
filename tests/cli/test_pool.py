"""Spreading work keeps the order, takes no more than it needs, and lets errors out."""

from collections.abc import Iterator

import pytest

from cli.pool import BATCHES_PER_PROCESS, map_batches

STARTED: list[int] = []


def begin(base: int) -> None:
    STARTED[:] = [base]


def add(number: int) -> int:
    if number < 0:
        raise ValueError("negative")
    return STARTED[0] + number


def counted(seen: list[int]) -> Iterator[int]:
    for number in range(40):
        seen.append(number)
        yield number


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_and_batches_only_as_needed(jobs: int) -> None:
    seen: list[int] = []
    results = map_batches(add, counted(seen), jobs=jobs, start=begin, given=(100,))
    assert next(results) == 100
    assert len(seen) <= jobs * BATCHES_PER_PROCESS + 1
    assert list(results) == list(range(101, 140))


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_comes_out(jobs: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        list(map_batches(add, [1, -1, 2], jobs=jobs, start=begin, given=(0,)))

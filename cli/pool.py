"""Work spread over processes: in order, and never more of it under way than the processes need."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

AHEAD = 3
"""Pieces under way for each process."""


def spread[T, R](
    work: Callable[[T], R], pieces: Iterable[T], *, jobs: int, start: Callable[..., None], given: tuple[object, ...]
) -> Iterator[R]:
    """The results of `work` on each piece, in order. `start(*given)` prepares each process before its first piece.

    With one job everything happens in this process. Pieces are taken only as results are, so memory stays bounded
    however many there are. `work` and `start` must be importable by name.
    """
    if jobs == 1:
        start(*given)
        yield from map(work, pieces)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=start, initargs=given) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for piece in pieces:
                waiting.append(pool.submit(work, piece))
                if len(waiting) > jobs * AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()

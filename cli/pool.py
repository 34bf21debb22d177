"""Batches of work spread over processes: in order, and no more of them in memory than the processes need."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

BATCHES_PER_PROCESS = 3
"""Batches in memory for each process."""


def map_batches[T, R](
    work: Callable[[T], R], batches: Iterable[T], *, jobs: int, start: Callable[..., None], given: tuple[object, ...]
) -> Iterator[R]:
    """Yield the results of `work` on each batch, in order. `start(*given)` prepares each process before its first one.

    With one job everything happens in this process. A batch is taken only when a result is, so that memory stays
    bounded however many there are. `work` and `start` must be importable by name.
    """
    if jobs == 1:
        start(*given)
        yield from map(work, batches)
        return
    # A forked process inherits locks that threads hold at that moment, and waits for them for ever.
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=start, initargs=given) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(work, batch))
                if len(waiting) > jobs * BATCHES_PER_PROCESS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # The reader of the results may stop early, as `head` does.
            for each in waiting:
                each.cancel()

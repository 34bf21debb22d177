"""Deliveries of queue messages: keeps why the last one failed, for the record of the poison message."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, cast

import azure.functions as func

from functions import context
from shared import bootstrap
from shared.domain.error import CortexError
from shared.services import poison

MAX_DEQUEUE_COUNT = 5
"""The delivery after which a message is poison: host.json's maxDequeueCount."""


def record_failure[**P, T](queue: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate the function of a queue to keep why its last delivery failed; the error is raised all the same.

    The message of an error of ours is complete: it is raised without a stack trace, which would fill the log.
    """

    def decorate(handler: Callable[P, T]) -> Callable[P, T]:
        # the worker awaits a function only when it is declared as a coroutine, so there are two wrappers
        if inspect.iscoroutinefunction(handler):

            @wraps(handler)
            async def delivered_to_coroutine(*args: P.args, **options: P.kwargs) -> Any:  # noqa: ANN401 - the handler's
                try:
                    with _watch_delivery(queue, (*args, *options.values())):
                        return await handler(*args, **options)
                except CortexError as error:
                    raise error.with_traceback(None) from None

            return cast("Callable[P, T]", delivered_to_coroutine)

        @wraps(handler)
        def delivered(*args: P.args, **options: P.kwargs) -> T:
            try:
                with _watch_delivery(queue, (*args, *options.values())):
                    return handler(*args, **options)
            except CortexError as error:
                raise error.with_traceback(None) from None

        return delivered

    return decorate


@contextmanager
def _watch_delivery(queue: str, given: tuple[Any, ...]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        message = next(each for each in given if isinstance(each, func.QueueMessage))
        # the last delivery: after it the host moves the message to the poison queue, without the reason
        if (message.dequeue_count or 0) >= MAX_DEQUEUE_COUNT:
            store = context.system_store(bootstrap.settings().tenant, "poison")
            poison.keep_failure(queue, message.get_body(), f"{type(error).__name__}: {error}", store=store)
        raise

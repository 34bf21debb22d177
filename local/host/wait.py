"""Waiting that can be ended early."""

import asyncio
from collections.abc import Iterable
from typing import Any


async def wait_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event. Return whether it was set within that time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


async def drain_tasks(tasks: Iterable[asyncio.Task[Any]], seconds: float) -> None:
    """Wait for the tasks to end; cancel those that take longer."""
    # A copy, because callbacks take ended tasks out of the set.
    tasks = list(tasks)
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

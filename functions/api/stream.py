"""Server-sent events: the stream of one thing, as it grows, until the thing has ended or a while has passed."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from functions.api.access import Caller
from functions.api.answer import find
from shared.domain.error import InvalidInput
from shared.domain.event import Event
from shared.services import stream

EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "the sequence, for Last-Event-ID"},
        "event": {"type": "string", "description": "the event's type, such as scanStarted"},
        "data": {"type": "string", "contentMediaType": "application/json", "description": "the event"},
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "events as they come", "content": {"text/event-stream": {"schema": EVENT}}},
    204: {"description": "there is nothing after Last-Event-ID, and there will be nothing"},
}
BATCH = 200
HEARTBEAT = 30
"""Polls without news between two comments that keep proxies from closing the line."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, in seconds, and how often at most; then the caller is to connect again."""

    interval: float = 0.5
    looks: int = 400

    @property
    def retry(self) -> bytes:
        """Tells the caller how many milliseconds to wait before it connects again."""
        return b"retry: %d\n\n" % max(int(self.interval * 2000), 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is followed: a thing's kind and id, and the statuses in which more can still happen."""

    caller: Caller
    kind: str
    id: str
    active: Collection[str]

    def look(self, after: int) -> tuple[Sequence[Event], bool]:
        """The events after a sequence, at most 200, and whether there will be no more."""
        status = find(self.caller, self.kind, self.id).body["status"]
        events = stream.read(
            documents=self.caller.ports.documents,
            tenant=self.caller.tenant,
            stream=f"{self.kind}:{self.id}",
            after=after,
        )
        found = list(islice(events, BATCH))
        return found, status not in self.active and len(found) < BATCH


async def follow(request: Request, subject: Subject) -> Response:
    """The events after Last-Event-ID; 204, which ends the following, when there are none and will be none.

    Source: WHATWG HTML, "Server-sent events".
    """
    after = last_seen(request)
    events, ended = await to_thread.run_sync(subject.look, after)
    if ended and not events:
        return Response(status_code=204)
    pace: Pace = request.app.state.pace
    lines = _lines(subject, pace, events, ended=ended, after=after)
    return StreamingResponse(lines, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def last_seen(request: Request) -> int:
    """The sequence in Last-Event-ID, 0 without one."""
    given = request.headers.get("last-event-id", "0")
    if not re.fullmatch(r"[0-9]{1,9}", given):
        raise InvalidInput("Last-Event-ID is the id of an event, a number", path="header.last-event-id")
    return int(given)


async def _lines(
    subject: Subject, pace: Pace, events: Sequence[Event], *, ended: bool, after: int
) -> AsyncIterator[bytes]:
    yield pace.retry
    for look in range(1, pace.looks + 1):
        for event in events:
            yield line(event)
            after = event.sequence
        if ended:
            return
        if not events and look % HEARTBEAT == 0:
            yield b": nothing new\n\n"
        await asyncio.sleep(pace.interval)
        events, ended = await to_thread.run_sync(subject.look, after)


def line(event: Event) -> bytes:
    """One event on the wire."""
    data = orjson.dumps(event.model_dump(mode="json"))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.sequence, event.type.encode(), data)

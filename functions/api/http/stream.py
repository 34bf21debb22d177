"""Server-sent events: the event stream of one record as it grows, until the record has ended or time is up."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from functions.api.http.access import RequestContext
from shared.domain.error import InvalidInput
from shared.domain.event import Event, Recorded
from shared.domain.model import internal_members
from shared.eventstore.stream import Stream
from shared.services import read_model
from shared.services.read_model import ReadModel

EVENT_SCHEMA = {
    "type": "string",
    "description": "one message for each event: `id` is its sequence, for Last-Event-ID, `event` its type, such as "
    "scanStarted, and `data` the event as JSON",
}
STREAM_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "events as they are recorded", "content": {"text/event-stream": {"schema": EVENT_SCHEMA}}},
    204: {"description": "there are no events after Last-Event-ID, and there will be none"},
}
HEARTBEAT_POLLS = 30
"""Polls without an event between two comments that keep proxies from closing the connection."""


@dataclass(frozen=True, slots=True)
class StreamPolling:
    """Seconds between two polls, and the number of polls after which the caller has to connect again."""

    interval: float = 0.5
    polls: int = 400

    @property
    def retry(self) -> bytes:
        """Return the line that says how many milliseconds to wait before connecting again."""
        return b"retry: %d\n\n" % max(int(self.interval * 2000), 1)


@dataclass(frozen=True, slots=True)
class EventFeed:
    """The followed record: its noun and id, and the statuses in which more events can come."""

    caller: RequestContext
    noun: ReadModel[Any]
    stream: Stream[Any, Any]
    id: str
    active: Collection[str]

    def look(self, after: int) -> tuple[Sequence[Recorded[Event]], bool]:
        """Return at most 200 events after a sequence, and whether there will be no more."""
        return read_model.events_after(
            self.noun, self.stream, self.id, after, active=self.active, store=self.caller.store
        )


async def stream_events(request: Request, subject: EventFeed) -> Response:
    """Stream the events after Last-Event-ID; answer 204, which ends the subscription, when there will be none.

    Source: WHATWG HTML, "Server-sent events".
    """
    after = last_event_id(request)
    events, ended = await to_thread.run_sync(subject.look, after)
    if ended and not events:
        return Response(status_code=204)
    pace: StreamPolling = request.app.state.pace
    lines = _event_messages(subject, pace, events, ended=ended, after=after)
    return StreamingResponse(lines, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


def last_event_id(request: Request) -> int:
    """Return the sequence in Last-Event-ID, 0 without one."""
    given = request.headers.get("last-event-id", "0")
    if not re.fullmatch(r"[0-9]{1,9}", given):
        raise InvalidInput("Last-Event-ID must be the id of an event, a number", path="header.last-event-id")
    return int(given)


async def _event_messages(
    subject: EventFeed, pace: StreamPolling, events: Sequence[Recorded[Event]], *, ended: bool, after: int
) -> AsyncIterator[bytes]:
    yield pace.retry
    for look in range(1, pace.polls + 1):
        for event in events:
            yield event_message(event)
            after = event.sequence
        if ended:
            return
        if not events and look % HEARTBEAT_POLLS == 0:  # proxies close a connection that stays silent
            yield b": no new events\n\n"
        await asyncio.sleep(pace.interval)
        events, ended = await to_thread.run_sync(subject.look, after)


def event_message(recorded: Recorded[Event]) -> bytes:
    """Return an event in the format of server-sent events."""
    hidden = {"event": set(internal_members(type(recorded.event)))}
    data = orjson.dumps(recorded.model_dump(mode="json", exclude=hidden))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (recorded.sequence, recorded.event.type.encode(), data)

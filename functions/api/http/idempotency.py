"""Idempotency keys: the same key and body get the same answer, and have one effect.

A key reserves the id of the work that it starts. Interrupted work is resumed under that id, and services do nothing
twice for one id. Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, Header, Request, Response

from functions.api.http.access import Authorized, RequestContext
from functions.api.http.response import accepted, as_json
from shared.domain import validation_message
from shared.domain.error import Busy
from shared.domain.model import Model
from shared.services.idempotency import LEASE_DURATION, Claim, IdempotencyKey

RENEWAL_INTERVAL = LEASE_DURATION / 3
POLL_SECONDS = 0.05
POLL_ATTEMPTS = 100
"""Polls for the answer of a concurrent request before the caller is asked to retry."""

type IdempotentAction = Callable[[str], Model | Mapping[str, Any]]
"""Does the work under an id, and returns the body to send."""


@dataclass(slots=True)
class HeldClaim:
    """A claim while its work is done: as it was last renewed, and the result to keep."""

    claim: Claim
    end: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that starts work. `key` is None when the caller gave none."""

    caller: RequestContext
    key: str | None
    fingerprint: str

    async def start(self, do: IdempotentAction, location: str) -> Response:
        """Do the work once, and answer 202 with its address, in which `{id}` is the id of the work.

        Errors: InvalidInput when the key was used with another body; Busy while another request does the work.
        """
        if self.key is None:
            thing = self.caller.ports.new_id()
            return accepted(as_json(await to_thread.run_sync(do, thing)), location.format(id=thing))
        for _ in range(POLL_ATTEMPTS):
            claim = await to_thread.run_sync(self._reservation.claim)
            if claim.ours:
                body = await to_thread.run_sync(self._perform, claim, do)
                return accepted(body, location.format(id=claim.reservation.thing))
            if claim.reservation.answer is not None:
                return accepted(claim.reservation.answer, location.format(id=claim.reservation.thing))
            await asyncio.sleep(POLL_SECONDS)
        left = claim.reservation.at + LEASE_DURATION - self.caller.ports.now()
        reason = "another request with this Idempotency-Key is still running; retry after its lease has expired"
        raise Busy(reason, retry_after=left.total_seconds())

    def _perform(self, claim: Claim, do: IdempotentAction) -> Mapping[str, Any]:
        """Do the work and keep its answer; after an error the key can be tried again, under the same id."""
        with self._held(claim) as held:
            try:
                end: Mapping[str, Mapping[str, Any]] = {"answer": as_json(do(claim.reservation.thing))}
            except BaseException:  # also a cancelled request must not hold its key until the lease expires
                held.end = {"free": True}
                raise
            held.end = end
        return end["answer"]

    @contextmanager
    def _held(self, claim: Claim) -> Iterator["HeldClaim"]:
        """Renew the lease of a claim while its work goes on, then keep the result."""
        held, done = HeldClaim(claim), threading.Event()

        def renew() -> None:
            while not done.wait(RENEWAL_INTERVAL.total_seconds()):
                held.claim = self._reservation.renew(held.claim)

        # a thread, not a task: the work blocks in a thread of its own while the lease must be renewed
        renewing = threading.Thread(target=renew, daemon=True)
        renewing.start()
        try:
            yield held
        finally:
            done.set()
            renewing.join()
            self._reservation.keep(held.claim, **held.end)

    @property
    def _reservation(self) -> IdempotencyKey:
        assert self.key is not None  # only work with a key is reserved
        return IdempotencyKey(self.key, self.fingerprint, self.caller.store, self.caller.ports.new_id)


def request_fingerprint(request: Request, digest: bytes) -> str:
    """Return a digest of a request: method, address, and the digest of its body."""
    head = f"{request.method} {request.url.path}?{request.url.query}\0".encode()
    return hashlib.sha256(head + digest).hexdigest()


IdempotencyKeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=validation_message.VISIBLE_PATTERN,
        description="the same key with the same body starts the work only once; keys are kept for two days",
    ),
]


async def _idempotent_request(
    request: Request, caller: Authorized, key: IdempotencyKeyHeader = None
) -> IdempotentRequest:
    return IdempotentRequest(caller, key, request_fingerprint(request, hashlib.sha256(await request.body()).digest()))


Idempotent = Annotated[IdempotentRequest, Depends(_idempotent_request)]
"""The request that starts work, as an operation declares it."""

"""Idempotency keys: the same key and body get the same answer, and have one effect.

A key reserves the id of what it starts. Work that broke off is taken up again under that id, and services do nothing
twice for one id. Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from anyio import to_thread
from fastapi import Depends, Header, Request, Response
from pydantic import AwareDatetime

from functions.api.access import Caller, Known
from functions.api.answer import accepted
from shared.domain.error import AlreadyExists, Conflict, InvalidInput, NotFound, Stale, Unavailable
from shared.domain.model import Model
from shared.ports.documents import Document, Query

KIND = "idempotency"
KEPT = timedelta(hours=48)
LEASE = timedelta(seconds=60)
"""After so long without an answer, whoever had the key is taken for dead."""
POLL = 0.05
PATIENCE = 100
"""Polls until somebody who waits for another's answer is told to come back."""
SWEEP = 20

type Start = Callable[[str], Model | Mapping[str, Any]]
"""Does the work under an id, and answers the body to send."""


class Reservation(Model):
    """What is kept of a key."""

    fingerprint: str
    thing: str
    at: AwareDatetime
    expires_at: AwareDatetime
    free: bool = False
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A reservation as it is stored now, and whether it is ours to fill."""

    reservation: Reservation
    etag: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Work:
    """A request that starts work. `key` is None when the caller gave none."""

    caller: Caller
    key: str | None
    fingerprint: str

    async def start(self, do: Start, location: str) -> Response:
        """Do the work once; 202 with its address, in which `{id}` is the thing's id.

        Errors: InvalidInput when the key came with another body before; Unavailable when somebody else is still at it.
        """
        if self.key is None:
            thing = self.caller.ports.new_id()
            return accepted(_body(await to_thread.run_sync(do, thing)), location.format(id=thing))
        for _ in range(PATIENCE):
            claim = await to_thread.run_sync(self._claim)
            if claim.ours:
                body = await to_thread.run_sync(self._perform, claim, do)
                return accepted(body, location.format(id=claim.reservation.thing))
            if claim.reservation.answer is not None:
                return accepted(claim.reservation.answer, location.format(id=claim.reservation.thing))
            await asyncio.sleep(POLL)
        raise Conflict("a request with this Idempotency-Key is still at work; ask again in a while")

    def _perform(self, claim: Claim, do: Start) -> Mapping[str, Any]:
        """Do the work and keep its answer; after an error the key is free to try again, under the same id."""
        try:
            body = _body(do(claim.reservation.thing))
        except BaseException:
            self._keep(claim, free=True)
            raise
        self._keep(claim, answer=body)
        return body

    def _keep(self, claim: Claim, **changes: Any) -> None:  # noqa: ANN401 - fields of the reservation
        kept = claim.reservation.model_copy(update=changes)
        try:
            self._put(kept, claim.etag)
        except (Stale, NotFound):
            return  # the lease was over and somebody else took the key up

    def _claim(self) -> Claim:
        at = self.caller.ports.now()
        fresh = Reservation(fingerprint=self.fingerprint, thing=self.caller.ports.new_id(), at=at, expires_at=at + KEPT)
        found = self._create(fresh)
        if isinstance(found, Claim):
            return found
        known = Reservation.model_validate(found.body)
        if known.expires_at <= at:
            return self._take(fresh, found.etag)
        if known.fingerprint != self.fingerprint:
            raise InvalidInput("this Idempotency-Key came with another request before; take a new one", path="$")
        if known.answer is None and (known.free or known.at + LEASE <= at):
            return self._take(known.model_copy(update={"at": at, "free": False}), found.etag)
        return Claim(known, found.etag, ours=False)

    def _create(self, fresh: Reservation) -> Claim | Document:
        """A claim of our own, or the document that is there."""
        documents, tenant = self.caller.ports.documents, self.caller.tenant
        try:
            made = documents.create(tenant=tenant, kind=KIND, id=self._id, body=fresh.model_dump(mode="json"))
        except AlreadyExists:
            found = documents.get(tenant=tenant, kind=KIND, id=self._id)
            if found is None:
                raise Unavailable("the Idempotency-Key was being cleared away; ask again", retry_after=1) from None
            return found
        self._sweep()
        return Claim(fresh, made.etag, ours=True)

    def _take(self, reservation: Reservation, etag: str) -> Claim:
        try:
            return Claim(reservation, self._put(reservation, etag).etag, ours=True)
        except (Stale, NotFound):
            return Claim(reservation.model_copy(update={"answer": None}), etag, ours=False)

    def _put(self, reservation: Reservation, etag: str) -> Document:
        return self.caller.ports.documents.put(
            tenant=self.caller.tenant,
            kind=KIND,
            id=self._id,
            body=reservation.model_dump(mode="json"),
            if_match=etag,
        )

    @property
    def _id(self) -> str:
        return hashlib.sha256(f"{self.caller.principal.name}\0{self.key}".encode()).hexdigest()

    def _sweep(self) -> None:
        """Remove some keys whose time is over."""
        documents, tenant = self.caller.ports.documents, self.caller.tenant
        oldest = documents.query(tenant=tenant, kind=KIND, query=Query(order="expiresAt"), limit=SWEEP)
        for each in oldest.items:
            if Reservation.model_validate(each.body).expires_at <= self.caller.ports.now():
                documents.delete(tenant=tenant, kind=KIND, id=each.id)


def _body(answer: Model | Mapping[str, Any]) -> Mapping[str, Any]:
    return answer.model_dump(mode="json") if isinstance(answer, Model) else answer


def fingerprint(request: Request, digest: bytes) -> str:
    """A digest of what was asked: method, address, and the digest of the body."""
    head = f"{request.method} {request.url.path}?{request.url.query}\0".encode()
    return hashlib.sha256(head + digest).hexdigest()


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="the same key with the same body starts the work once, and is kept for two days",
    ),
]


async def _work(request: Request, caller: Known, key: Key = None) -> Work:
    return Work(caller, key, fingerprint(request, hashlib.sha256(await request.body()).digest()))


Starting = Annotated[Work, Depends(_work)]
"""The request that starts work, as an operation declares it."""

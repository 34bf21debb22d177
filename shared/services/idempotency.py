"""Keep idempotency keys: which request a key came with, the id it started work under, and how that was answered.

Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pydantic import AwareDatetime

from shared.domain.error import AlreadyExists, InvalidInput, NotFound, Stale, Throttled, Unavailable
from shared.domain.model import Model
from shared.eventstore.store import Store
from shared.ports.clock import NewId
from shared.ports.documents import Document, Query

KIND = "idempotency"
KEY_LIFETIME = timedelta(hours=48)
LEASE_DURATION = timedelta(seconds=15)
"""After so long without a renewal, whoever had the key is taken for dead."""
SWEEP_KEYS = 20
"""Expired keys that are removed with each new one, at most."""


class Reservation(Model):
    """A reservation of a key: the request it came with, the id of the work, and the response."""

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
class IdempotencyKey:
    """A key of a caller, with the fingerprint of the request that it came with now."""

    key: str
    fingerprint: str
    store: Store
    new_id: NewId

    def claim(self) -> Claim:
        """Reserve the key, or find its reservation; InvalidInput when it came with another request before.

        Unavailable when the key is just being removed.
        """
        at = self.store.now()
        fresh = Reservation(fingerprint=self.fingerprint, thing=self.new_id(), at=at, expires_at=at + KEY_LIFETIME)
        found = self._create(fresh)
        if isinstance(found, Claim):
            return found
        known = Reservation.model_validate(found.body)
        if known.expires_at <= at:
            return self._take(fresh, found.etag)
        if known.fingerprint != self.fingerprint:
            raise InvalidInput("this Idempotency-Key was used with another request; use a new one", path="$")
        # Nobody works on it any more: its worker released it, or has not renewed the lease.
        if known.answer is None and (known.free or known.at + LEASE_DURATION <= at):
            return self._take(known.model_copy(update={"at": at, "free": False}), found.etag)
        return Claim(known, found.etag, ours=False)

    def renew(self, claim: Claim) -> Claim:
        """Record that the work goes on; where the store does not take it, the next renewal tries again."""
        later = claim.reservation.model_copy(update={"at": self.store.now()})
        try:
            return replace(claim, reservation=later, etag=self._put(later, claim.etag).etag)
        except (Stale, NotFound, Throttled, Unavailable):
            return claim  # the next renewal tries again, or somebody else has the key now

    def keep(self, claim: Claim, **changes: Any) -> None:  # noqa: ANN401 - fields of the reservation
        """Record how the work ended."""
        kept = claim.reservation.model_copy(update=changes)
        try:
            self._put(kept, claim.etag)
        except (Stale, NotFound):
            return  # the lease had expired, and somebody else has the key now

    def _create(self, fresh: Reservation) -> Claim | Document:
        """Make a claim of our own and remove some expired keys; or return the document that exists."""
        documents, tenant = self.store.documents, self.store.tenant
        try:
            made = documents.create(tenant=tenant, kind=KIND, id=self._id, body=fresh.model_dump(mode="json"))
        except AlreadyExists:
            found = documents.get(tenant=tenant, kind=KIND, id=self._id)
            if found is None:
                raise Unavailable(
                    "the Idempotency-Key was being removed; send the request again", retry_after=1
                ) from None
            return found
        # Each new key pays for the removal of some old ones, so that no timer is needed and none pays for many.
        oldest = documents.query(tenant=tenant, kind=KIND, query=Query(order="expiresAt"), limit=SWEEP_KEYS)
        for each in oldest.items:
            if Reservation.model_validate(each.body).expires_at <= fresh.at:
                documents.delete(tenant=tenant, kind=KIND, id=each.id)
        return Claim(fresh, made.etag, ours=True)

    def _take(self, reservation: Reservation, etag: str) -> Claim:
        try:
            return Claim(reservation, self._put(reservation, etag).etag, ours=True)
        except (Stale, NotFound):
            # Another request took it first: the caller waits for that one's answer.
            return Claim(reservation.model_copy(update={"answer": None}), etag, ours=False)

    def _put(self, reservation: Reservation, etag: str) -> Document:
        body = reservation.model_dump(mode="json")
        return self.store.documents.put(tenant=self.store.tenant, kind=KIND, id=self._id, body=body, if_match=etag)

    @property
    def _id(self) -> str:
        return hashlib.sha256(f"{self.store.caller.subject}\0{self.key}".encode()).hexdigest()

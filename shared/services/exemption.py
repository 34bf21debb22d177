"""Create, list and end exemptions; what they cover is judged again through a queue."""

from collections.abc import Collection
from datetime import timedelta

from shared.domain.error import Conflict, InvalidInput, NotFound
from shared.domain.event import Fact
from shared.domain.exemption import Exemption, ExemptionRequest, Status, apply
from shared.ports.documents import Query
from shared.ports.queue import Queue
from shared.services import message, record
from shared.services.estate import Store

KIND = record.Kind("exemption", Exemption, apply)
QUEUE = "exemption-changes"
LONGEST = timedelta(days=366)
MOST = 1000


def create(
    exemption_id: str, request: ExemptionRequest, *, store: Store, queue: Queue, policies: Collection[str]
) -> Exemption:
    """Record a new exemption.

    InvalidInput when it ends in the past or more than a year ahead, or names none of the `policies` there are.
    """
    for index, name in enumerate(request.policies):
        if name not in policies:
            raise InvalidInput(f"there is no policy '{name}'", path=f"$.policies[{index}]")
    ahead = request.expires_at - store.now()
    if not timedelta(0) < ahead <= LONGEST:
        raise InvalidInput(
            f"an exemption must end within a year from now, not at {request.expires_at:%Y-%m-%d}", path="$.expiresAt"
        )
    fact = Fact(type="exemptionCreated", data={"request": request.model_dump(mode="json")})
    return _decide(exemption_id, lambda known: [] if known else [fact], store, queue)


def revoke(exemption_id: str, *, store: Store, queue: Queue) -> Exemption:
    """End an exemption before its day; Conflict when it has ended."""

    def decision(known: Exemption | None) -> list[Fact]:
        if known is not None and known.status != Status.ACTIVE:
            raise Conflict(f"exemption {exemption_id} is {known.status} already")
        return [Fact(type="exemptionRevoked")] if known else []

    return _decide(exemption_id, decision, store, queue)


def expire(*, store: Store, queue: Queue) -> list[Exemption]:
    """End all exemptions whose day has come; those that ended now."""
    at = store.now()
    due = [each for each in active(store) if each.request.expires_at <= at]
    return [_decide(each.id, _expired, store, queue) for each in due]


def _expired(known: Exemption | None) -> list[Fact]:
    return [Fact(type="exemptionExpired")] if known and known.status == Status.ACTIVE else []


def active(store: Store) -> tuple[Exemption, ...]:
    """The exemptions that have not been ended; `Exemption.covers` looks at the day."""
    found: list[Exemption] = []
    query = Query(equals={"status": Status.ACTIVE.value})
    cursor: str | None = None
    while True:
        page = store.documents.query(tenant=store.tenant, kind=KIND.name, query=query, limit=MOST, cursor=cursor)
        found.extend(Exemption.model_validate(each.body) for each in page.items)
        cursor = page.cursor
        if cursor is None:
            return tuple(found)


def find(exemption_id: str, *, store: Store) -> Exemption:
    """The exemption with all its events applied; NotFound."""
    known = record.current(KIND, exemption_id, documents=store.documents, tenant=store.tenant)
    if known is None:
        raise NotFound(f"there is no exemption {exemption_id}", path="id")
    return known


def _decide(exemption_id: str, decision: "record.Decision[Exemption]", store: Store, queue: Queue) -> Exemption:
    decided = record.decide(
        KIND,
        exemption_id,
        decision,
        documents=store.documents,
        now=store.now,
        tenant=store.tenant,
        actor=store.actor,
    )
    queue.send(QUEUE, message.write(store, exemption_id))
    return decided

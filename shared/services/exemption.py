"""Request, approve, list and end exemptions; what they cover is judged again through a queue."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain import approval
from shared.domain.approval import ApprovableAction, same_person
from shared.domain.arm_id import resource_group_of, subscription_of, type_of
from shared.domain.error import Conflict, Forbidden, InvalidInput, NotFound, Requested
from shared.domain.exemption import (
    Exemption,
    ExemptionApplied,
    ExemptionApproved,
    ExemptionEvent,
    ExemptionExpired,
    ExemptionListing,
    ExemptionRejected,
    ExemptionRequest,
    ExemptionRequested,
    ExemptionRevoked,
    ExemptionStatus,
    ExemptionWithdrawn,
    apply,
)
from shared.domain.finding import resource_key
from shared.domain.page import Page
from shared.domain.resource import Resource
from shared.engine import EffectivePolicy
from shared.engine.language.assignment import is_selected
from shared.eventstore import aggregate, projection
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.documents import Query, each_document
from shared.ports.queue import Queue
from shared.services import message, read_model
from shared.services.estate import resource
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.read_model import Stored

STREAM = Stream("exemption", Exemption, ExemptionEvent, apply, requester=lambda known: known.created_by)
MODEL = read_model.ReadModel(STREAM.name, Exemption)
QUEUE = "exemption-changes"
EXEMPTION_DURATION = timedelta(days=366)
_CONTAINERS = ("microsoft.resources/subscriptions", "microsoft.resources/subscriptions/resourcegroups")


def create(
    exemption_id: str, request: ExemptionRequest, *, store: Store, queue: Queue, policies: EffectivePolicies
) -> Exemption:
    """Record a request for an exemption; it exempts nothing before somebody else has approved it.

    InvalidInput when it ends in the past or more than a year ahead, or names a scope where nothing is known, an
    assignment that is not in force, or a reference that it does not have; Requested when the same is pending or in
    force.
    """
    request = _resolved(request, policies)
    end, now = request.expires_at.astimezone(UTC), store.now()
    if end <= now:
        raise InvalidInput(f"the end {end:%Y-%m-%dT%H:%M:%SZ} is in the past", path="$.expiresAt")
    if end > now + EXEMPTION_DURATION:
        raise InvalidInput(
            f"an exemption ends within a year: by {now + EXEMPTION_DURATION:%Y-%m-%d}", path="$.expiresAt"
        )
    _check_scope(request.scope, store)
    _check_new(exemption_id, request, store)
    asked: list[ExemptionEvent] = [ExemptionRequested(request=request)]
    if not approval.required(ApprovableAction.EXEMPTION):
        asked.append(ExemptionApproved())
    return _decide(exemption_id, lambda known: [] if known else asked, store, queue)


def approve(exemption_id: str, *, store: Store, queue: Queue) -> Exemption:
    """Approve an exemption, so that it begins; approving it again changes nothing.

    Errors: Forbidden for whoever asked for it and for anything but a person; Conflict when it does not await approval,
    or its end has come.
    """

    def decision(now: Exemption | None) -> list[ExemptionEvent]:
        known = _require(exemption_id, now)
        if known.status == ExemptionStatus.ACTIVE and same_person(known.approved_by or "", store.actor.name):
            return []
        approval.check_approver(store.caller, known.created_by, ApprovableAction.EXEMPTION)
        _check_pending(known)
        if known.request.expires_at <= store.now():
            raise Conflict(f"exemption {exemption_id} would have ended by now; request it again")
        return [ExemptionApproved()]

    return _decide(exemption_id, decision, store, queue)


def reject(exemption_id: str, reason: str, *, store: Store, queue: Queue) -> Exemption:
    """Turn an exemption down; Conflict when it does not await approval."""

    def decision(now: Exemption | None) -> list[ExemptionEvent]:
        _check_pending(_require(exemption_id, now))
        return [ExemptionRejected(reason=reason)]

    return _decide(exemption_id, decision, store, queue)


def withdraw(exemption_id: str, *, store: Store, queue: Queue) -> Exemption:
    """Take back a request for an exemption; done again, it changes nothing.

    Errors: Forbidden for anybody but whoever asked for it; Conflict when it does not await approval.
    """

    def decision(now: Exemption | None) -> list[ExemptionEvent]:
        known = _require(exemption_id, now)
        if not same_person(known.created_by, store.actor.name):
            raise Forbidden("only who asked for this exemption can withdraw it; an approver can reject it")
        if known.status == ExemptionStatus.WITHDRAWN:
            return []
        _check_pending(known)
        return [ExemptionWithdrawn()]

    return _decide(exemption_id, decision, store, queue)


def _check_pending(known: Exemption) -> None:
    if known.status != ExemptionStatus.PENDING:
        by = f" by {known.approved_by}" if known.status == ExemptionStatus.ACTIVE else ""
        raise Conflict(f"exemption {known.id} is {known.status}{by}; only one that is pending can be decided on")


def _check_scope(scope: str, store: Store) -> None:
    """Refuse a scope where neither a scan nor an import has found anything: a misspelt one would exempt nothing."""
    scope = scope.rstrip("/")
    key = resource_key(scope)
    found = store.documents.get(tenant=store.tenant, kind=resource.KIND, id=key)
    if found is not None and not found.body["gone"]:
        return
    within: dict[str, Any] = {"parent": key}
    if type_of(scope).lower() in _CONTAINERS:
        within = {"subscription": subscription_of(scope)}
        within |= {"resourceGroup": group} if (group := resource_group_of(scope)) else {}
    query = Query(equals={**within, "gone": False})
    if not store.documents.query(tenant=store.tenant, kind=resource.KIND, query=query, limit=1).items:
        message = f"nothing is known at the scope {scope[:200]}: check the id, or scan or import it first"
        raise InvalidInput(message, path="$.scope")


def _check_new(exemption_id: str, request: ExemptionRequest, store: Store) -> None:
    """Refuse what is asked for already: one more would only have to be decided on, and ended, by itself."""
    query, wanted = (
        Query(equals={"status": (str(ExemptionStatus.PENDING), str(ExemptionStatus.ACTIVE))}),
        _about(request),
    )
    for known in _stored(query, store):
        end = known.request.expires_at
        # The same id is the same request, sent again.
        if known.id == exemption_id or end <= store.now() or _about(known.request) != wanted:
            continue
        awaits = known.status == ExemptionStatus.PENDING
        state = "awaits a decision" if awaits else f"is in force until {end.astimezone(UTC):%Y-%m-%d}"
        remedy = "have it decided on, or withdrawn" if awaits else "have it ended first, or ask again on that day"
        message = f"exemption {known.id} of the same scope, assignment and references {state}: {remedy}"
        raise Requested(f"{message}; no exemption begins later than its approval", exemption=known.id, path="$.scope")


def _about(request: ExemptionRequest) -> tuple[object, ...]:
    """Return what an exemption is about, to compare: however it is spelled, and not why or until when."""
    references = frozenset(each.lower() for each in request.references)
    return request.scope.lower().rstrip("/"), request.assignment.lower(), references, request.resource_selectors


def _resolved(request: ExemptionRequest, policies: EffectivePolicies) -> ExemptionRequest:
    """Return the request with the id of the assignment it names."""
    held = policies.of_assignment(request.assignment)
    if not held:
        raise InvalidInput(f"no assignment '{request.assignment[:200]}' is in force", path="$.assignment")
    # Refused now, rather than never matching anything: a misspelt reference would look like an exemption that works.
    known = {each.reference.lower() for each in held}
    for index, name in enumerate(request.references):
        if name.lower() not in known:
            message = f"the assignment '{held[0].assignment_id}' has no policy with the reference '{name[:200]}'"
            raise InvalidInput(message, path=f"$.references[{index}]")
    return request.model_copy(update={"assignment": held[0].assignment_id.lower()})


def covers(found: Exemption, resource: Resource, effective: EffectivePolicy, at: datetime) -> bool:
    """Return whether an exemption covers a resource and a policy in force at a time."""
    if not found.covers(resource.id, effective.assignment_id, effective.reference, at):
        return False
    chosen = found.request.resource_selectors
    return not chosen or is_selected(resource, [each.model_dump(exclude_none=True) for each in chosen])


def revoke(exemption_id: str, *, store: Store, queue: Queue) -> Exemption:
    """End an exemption before it expires; Conflict when it is not active."""

    def decision(now: Exemption | None) -> list[ExemptionEvent]:
        known = _require(exemption_id, now)
        if known.status != ExemptionStatus.ACTIVE:
            raise Conflict(f"exemption {exemption_id} is {known.status}; only an active one can be revoked")
        return [ExemptionRevoked()]

    return _decide(exemption_id, decision, store, queue)


def expire(*, store: Store, queue: Queue) -> list[Exemption]:
    """End all exemptions that have expired, and requests that nobody decided on in time; return those."""
    at, statuses = store.now(), (ExemptionStatus.PENDING, ExemptionStatus.ACTIVE)
    found = _stored(Query(equals={"status": tuple(map(str, statuses))}), store)
    due = [each for each in found if each.request.expires_at <= at]
    expired = [ExemptionExpired()]
    return [
        _decide(each.id, lambda now: expired if now and now.status in statuses else [], store, queue) for each in due
    ]


def applied(judged: Exemption, *, store: Store) -> None:
    """Record that what an exemption covers was judged, unless the exemption has changed since."""
    done = [ExemptionApplied()]
    aggregate.decide(
        STREAM,
        judged.id,
        lambda known: done if known and known.sequence == judged.sequence and not known.applied else [],
        store=store,
    )


def resend(*, store: Store, queue: Queue) -> int:
    """Send the messages again that were lost between the decision and the queue; return how many."""
    waiting = _stored(Query(equals={"applied": False}), store)
    for each in waiting:
        queue.send(QUEUE, message.write(store, each.id))
    return len(waiting)


def active(store: Store) -> tuple[Exemption, ...]:
    """Return the exemptions that have not been ended; `Exemption.covers` checks the day."""
    return _stored(Query(equals={"status": ExemptionStatus.ACTIVE.value}), store)


def _stored(query: Query, store: Store) -> tuple[Exemption, ...]:
    found = each_document(STREAM.name, query, documents=store.documents, tenant=store.tenant)
    return tuple(MODEL.read(each.body) for each in found)


def get(exemption_id: str, *, store: Store) -> Stored[Exemption]:
    """Find an exemption as it was projected last; NotFound."""
    return read_model.get(MODEL, exemption_id, store=store)


def list_(asked: ExemptionListing, *, store: Store) -> Page[Exemption]:
    """List exemptions, the latest first."""
    return read_model.page(MODEL, Query(equals=read_model.conditions(asked), descending=True), asked, store=store)


def find(exemption_id: str, *, store: Store) -> Exemption:
    """Return the exemption with all its events applied; NotFound."""
    return _require(exemption_id, projection.current(STREAM, exemption_id, store=store))


def _require(exemption_id: str, known: Exemption | None) -> Exemption:
    if known is None:
        raise NotFound(f"there is no exemption {exemption_id}", path="id")
    return known


def _decide(
    exemption_id: str, decision: aggregate.Decision[Exemption, ExemptionEvent], store: Store, queue: Queue
) -> Exemption:
    decided = aggregate.decide(STREAM, exemption_id, decision, store=store)
    # After the decision is stored: a message that is lost is sent again by `resend`, one too early would find nothing.
    if not decided.applied:
        queue.send(QUEUE, message.write(store, exemption_id))
    return decided

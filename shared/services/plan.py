"""Plan a remediation: the exact operations that fix its findings, tried on paper before anybody is asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count, groupby

from shared.domain.body import canonical, digest, fingerprint, request_body
from shared.domain.difference import differences
from shared.domain.error import Forbidden, InvalidInput, NotFound
from shared.domain.event import Fact
from shared.domain.finding import Finding, resource_key
from shared.domain.plan import SHOWN, Item, Operation, OperationSummary, Outcome, Plan, PlanItem, Refusal
from shared.domain.remediation import Remediation, Status
from shared.domain.resource import Resource, type_of
from shared.domain.verdict import State
from shared.engine import Context
from shared.ports.control import Control, Snapshot
from shared.ports.inventory import Inventory
from shared.services import finding, remediation, tally
from shared.services.collection import RESOURCE
from shared.services.estate import Store
from shared.services.policy import Book
from shared.services.sketch import Sketch, Target, states

EXPIRY = timedelta(days=7)
"""How long a plan waits for approval."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What planning works with."""

    remediation: str
    store: Store
    control: Control
    inventory: Inventory
    book: Book
    numbers: Iterator[int]

    def read(self, resource_id: str, api_version: str) -> Snapshot | None:
        """A resource as it is now."""
        return self.control.read(tenant=self.store.tenant, resource_id=resource_id, api_version=api_version)


def make(remediation_id: str, *, store: Store, control: Control, inventory: Inventory, book: Book) -> Remediation:
    """Plan a requested remediation and record the plan; one that is planned already is left as it is.

    Throttled and Unavailable pass through: call again, nothing has been written but blobs.
    """
    known = remediation.decide(remediation_id, _begin, store)
    if known.status != Status.PLANNING:
        return known
    desk = Desk(remediation_id, store, control, inventory, book, count(1))
    plan = Plan(remediation=remediation_id, items=tuple(_items(known.findings, desk)))
    name = f"remediation/{remediation_id}/plan-{plan.hash[:16]}.json"
    store.blobs.put(tenant=store.tenant, name=name, data=canonical(plan.model_dump(mode="json")))
    fact = _fact(plan, name, store)
    return remediation.decide(remediation_id, lambda now: _recorded(now, fact), store)


def _begin(now: Remediation | None) -> Sequence[Fact]:
    return (Fact(type="planningStarted"),) if now and now.status == Status.REQUESTED else ()


def _fact(plan: Plan, blob: str, store: Store) -> Fact:
    items = [_summary(number, each).model_dump(mode="json") for number, each in enumerate(plan.items, start=1)]
    expires = (store.now() + EXPIRY).isoformat()
    return Fact(type="remediationPlanned", data={"items": items, "hash": plan.hash, "blob": blob, "expiresAt": expires})


def _recorded(now: Remediation | None, planned: Fact) -> Sequence[Fact]:
    """The plan, and the end when there is nothing in it to approve."""
    if now is None or now.status != Status.PLANNING:
        return ()
    items = tuple(Item.model_validate(each) for each in planned.data["items"])
    if any(item.outcome == Outcome.PENDING for item in items):
        return (planned,)
    return planned, remediation.ended(now.model_copy(update={"items": items}))


def _summary(number: int, planned: PlanItem) -> Item:
    refused = "; ".join(dict.fromkeys(each.reason for each in planned.refusals))
    outcome = Outcome.PENDING if planned.operations else Outcome.REFUSED if refused else Outcome.SKIPPED
    return Item(
        number=number,
        resource_id=planned.resource_id,
        findings=planned.findings,
        policies=tuple(planned.policies),
        outcome=outcome,
        reason="" if outcome == Outcome.PENDING else refused or planned.skipped,
        refusals=planned.refusals,
        notes=planned.notes,
        operations=tuple(_shown(each) for each in planned.operations),
    )


def _shown(operation: Operation) -> OperationSummary:
    return OperationSummary(
        method=operation.method,
        resource_id=operation.resource_id,
        api_version=operation.api_version,
        differences=operation.differences,
    )


def _items(ids: Sequence[str], desk: Desk) -> Iterator[PlanItem]:
    """One item for each resource, in the order of their ids."""
    stored = desk.store.documents.get_many(tenant=desk.store.tenant, kind=finding.KIND, ids=ids)
    found = [Finding.model_validate(each.body) for each in stored.values()]
    found.sort(key=lambda each: (each.resource_id.lower(), each.policy))
    for _, group in groupby(found, key=lambda each: each.resource_id.lower()):
        of_resource = list(group)
        try:
            yield _item(of_resource, desk)
        except (Forbidden, InvalidInput, NotFound) as error:
            refusals = tuple(Refusal(finding=each.id, reason=error.message) for each in of_resource)
            yield PlanItem(resource_id=of_resource[0].resource_id, refusals=refusals)


def _item(found: list[Finding], desk: Desk) -> PlanItem:
    resource_id = found[0].resource_id
    snapshot = desk.read(resource_id, _version(found, desk.book))
    if snapshot is None:
        raise NotFound("the resource is not in the connected cloud: it was deleted, or was only imported")
    resource = _resource(found, snapshot, desk)
    context = _context(resource_id, desk.store)
    before = states(resource, context, desk.book)
    refusals = [
        Refusal(finding=each.id, reason=f"the resource is {before[each.policy]}, so that nothing can be planned")
        for each in found
        if before.get(each.policy, State.COMPLIANT) not in (State.COMPLIANT, State.NON_COMPLIANT)
    ]
    left = [each for each in found if before.get(each.policy) == State.NON_COMPLIANT]
    while left:
        sketch = Sketch(resource, snapshot, context, desk.book, desk.read)
        refused = _drawn(sketch, left) or sketch.conflicts() or sketch.unproven(left, before)
        if not refused:
            return _with_operations(sketch, left, refusals, desk)
        refusals += refused
        left = [each for each in left if each.id not in {refusal.finding for refusal in refused}]
    return PlanItem(resource_id=resource_id, refusals=tuple(refusals), skipped="the resource complies already")


def _drawn(sketch: Sketch, left: list[Finding]) -> list[Refusal]:
    """Add the fixes to the sketch; the first that cannot be told exactly is refused."""
    for each in left:
        try:
            sketch.add(each)
        except (Forbidden, InvalidInput) as error:
            return [Refusal(finding=each.id, reason=error.message)]
    return []


def _with_operations(sketch: Sketch, fixed: list[Finding], refusals: list[Refusal], desk: Desk) -> PlanItem:
    entries = [desk.book.entries[each.policy] for each in fixed]
    notes = (entry.remediation.note for entry in entries if entry.remediation)
    return PlanItem(
        resource_id=fixed[0].resource_id,
        findings=tuple(each.id for each in fixed),
        policies={entry.name: digest(entry.definition) for entry in entries},
        operations=tuple(_operation(target, desk) for target in sketch.targets.values() if _differs(target)),
        refusals=tuple(refusals),
        notes=tuple(dict.fromkeys(notes)),
    )


def _differs(target: Target) -> bool:
    return fingerprint(target.before.body if target.before else None) != fingerprint(target.after)


def _operation(target: Target, desk: Desk) -> Operation:
    before = target.before.body if target.before else None
    number = next(desk.numbers)
    method, body = request_body(type_of(target.resource_id), before, target.after)
    after = fingerprint(target.after)
    assert after is not None  # there is a body
    return Operation(
        number=number,
        method=method,
        resource_id=target.resource_id,
        api_version=target.api_version,
        body=body,
        target=target.after,
        if_match=target.before.etag if target.before else None,
        before=fingerprint(before),
        after=after,
        backup=_backed_up(number, target, desk),
        differences=tuple(differences(before, target.after, limit=SHOWN)),
    )


def _backed_up(number: int, target: Target, desk: Desk) -> str:
    """Keep the resource as it is, under a name that a second planning cannot overwrite with something else."""
    etag, body = (target.before.etag, target.before.body) if target.before else (None, None)
    kept = {"body": body, "etag": etag, "apiVersion": target.api_version}
    name = f"remediation/{desk.remediation}/before-{number}-{digest(kept)[:16]}.json"
    desk.store.blobs.put(tenant=desk.store.tenant, name=name, data=canonical(kept))
    return name


def _version(found: list[Finding], book: Book) -> str:
    """The api-version to read and write a resource with: the latest that its fixes are written for."""
    entries = (book.entries.get(each.policy) for each in found)
    named = [entry.remediation.api_version for entry in entries if entry and entry.remediation]
    version = max(named, default=book.versions.get(found[0].resource_type.lower()) or found[0].api_version)
    if version is None:
        raise InvalidInput(f"no api-version is known to read {found[0].resource_id} with")
    return version


def _resource(found: list[Finding], snapshot: Snapshot, desk: Desk) -> Resource:
    """The resource as it is now, with what belongs to it where the policies look at that.

    Subscriptions are answered without their type, which judging needs.
    """
    first, version = found[0], _version(found, desk.book)
    body = {"id": first.resource_id, "type": first.resource_type, **snapshot.body}
    if not desk.book.wanted.get(first.resource_type.lower()):
        return Resource(body, api_version=version)
    read = desk.inventory.read(tenant=desk.store.tenant, resource_id=first.resource_id, wanted=desk.book.wanted)
    return replace(read or Resource(body), body=body, api_version=version)


def _context(resource_id: str, store: Store) -> Context:
    document = store.documents.get(tenant=store.tenant, kind=RESOURCE, id=resource_key(resource_id))
    return tally.context(document.body, store) if document else Context(now=store.now())

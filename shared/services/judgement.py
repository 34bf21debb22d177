"""Judge the stored estate of a subscription against the policies in force, page by page, and record what follows."""

from collections.abc import Mapping
from datetime import datetime
from itertools import batched
from typing import Any

from shared.domain.estate import Judgement, Posture, add_numbers
from shared.domain.exemption import Exemption
from shared.domain.finding import resource_key
from shared.domain.resource import subscription_of
from shared.domain.verdict import ATTENTION, State
from shared.ports.documents import Query
from shared.ports.inventory import Inventory
from shared.services import estate, finding
from shared.services.collection import CHANGE, RESOURCE, changed
from shared.services.estate import Store, text
from shared.services.policy import Book
from shared.services.tally import Rows, Tally, count_states, shift, standing, tally

PAGE = 250


def judge(scan: str, subscription: str, *, store: Store, book: Book, until: datetime) -> Posture:
    """Judge pages until there are no more, or until the time is up; call again to go on.

    Afterwards the posture's `last_scan` is this scan.
    """
    known = _begin(scan, subscription, store)
    while known.judgement and known.judgement.scan == scan:
        rows = _page(subscription, known.judgement.cursor, store)
        known = (
            _judge_page(known.judgement, subscription, rows, store, book)
            if rows
            else _end(known.judgement, subscription, store, book)
        )
        if store.now() >= until:
            break
    return known


def judge_resource(resource_id: str, *, store: Store, inventory: Inventory, book: Book) -> dict[str, State]:
    """Read one resource with authority, judge it alone, record the outcome; the state for each policy that applies.

    A resource that is gone resolves its findings and answers {}.
    """
    fresh = inventory.read(tenant=store.tenant, resource_id=resource_id, wanted=book.wanted)
    key = resource_key(resource_id)
    states: dict[str, State] = {}

    def decision(known: Posture) -> estate.Change | None:
        old = _stored(key, store)
        if fresh is None:
            return _departed(key, old, known, store, book)
        kept, changes, _ = changed([fresh], store, known.subscription)
        new = kept or old
        outcome = tally(new, known.subscription, store, book)
        states.update(outcome.states(key))
        data = {"resource": resource_id, "new": len(new) - len(old), **_shifts(known, old, outcome, store, book)}
        return estate.Change("resourceJudged", data, {RESOURCE: kept, CHANGE: changes, finding.KIND: outcome.findings})

    estate.decide(store, subscription_of(resource_id), decision)
    return states


def restate(keys: tuple[str, ...], subscription: str, *, store: Store, book: Book) -> Posture:
    """Judge stored resources again, because what else counts (an exemption, say) has changed."""

    def decision(known: Posture) -> estate.Change | None:
        found = store.documents.get_many(tenant=store.tenant, kind=RESOURCE, ids=keys)
        rows = {key: each.body for key, each in found.items() if not each.body["gone"]}
        outcome = tally(rows, subscription, store, book)
        if not outcome.findings:
            return None
        data = _shifts(known, rows, outcome, store, book)
        return estate.Change("findingsChanged", data, {finding.KIND: outcome.findings})

    return estate.decide(store, subscription, decision)


def restate_covered(covering: Exemption, *, store: Store, book: Book) -> int:
    """Judge again what an exemption covers or did cover; how many resources that were."""
    keys: dict[str, set[str]] = {}
    scope = covering.request.scope.lower().rstrip("/")
    under = {} if subscription_of(scope) == "tenant" else {"subscription": subscription_of(scope)}
    query = Query(equals={**under, "policy": covering.request.policies})
    for body in finding.stored(query, store):
        identity = body["resourceId"].lower()
        if identity == scope or identity.startswith(f"{scope}/"):
            keys.setdefault(body["subscription"], set()).add(body["resource"])
    for subscription, found in keys.items():
        for some in batched(sorted(found), PAGE, strict=False):
            restate(some, subscription, store=store, book=book)
    return sum(map(len, keys.values()))


def _departed(key: str, old: Rows, known: Posture, store: Store, book: Book) -> estate.Change | None:
    if not old:
        return None
    farewell = finding.resolved((key,), store, reason="the resource is gone")
    leaving = {key: {**old[key], "gone": True, "changedAt": text(store.now())}}
    data = {"resource": old[key]["resourceId"], "new": -1, **_shifts(known, old, Tally(), store, book)}
    return estate.Change("resourceJudged", data, {RESOURCE: leaving, finding.KIND: farewell})


def _stored(key: str, store: Store) -> Rows:
    document = store.documents.get(tenant=store.tenant, kind=RESOURCE, id=key)
    return {key: document.body} if document and not document.body["gone"] else {}


def _shifts(known: Posture, old: Rows, outcome: Tally, store: Store, book: Book) -> dict[str, Any]:
    """How the counts move; `passed` is the part that a scan now running has already gone past."""
    before = standing(old, known.subscription, store, book)
    moved = shift(before, outcome)
    running = known.judgement
    if running is None:
        return moved
    behind = shift(before.only(running.cursor), outcome.only(running.cursor))
    return {**moved, "passed": behind}


def _begin(scan: str, subscription: str, store: Store) -> Posture:
    def decision(known: Posture) -> estate.Change | None:
        if known.last_scan == scan or (known.judgement and known.judgement.scan == scan):
            return None
        return estate.Change("judgementStarted", {"scan": scan})

    return estate.decide(store, subscription, decision)


def _page(subscription: str, cursor: str, store: Store) -> Rows:
    live = Query(equals={"subscription": subscription, "gone": False}, after=cursor)
    page = store.documents.query(tenant=store.tenant, kind=RESOURCE, query=live, limit=PAGE)
    return {each.id: each.body for each in page.items}


def _judge_page(begun: Judgement, subscription: str, rows: Rows, store: Store, book: Book) -> Posture:
    def decision(known: Posture) -> estate.Change | None:
        at = known.judgement
        if at is None or at.scan != begun.scan or at.cursor != begun.cursor:
            return None
        outcome = tally(rows, subscription, store, book)
        data = {
            "scan": begun.scan,
            "cursor": max(rows),
            "judged": len(rows),
            "pairs": len(outcome.pairs),
            "attention": sum(pair.state in ATTENTION for pair in outcome.pairs),
            **count_states(outcome),
        }
        return estate.Change("pageJudged", data, {finding.KIND: outcome.findings})

    return estate.decide(store, subscription, decision)


def _end(begun: Judgement, subscription: str, store: Store, book: Book) -> Posture:
    def decision(known: Posture) -> estate.Change | None:
        at = known.judgement
        if at is None or at.scan != begun.scan:
            return None
        return estate.Change(
            "judgementEnded", {"scan": at.scan, "shortfalls": _shortfalls(at, subscription, store, book)}
        )

    return estate.decide(store, subscription, decision)


def unjudged(subscription: str, *, store: Store, book: Book) -> dict[str, Mapping[str, int]]:
    """The shortfalls of a subscription that could not be judged: nothing of all that is known of it."""
    return {name: {"evaluated": 0, "expected": number} for name, number in _expected(subscription, store, book).items()}


def _shortfalls(at: Judgement, subscription: str, store: Store, book: Book) -> dict[str, Mapping[str, int]]:
    """The policies that were not evaluated on every resource of the types they apply to."""
    return {
        name: {"evaluated": at.evaluated.get(name, 0), "expected": number}
        for name, number in _expected(subscription, store, book).items()
        if at.evaluated.get(name, 0) != number
    }


def _expected(subscription: str, store: Store, book: Book) -> dict[str, int]:
    """For each policy, the stored resources of the types it applies to."""
    live = Query(equals={"subscription": subscription, "gone": False})
    by_type = store.documents.count(tenant=store.tenant, kind=RESOURCE, query=live, by="type")
    expected: dict[str, int] = {}
    for kind, number in by_type.items():
        expected = add_numbers(expected, dict.fromkeys(book.names_for(kind), number))
    return expected

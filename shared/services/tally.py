"""Judge stored resources and add up the outcome: pairs, counts, and the findings that change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import batched
from typing import Any

from shared.domain.exemption import Exemption
from shared.domain.finding import Finding, finding_id
from shared.domain.resource import Resource
from shared.domain.verdict import ATTENTION, State, Verdict
from shared.engine import Context
from shared.ports.documents import Query
from shared.services import exemption, finding
from shared.services.collection import stored
from shared.services.estate import Store
from shared.services.policy import Book

GROUP = "microsoft.resources/subscriptions/resourcegroups"
SUBSCRIPTION = "microsoft.resources/subscriptions"

Row = Mapping[str, Any]
Rows = Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class Pair:
    """One policy on one resource, as it counts."""

    resource: str
    policy: str
    owner: str
    state: State


@dataclass(slots=True)
class Tally:
    """What judging some resources came to. `considered` has a (resource, policy) for each pair looked at."""

    pairs: list[Pair] = field(default_factory=list)
    considered: list[tuple[str, str]] = field(default_factory=list)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def states(self, resource: str) -> dict[str, State]:
        """The state for each policy that applies to a resource."""
        return {pair.policy: pair.state for pair in self.pairs if pair.resource == resource}

    def only(self, last: str) -> "Tally":
        """The part about resources up to and including the key `last`."""
        return Tally(
            [pair for pair in self.pairs if pair.resource <= last],
            [each for each in self.considered if each[0] <= last],
        )


def tally(rows: Rows, subscription: str, store: Store, book: Book) -> Tally:
    """Judge rows of one subscription and decide on their findings."""
    outcome = Tally()
    known = finding.of_resources(tuple(rows), store)
    exemptions = exemption.active(store)
    for key, row, verdict in _verdicts(rows, subscription, store, book, outcome):
        identity = finding_id(key, verdict.policy)
        exempted = _exempted(verdict, row, exemptions, store)
        final = replace(verdict, state=State.EXEMPT) if exempted else verdict
        outcome.pairs.append(Pair(key, verdict.policy, row["owner"] or "", final.state))
        before = known.get(identity)
        if before is None and final.state not in ATTENTION:
            continue
        entry = book.entries[verdict.policy]
        fresh = finding.after(
            before, final, entry=entry, resource=row, exemption=exempted.id if exempted else None, store=store
        )
        if fresh is not None:
            outcome.findings[identity] = fresh.model_dump(mode="json")
    return outcome


def standing(rows: Rows, subscription: str, store: Store, book: Book) -> Tally:
    """The pairs of rows as they count now: a finding's state where there is one, compliant otherwise."""
    outcome = Tally()
    known = finding.of_resources(tuple(rows), store)
    for key, row, verdict in _verdicts(rows, subscription, store, book, outcome):
        state = _counted(known.get(finding_id(key, verdict.policy)))
        outcome.pairs.append(Pair(key, verdict.policy, row["owner"] or "", state))
    return outcome


def _counted(found: Finding | None) -> State:
    return found.state if found is not None and found.resolved_at is None else State.COMPLIANT


def _verdicts(
    rows: Rows, subscription: str, store: Store, book: Book, outcome: Tally
) -> Iterator[tuple[str, Row, Verdict]]:
    contexts = _Contexts(subscription, store)
    children = _children(rows, store)
    for key, row in rows.items():
        resource = _with_children(Resource.from_record(row["record"]), children.get(key))
        outcome.considered.extend((key, name) for name in book.names_for(row["type"]))
        for verdict in book.compiled.judge(resource, contexts.of(row)):
            if verdict.state != State.NOT_APPLICABLE:
                yield key, row, verdict


def _exempted(verdict: Verdict, row: Row, exemptions: tuple[Exemption, ...], store: Store) -> Exemption | None:
    if not exemptions or verdict.state not in ATTENTION:
        return None
    at = store.now()
    covering = (each for each in exemptions if each.covers(row["resourceId"], verdict.policy, at))
    return next(covering, None)


def context(row: Row, store: Store) -> Context:
    """The evaluation context of one stored resource."""
    return _Contexts(row["subscription"], store).of(row)


def whole(row: Row, store: Store) -> Resource:
    """One stored resource, with the children that were stored beside it."""
    children = _children({row["id"]: row}, store)
    return _with_children(Resource.from_record(row["record"]), children.get(row["id"]))


class _Contexts:
    """The evaluation context of resources: their subscription and resource group, read once."""

    def __init__(self, subscription: str, store: Store) -> None:
        found = stored(
            Query(equals={"subscription": subscription, "type": (GROUP, SUBSCRIPTION), "gone": False}), store
        )
        bodies = {body["resourceId"].lower(): body["record"]["body"] for _, body in found}
        base = f"/subscriptions/{subscription}"
        named = {"subscriptionId": subscription, "id": base, **bodies.pop(base, {})}
        self._groups = {identity.rpartition("/")[2]: body for identity, body in bodies.items()}
        self._plain = Context(resource_group=None, subscription=named, now=store.now())

    def of(self, row: Row) -> Context:
        """The context of one row."""
        name = row["resourceGroup"]
        if name is None:
            return self._plain
        group = self._groups.get(name) or {"name": name, "id": row["resourceId"].partition("/providers/")[0]}
        return replace(self._plain, resource_group=group)


def _children(rows: Rows, store: Store) -> dict[str, list[Row]]:
    """The stored children of rows whose records carry none: what an import brought as resources of their own."""
    parents = tuple(key for key, row in rows.items() if "related" not in row["record"])
    grouped: dict[str, list[Row]] = {}
    for some in batched(parents, finding.CHUNK, strict=False):
        for _, body in stored(Query(equals={"parent": some, "gone": False}), store):
            grouped.setdefault(body["parent"], []).append(body)
    return grouped


def _with_children(resource: Resource, children: list[Row] | None) -> Resource:
    if not children:
        return resource
    related: dict[str, tuple[Resource, ...]] = {}
    for child in children:
        related[child["type"]] = (*related.get(child["type"], ()), Resource.from_record(child["record"]))
    return replace(resource, related=related)


def count_states(outcome: Tally) -> dict[str, Any]:
    """The counts of a tally: by policy, by owner, and the pairs looked at by policy."""
    counts: dict[str, dict[str, int]] = {}
    owners: dict[str, dict[str, int]] = {}
    evaluated: dict[str, int] = {}
    for pair in outcome.pairs:
        _add(counts, pair.policy, pair.state, 1)
        _add(owners, pair.owner, pair.state, 1)
    for _, name in outcome.considered:
        evaluated[name] = evaluated.get(name, 0) + 1
    return {"counts": counts, "owners": owners, "evaluated": evaluated}


def shift(before: Tally, after: Tally) -> dict[str, Any]:
    """How the counts move from one tally to another."""
    new, old = count_states(after), count_states(before)
    for name in ("counts", "owners"):
        for group, states in old[name].items():
            for state, number in states.items():
                _add(new[name], group, state, -number)
    for name, number in old["evaluated"].items():
        new["evaluated"][name] = new["evaluated"].get(name, 0) - number
    return new


def _add(counts: dict[str, dict[str, int]], name: str, state: str, number: int) -> None:
    into = counts.setdefault(name, {})
    into[state] = into.get(state, 0) + number

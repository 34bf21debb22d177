"""Keep what came of each resource with a digest of all it depends on, so that the next judgement need not repeat it.

A page of a judgement keeps it in the bulk of its event:

    {"policies": [key of a policy in force],
     "outcomes": [[[index of the policy, state, cause]]],
     "resources": {key: [digest, index of the outcome]}}

Equal outcomes are kept once: most resources of a type share theirs. The judgement after it goes through resources in
the same order, by key, and so through these pages, of which it never holds more than the one or two that it needs.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.error import Damaged, UnknownEvent
from shared.domain.estate import Estate
from shared.domain.estate_event import JudgementEnded, PageJudged
from shared.domain.scan_difference import ScanDifference, ScanDifferenceKind
from shared.domain.verdict import State
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.services.estate import estate
from shared.services.estate.assessment import Assessment, Pair
from shared.services.estate.resource import ResourceRow
from shared.services.estate.surroundings import ResourceRows, Surroundings

PolicyOutcome = tuple[str, State, str]
"""The key of a policy in force, the state of the pair, and why the missing part of an unknown verdict was not read."""
Outcome = tuple[PolicyOutcome, ...]
"""What came of a resource, in the order of the policies."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JudgedResource:
    """What came of a resource, and the digest of what that depends on; None for what may not be reused."""

    digest: str | None
    outcome: Outcome


def digest(row: ResourceRow, children: Sequence[ResourceRow], surroundings: str | None) -> str | None:
    """Return a digest of what the verdicts on a resource depend on; None for a body that lies outside of its document.

    `changedAt` is in it because a body that changed and changed back may have been judged in between, `judgedAt`
    because what judged it by itself did not keep the outcome here.
    """
    if surroundings is None or "recordBlob" in row or any("recordBlob" in each for each in children):
        return None  # a blob may be lost, which is found out by reading it
    parts = [surroundings, *_said(row)]
    for each in sorted(children, key=lambda each: str(each["id"])):
        parts += [each["id"], *_said(each)]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def _said(row: ResourceRow) -> Iterator[Any]:
    """Yield what tells the content of a row from another; its hash leaves out api-versions, and why what is unread."""
    record = row["record"]
    yield from (row["hash"], row["changedAt"], row.get("judgedAt"), record.get("apiVersion"))
    yield from map(_why, (record.get("unread") or {}).values())
    for found in (record.get("related") or {}).values():
        if isinstance(found, Mapping):
            yield _why(found)
        else:
            yield from (each.get("apiVersion") for each in found)


def _why(unread: Mapping[str, Any]) -> tuple[Any, ...]:
    return (unread["reason"], unread.get("permission"), unread.get("scope"))


def digests(rows: ResourceRows, around: Surroundings) -> dict[str, str | None]:
    """Return the digest of each of some rows by key."""
    children = around.children(rows)
    return {key: digest(row, children.get(key, ()), around.digest(row)) for key, row in rows.items()}


def unchanged(now: Mapping[str, str | None], before: Mapping[str, JudgedResource]) -> dict[str, JudgedResource]:
    """Return what came before of the resources of which nothing has changed since."""
    return {
        key: found
        for key, each in now.items()
        if each is not None and (found := before.get(key)) is not None and found.digest == each
    }


def compare(
    before: Mapping[str, JudgedResource], now: Mapping[str, JudgedResource], rows: ResourceRows
) -> list[ScanDifference]:
    """Return what came out differently though nothing that it depends on has changed."""
    return [
        ScanDifference(
            kind=ScanDifferenceKind.VERDICT,
            resource=rows[key]["resourceId"],
            cause=_cause(min({*each.outcome} ^ {*now[key].outcome})),
        )
        for key, each in before.items()
        if each.outcome != now[key].outcome
    ]


def _cause(first: PolicyOutcome) -> str:
    policy, state, _ = first
    return (
        f"the verdict of the policy with the key {policy} was or is {state}, though nothing it depends on has changed"
    )


def outcomes(outcome: Assessment, now: Mapping[str, str | None]) -> dict[str, JudgedResource]:
    """Return what came of the resources of an assessment."""
    found: dict[str, list[PolicyOutcome]] = {key: [] for key in outcome.types}
    for pair in outcome.pairs:
        found[pair.resource].append((pair.policy, pair.state, pair.cause))
    return {key: JudgedResource(now[key], tuple(each)) for key, each in found.items()}


def add(outcome: Assessment, reused: Mapping[str, JudgedResource], rows: ResourceRows) -> None:
    """Add resources with what came of them before to an assessment; those with equal outcomes as one."""
    outcome.types |= {key: rows[key]["type"] for key in reused}
    groups = Counter((id(each.outcome), rows[key]["owner"] or "") for key, each in reused.items())
    equal = {id(each.outcome): each.outcome for each in reused.values()}
    for (identity, owner), number in groups.items():
        outcome.pairs += (Pair("", policy, owner, state, cause, number) for policy, state, cause in equal[identity])


def to_json(judged: Mapping[str, JudgedResource]) -> dict[str, Any]:
    """Return what a page keeps of its resources: those that may be reused."""
    policies: dict[str, int] = {}
    outcomes: dict[Outcome, int] = {}
    resources = {
        key: [each.digest, outcomes.setdefault(each.outcome, len(outcomes))]
        for key, each in judged.items()
        if each.digest is not None
    }
    listed = [
        [[policies.setdefault(policy, len(policies)), state, cause] for policy, state, cause in outcome]
        for outcome in outcomes
    ]
    return {"policies": list(policies), "outcomes": listed, "resources": resources}


def from_json(page: Mapping[str, Any]) -> dict[str, JudgedResource]:
    """Read what a page kept."""
    policies = page["policies"]
    outcomes = [
        tuple((policies[policy], State(state), cause) for policy, state, cause in outcome)
        for outcome in page["outcomes"]
    ]
    return {key: JudgedResource(found, outcomes[index]) for key, (found, index) in page["resources"].items()}


class PreviousJudgement:
    """What came of the resources in the last judgement of a subscription, read in the order of their keys."""

    def __init__(self, known: Estate, store: Store) -> None:
        self._pages = _pages(known, store)
        self.store = store
        self._held: dict[str, JudgedResource] = {}
        self._end = ""

    def between(self, first: str, last: str) -> Mapping[str, JudgedResource]:
        """Return what came of the resources from key `first` to `last`; nothing before `first` can be asked for again.

        What is lost is left out: those resources are judged again.
        """
        self._held = {key: each for key, each in self._held.items() if key >= first}
        while self._end < last and (page := next(self._pages, None)):
            self._end = page.cursor
            # Pages that end before are passed over unopened: a step goes on in the middle of a judgement.
            if page.cursor >= first:
                self._held |= self._opened(page)
        return self._held

    def _opened(self, page: PageJudged) -> Mapping[str, JudgedResource]:
        try:
            kept = estate.body_of(self.store, page).get("verdicts")
        except Damaged as error:
            _LOG.warning("what a page of resources came to is lost, they are judged again: %s", error.message)
            return {}
        return from_json(kept) if kept else {}


def _pages(known: Estate, store: Store) -> Iterator[PageJudged]:
    """Yield the pages of the last judgement that came to an end."""
    done = known.last
    if done is None:
        return
    try:
        for each in stream.read(estate.STREAM, known.subscription, store=store, after=done.first):
            if isinstance(each.event, PageJudged) and each.event.scan == done.scan:
                yield each.event
            elif isinstance(each.event, JudgementEnded) and each.event.scan == done.scan:
                return
    except UnknownEvent as error:
        # Newer code, which runs during a deployment, has recorded it: it knows what it has judged, this judges again.
        _LOG.warning("the last judgement of %s cannot be read: %s", known.subscription, error.message)

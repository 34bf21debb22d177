"""Keep what came of each resource with a digest of all it depends on, so that the next judgement need not repeat it.

A page of a judgement keeps it in the bulk of its event:

    {"form": FORM,
     "policies": [key of a policy in force],
     "outcomes": [[[index of the policy, state, cause]]],
     "types": [[resource type, digest of the policies that can be about it]],
     "groups": [[resource group, digest of what lies around what is in it]],
     "owners": [owner],
     "resources": {key: [digest, indexes of the outcome, the type, the group and the owner, settled]}}

Equal outcomes are kept once: most resources of a type share theirs. The judgement after it goes through
resources in the same order, by key, and so through these pages, of which it never holds more than it needs
(`previous_judgement`).
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.domain.scan_difference import ScanDifference, ScanDifferenceKind
from shared.domain.verdict import State
from shared.services.estate.assessment import Assessment, Pair
from shared.services.estate.resource import ResourceRow
from shared.services.estate.surroundings import ResourceRows, Surroundings

FORM = 1
"""The form of what a page keeps. It changes with any change of it: a page of another form is judged again."""
PolicyOutcome = tuple[str, State, str]
"""The key of a policy in force, the state of the pair, and why the missing part of an unknown verdict was not read."""
Outcome = tuple[PolicyOutcome, ...]
"""What came of a resource, in the order of the policies."""


class JudgedResource(NamedTuple):
    """What came of a resource, and the digest of what that depends on; None for what may not be reused.

    `type` and `group` are those of the resource, each with the digest that its `Surroundings` had for it. `settled` is
    whether all of it was read that a next attempt may read.
    """

    digest: str | None
    outcome: Outcome
    type: tuple[str, str | None]
    group: tuple[str | None, str]
    owner: str
    settled: bool

    def has_same_surroundings(self, around: Surroundings) -> bool:
        """Return whether nothing around it has changed."""
        (kind, policies), (group, context) = self.type, self.group
        return policies == around.policies.digest(kind) and context == around.group_digest(group)


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


def outcomes(
    outcome: Assessment,
    reused: Mapping[str, JudgedResource],
    rows: ResourceRows,
    now: Mapping[str, str | None],
    around: Surroundings,
) -> dict[str, JudgedResource]:
    """Return what came of some rows: of those of an assessment, and of those that are reused."""
    found: dict[str, list[PolicyOutcome]] = {key: [] for key in outcome.types}
    for pair in outcome.pairs:
        found[pair.resource].append((pair.policy, pair.state, pair.cause))
    states = {key: tuple(each) for key, each in found.items()} | {key: each.outcome for key, each in reused.items()}
    return {key: _judged(now[key], each, rows[key], around) for key, each in states.items()}


def _judged(digest: str | None, outcome: Outcome, row: ResourceRow, around: Surroundings) -> JudgedResource:
    kind, group = row["type"], row["resourceGroup"]
    named = (kind, around.policies.digest(kind)), (group, around.group_digest(group))
    return JudgedResource(digest, outcome, *named, row["owner"] or "", not row.get("unsettled"))


def add(outcome: Assessment, reused: Mapping[str, JudgedResource]) -> None:
    """Add resources with what came of them before to an assessment; those with equal outcomes as one."""
    outcome.types |= {key: each.type[0] for key, each in reused.items()}
    groups = Counter((id(each.outcome), each.owner) for each in reused.values())
    equal = {id(each.outcome): each.outcome for each in reused.values()}
    for (identity, owner), number in groups.items():
        outcome.pairs += (Pair("", policy, owner, state, cause, number) for policy, state, cause in equal[identity])


def to_json(judged: Mapping[str, JudgedResource]) -> dict[str, Any]:
    """Return what a page keeps of its resources."""
    policies: dict[str, int] = {}
    outcomes: dict[Outcome, int] = {}
    types: dict[tuple[str, str | None], int] = {}
    groups: dict[tuple[str | None, str], int] = {}
    owners: dict[str, int] = {}
    resources = {
        key: [
            digest,
            outcomes.setdefault(outcome, len(outcomes)),
            types.setdefault(kind, len(types)),
            groups.setdefault(group, len(groups)),
            owners.setdefault(owner, len(owners)),
            settled,
        ]
        for key, (digest, outcome, kind, group, owner, settled) in judged.items()
    }
    listed = [
        [[policies.setdefault(policy, len(policies)), state, cause] for policy, state, cause in outcome]
        for outcome in outcomes
    ]
    shared = {"types": list(types), "groups": list(groups), "owners": list(owners)}
    return {"form": FORM, "policies": list(policies), "outcomes": listed, **shared, "resources": resources}


def is_readable(page: Mapping[str, Any]) -> bool:
    """Return whether a page is in the form that this code reads; another version may have written it."""
    return page.get("form") == FORM


def from_json(page: Mapping[str, Any]) -> dict[str, JudgedResource]:
    """Read what a page kept."""
    policies, owners = page["policies"], page["owners"]
    outcomes = [
        tuple((policies[policy], State(state), cause) for policy, state, cause in outcome)
        for outcome in page["outcomes"]
    ]
    types: list[Any] = [tuple(each) for each in page["types"]]
    groups: list[Any] = [tuple(each) for each in page["groups"]]
    return {
        key: JudgedResource(digest, outcomes[outcome], types[kind], groups[group], owners[owner], settled)
        for key, (digest, outcome, kind, group, owner, settled) in page["resources"].items()
    }


def keys_in(page: Mapping[str, Any]) -> dict[str, bool]:
    """Read only which resources a page has, and whether each was settled."""
    return {key: settled for key, (*_, settled) in page["resources"].items()}

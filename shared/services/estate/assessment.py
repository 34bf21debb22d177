"""Judge stored resources and add up the outcome: pairs, counts, and the findings that change."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from shared.domain.estate import add_numbers
from shared.domain.finding import FindingStatus, finding_id
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.resource import Resource
from shared.domain.verdict import FINDING_STATES, State, Verdict
from shared.engine import EffectivePolicy
from shared.services import exemption, finding
from shared.services.estate.surroundings import ResourceRows, Surroundings, with_children
from shared.services.policy.effective_policy import EffectivePolicies


@dataclass(frozen=True, slots=True)
class Pair:
    """One policy on one resource, as it counts; `cause` is why the missing part of an unknown verdict was not read.

    `policy` is the key of the policy in force; `resources` is how many resources it stands for.
    """

    resource: str
    policy: str
    owner: str
    state: State
    cause: str = ""
    resources: int = 1


@dataclass(slots=True)
class Assessment:
    """The outcome of judging some resources. `types` has the type of each resource that was considered, by key.

    `gaps` has the resources whose stored bodies are lost.
    """

    pairs: list[Pair] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)

    def states(self, resource: str) -> dict[str, State]:
        """Return the state for each policy that applies to a resource."""
        return {pair.policy: pair.state for pair in self.pairs if pair.resource == resource}

    def only(self, last: str) -> "Assessment":
        """Return the part about resources up to and including the key `last`."""
        return Assessment(
            [pair for pair in self.pairs if pair.resource <= last],
            {key: kind for key, kind in self.types.items() if key <= last},
        )


def assess(rows: ResourceRows, around: Surroundings) -> Assessment:
    """Judge stored resources of one subscription and decide on their findings."""
    outcome, store = Assessment(), around.store
    known = finding.of_resources(tuple(rows), store)
    for key, resource, effective, verdict in _verdicts(rows, around, outcome):
        identity = finding_id(key, effective.key)
        row = rows[key]
        # What complies needs no exemption, and to look for one for every pair would cost more than to judge it.
        failing = around.exemptions if verdict.state in FINDING_STATES else ()
        exempted = next((each for each in failing if exemption.covers(each, resource, effective, store.now())), None)
        final = replace(verdict, state=State.EXEMPT) if exempted else verdict
        cause = next((need.reason for need in verdict.missing), "notCollected") if final.state == State.UNKNOWN else ""
        outcome.pairs.append(Pair(key, effective.key, row["owner"] or "", final.state, cause))
        before = known.get(identity)
        if before is None and final.state not in FINDING_STATES:
            continue
        about = finding.describe(effective, final, entry=around.policies.entry(effective), resource=row)
        fresh = finding.next_finding(before, final, about, exemption=exempted.id if exempted else None, store=store)
        if fresh is not None:
            outcome.findings[identity] = fresh.model_dump(mode="json")
    judged = {finding_id(pair.resource, pair.policy) for pair in outcome.pairs}
    for identity, each in known.items():
        if identity not in judged and each.status != FindingStatus.RESOLVED:
            ended = finding.resolve(each, store, "the policy is no longer in force on the resource")
            outcome.findings[identity] = ended.model_dump(mode="json")
    return outcome


def assess_recorded(rows: ResourceRows, around: Surroundings) -> Assessment:
    """Return the pairs of rows as they count now: a finding's state where there is one, compliant otherwise."""
    outcome = Assessment()
    known = finding.of_resources(tuple(rows), around.store)
    for key, _, effective, _ in _verdicts(rows, around, outcome):
        found = known.pop(finding_id(key, effective.key), None)
        state = found.state if found is not None and found.resolved_at is None else State.COMPLIANT
        outcome.pairs.append(Pair(key, effective.key, rows[key]["owner"] or "", state))
    # What was judged is popped above: only findings of policies that are no longer in force are left.
    for each in known.values():
        if each.resolved_at is None:
            outcome.pairs.append(Pair(each.resource, each.policy_key, rows[each.resource]["owner"] or "", each.state))
    return outcome


def _verdicts(
    rows: ResourceRows, around: Surroundings, outcome: Assessment
) -> Iterator[tuple[str, Resource, EffectivePolicy, Verdict]]:
    children, store = around.children(rows), around.store
    for key, row in rows.items():
        resource = with_children(row, children.get(key), store)
        if resource.is_damaged:
            message = "its stored body is lost or damaged: read it again with a scan that collects, or import it again"
            scope, part, reason = row["resourceId"], row["typeName"], UnreadReason.DAMAGED
            outcome.gaps.append(Gap(scope=scope, part=part, reason=reason, at=store.now(), message=message))
        outcome.types[key] = row["type"]
        for effective, verdict in around.policies.compiled.judge(resource, around.contexts.of(row)):
            yield key, resource, effective, verdict


def count_states(outcome: Assessment, policies: EffectivePolicies) -> dict[str, Any]:
    """Return the counts of an assessment: by policy, by owner, and the pairs considered by policy."""
    counts: dict[str, dict[str, int]] = {}
    owners: dict[str, dict[str, int]] = {}
    evaluated: dict[str, int] = {}
    for pair in outcome.pairs:
        _add(counts, pair.policy, pair.state, pair.resources)
        _add(owners, pair.owner, pair.state, pair.resources)
    for kind, number in Counter(outcome.types.values()).items():
        evaluated = add_numbers(evaluated, dict.fromkeys(policies.keys_for(kind), number))
    return {"counts": counts, "owners": owners, "evaluated": evaluated}


def count_causes(outcome: Assessment) -> dict[str, int]:
    """Return the numbers of unknown pairs, by why their missing part was not read."""
    found: Counter[str] = Counter()
    for pair in outcome.pairs:
        if pair.cause:
            found[pair.cause] += pair.resources
    return dict(found)


def count_delta(before: Assessment, after: Assessment, policies: EffectivePolicies) -> dict[str, Any]:
    """Return the difference of the counts of two assessments."""
    new, old = count_states(after, policies), count_states(before, policies)
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

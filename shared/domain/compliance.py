"""Compliance: what the postures of a tenant add up to, by scope, policy, framework and owner."""

from collections.abc import Iterable, Mapping

from pydantic import AwareDatetime, Field

from shared.domain.estate import Counts, Posture, add
from shared.domain.model import Model
from shared.domain.policy import PolicyEntry
from shared.domain.verdict import State


class Tallied(Model):
    """Pairs by state, and the share of compliant ones among the settled."""

    compliant: int = 0
    non_compliant: int = 0
    unknown: int = 0
    exempt: int = 0
    error: int = 0
    score: float | None = Field(
        default=None, description="compliant / (compliant + nonCompliant) in percent; null when nothing is settled"
    )


class ScopeSummary(Tallied):
    """One subscription."""

    display_name: str = ""
    resources: int = 0
    collected_at: AwareDatetime | None = None
    judged_at: AwareDatetime | None = None


class PolicySummary(Tallied):
    """One policy."""

    title: str
    severity: str
    category: str


class ControlSummary(Tallied):
    """One control of a framework, over the policies mapped to it."""

    policies: tuple[str, ...]


class FrameworkSummary(Tallied):
    """One framework, over the policies mapped to any of its controls."""

    controls: Mapping[str, ControlSummary] = Field(default_factory=dict)


class Summary(Tallied):
    """A tenant's compliance, as stored whenever a scan ends or a resource is judged anew."""

    at: AwareDatetime
    resources: int = 0
    open_by_severity: Mapping[str, int] = Field(default_factory=dict)
    scopes: Mapping[str, ScopeSummary] = Field(default_factory=dict)
    policies: Mapping[str, PolicySummary] = Field(default_factory=dict)
    frameworks: Mapping[str, FrameworkSummary] = Field(default_factory=dict)
    owners: Mapping[str, Tallied] = Field(default_factory=dict)


class TrendPoint(Tallied):
    """The totals when a scan ended."""

    at: AwareDatetime
    scan: str


def tallied(states: Mapping[str, int]) -> dict[str, int | float | None]:
    """The fields of `Tallied` from a count by state."""
    compliant, wrong = states.get(State.COMPLIANT, 0), states.get(State.NON_COMPLIANT, 0)
    settled = compliant + wrong
    return {
        "compliant": compliant,
        "non_compliant": wrong,
        "unknown": states.get(State.UNKNOWN, 0),
        "exempt": states.get(State.EXEMPT, 0),
        "error": states.get(State.ERROR, 0),
        "score": round(100 * compliant / settled, 1) if settled else None,
    }


def total(counts: Counts, names: Iterable[str] | None = None) -> dict[str, int]:
    """The counts of several names, or of all of them, added up by state."""
    added: dict[str, int] = {}
    for name in counts if names is None else names:
        for state, number in counts.get(name, {}).items():
            added[state] = added.get(state, 0) + number
    return added


def summarize(
    postures: Iterable[Posture], entries: Mapping[str, PolicyEntry], severities: Mapping[str, int], at: AwareDatetime
) -> Summary:
    """Add postures up. `severities` counts the open findings."""
    counts: Counts = {}
    owners: Counts = {}
    scopes: dict[str, ScopeSummary] = {}
    resources = 0
    for posture in postures:
        counts, owners = add(counts, posture.counts), add(owners, posture.owners)
        scopes[posture.subscription] = _scope(posture)
        resources += posture.resources
    return Summary.model_validate(
        {
            **tallied(total(counts)),
            "at": at,
            "resources": resources,
            "open_by_severity": severities,
            "scopes": scopes,
            "policies": {name: _policy(counts[name], entries[name]) for name in sorted(counts) if name in entries},
            "frameworks": _frameworks(counts, entries),
            "owners": {name: Tallied.model_validate(tallied(states)) for name, states in sorted(owners.items())},
        }
    )


def _scope(posture: Posture) -> ScopeSummary:
    return ScopeSummary.model_validate(
        {
            **tallied(total(posture.counts)),
            "display_name": posture.display_name,
            "resources": posture.resources,
            "collected_at": posture.collected_at,
            "judged_at": posture.judged_at,
        }
    )


def _policy(states: Mapping[str, int], entry: PolicyEntry) -> PolicySummary:
    return PolicySummary.model_validate(
        {
            **tallied(states),
            "title": entry.display_name,
            "severity": str(entry.severity),
            "category": entry.category,
        }
    )


def _frameworks(counts: Counts, entries: Mapping[str, PolicyEntry]) -> dict[str, FrameworkSummary]:
    mapped: dict[str, dict[str, list[str]]] = {}
    for name, entry in entries.items():
        for framework, controls in entry.controls.items():
            for control in controls:
                mapped.setdefault(framework, {}).setdefault(control, []).append(name)
    return {framework: _framework(counts, controls) for framework, controls in sorted(mapped.items())}


def _framework(counts: Counts, controls: Mapping[str, list[str]]) -> FrameworkSummary:
    policies = sorted({name for names in controls.values() for name in names})
    by_control = {
        control: ControlSummary.model_validate({**tallied(total(counts, names)), "policies": tuple(sorted(names))})
        for control, names in sorted(controls.items())
    }
    return FrameworkSummary.model_validate({**tallied(total(counts, policies)), "controls": by_control})

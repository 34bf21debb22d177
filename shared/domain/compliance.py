"""Compliance: what the estates of a tenant add up to, by scope, policy, framework and owner."""

from collections.abc import Iterable, Mapping

from pydantic import AwareDatetime, Field

from shared.domain.estate import Counts, Estate, add
from shared.domain.inventory import Gap
from shared.domain.model import AnyCase, Model
from shared.domain.policy import Controls
from shared.domain.verdict import State


class StateCounts(Model):
    """Evaluations by state, the percentage of compliant ones among those with a result, and Azure's percentage."""

    compliant: int = 0
    non_compliant: int = 0
    unknown: int = 0
    exempt: int = 0
    error: int = 0
    score: float | None = Field(
        default=None, description="compliant / (compliant + nonCompliant) in percent; null without any of them"
    )
    azure_percentage: float | None = Field(
        default=None,
        description="(compliant + exempt + unknown) / all in percent, which is Azure Policy's formula; the portal "
        "applies it to resources, each in its worst state, and this to evaluations; null without any",
    )


class ScopeSummary(StateCounts):
    """One subscription."""

    display_name: str = ""
    resources: int = 0
    as_of: AwareDatetime | None = Field(
        default=None, description="the data is at least as new as this; null when it was never read completely"
    )
    judged_at: AwareDatetime | None = None
    gap_count: int = Field(default=0, description="the number of parts that the last collection could not read")


class PolicyDescription(Model):
    """A policy in force: its definition, and what brings it."""

    policy: str = Field(description="the name of the definition")
    assignment: AnyCase
    reference: str = ""
    initiative: AnyCase = ""
    title: str
    severity: str
    category: str
    controls: Controls = Field(default_factory=dict, exclude=True)


class PolicySummary(PolicyDescription, StateCounts):
    """One policy in force."""


class ControlSummary(StateCounts):
    """One control of a framework, over the policies in force that are mapped to it."""

    policies: tuple[str, ...] = Field(description="the names of their definitions")


class FrameworkSummary(StateCounts):
    """One framework, over the policies mapped to any of its controls."""

    controls: Mapping[str, ControlSummary] = Field(default_factory=dict)


class ComplianceSummary(StateCounts):
    """The compliance of a tenant, stored when a scan ends or a resource is evaluated again."""

    at: AwareDatetime
    as_of: AwareDatetime | None = Field(default=None, description="the oldest `asOf` of the scopes")
    gap_count: int = Field(default=0, description="the number of parts that could not be read, in all scopes")
    gaps: tuple[Gap, ...] = Field(default=(), description="at most the first 100 gaps")
    resources: int = 0
    open_by_severity: Mapping[str, int] = Field(
        default_factory=dict, description="open findings that are violations, by severity"
    )
    unknown_by_severity: Mapping[str, int] = Field(
        default_factory=dict, description="open findings whose verdict is unknown or an error, by severity"
    )
    scopes: Mapping[str, ScopeSummary] = Field(default_factory=dict)
    policies: Mapping[str, PolicySummary] = Field(
        default_factory=dict, description="by key, which is the last part of the ids of their findings"
    )
    frameworks: Mapping[str, FrameworkSummary] = Field(default_factory=dict)
    owners: Mapping[str, StateCounts] = Field(default_factory=dict)


class TrendPoint(StateCounts):
    """The totals when a scan ended."""

    at: AwareDatetime
    scan: str


def state_counts(states: Mapping[str, int]) -> dict[str, int | float | None]:
    """Return the fields of `StateCounts` from a count by state."""
    compliant, wrong = states.get(State.COMPLIANT, 0), states.get(State.NON_COMPLIANT, 0)
    # Unknown, exempt and failed pairs say nothing about compliance, so the score leaves them out.
    settled = compliant + wrong
    unknown, exempt, error = (states.get(each, 0) for each in (State.UNKNOWN, State.EXEMPT, State.ERROR))
    # Azure's percentage counts what is unknown or exempt as good. Source: "Azure Policy compliance states".
    good = compliant + exempt + unknown
    whole = good + wrong + error
    return {
        "compliant": compliant,
        "non_compliant": wrong,
        "unknown": unknown,
        "exempt": exempt,
        "error": error,
        "score": round(100 * compliant / settled, 1) if settled else None,
        "azure_percentage": round(100 * good / whole, 1) if whole else None,
    }


def total(counts: Counts, names: Iterable[str] | None = None) -> dict[str, int]:
    """Return the counts of several names, or of all of them, added up by state."""
    added: dict[str, int] = {}
    for name in counts if names is None else names:
        for state, number in counts.get(name, {}).items():
            added[state] = added.get(state, 0) + number
    return added


def summarize(
    estates: Iterable[Estate],
    policies: Mapping[str, PolicyDescription],
    *,
    severities: Mapping[str, int],
    unknown: Mapping[str, int],
    gaps: Iterable[Gap],
    at: AwareDatetime,
) -> ComplianceSummary:
    """Add estates up; `policies` are those in force, by key.

    `severities` counts the open violations, `unknown` the other open findings, `gaps` are those of the list of
    subscriptions.
    """
    counts: Counts = {}
    missing = list(gaps)
    gap_count = len(missing)
    owners: Counts = {}
    scopes: dict[str, ScopeSummary] = {}
    resources = 0
    for estate in estates:
        counts, owners = add(counts, estate.counts), add(owners, estate.owners)
        scope = scopes[estate.subscription] = _scope(estate)
        gap_count += scope.gap_count
        missing += estate.missing[1]
        resources += estate.resources
    return ComplianceSummary.model_validate(
        {
            **state_counts(total(counts)),
            "at": at,
            "as_of": min((each.as_of for each in scopes.values() if each.as_of), default=None),
            "gap_count": gap_count,
            "gaps": missing[:100],
            "resources": resources,
            "open_by_severity": severities,
            "unknown_by_severity": unknown,
            "scopes": scopes,
            "policies": {
                key: PolicySummary.model_validate({**state_counts(counts[key]), **dict(policies[key])})
                for key in sorted(counts)
                if key in policies
            },
            "frameworks": _frameworks(counts, policies),
            "owners": {
                name: StateCounts.model_validate(state_counts(states)) for name, states in sorted(owners.items())
            },
        }
    )


def _scope(estate: Estate) -> ScopeSummary:
    return ScopeSummary.model_validate(
        {
            **state_counts(total(estate.counts)),
            "display_name": estate.display_name,
            "resources": estate.resources,
            "as_of": estate.as_of,
            "gap_count": estate.missing[0],
            "judged_at": estate.judged_at,
        }
    )


def _frameworks(counts: Counts, policies: Mapping[str, PolicyDescription]) -> dict[str, FrameworkSummary]:
    mapped: dict[str, dict[str, list[str]]] = {}
    for key, described in policies.items():
        for framework, controls in described.controls.items():
            for control in controls:
                mapped.setdefault(framework, {}).setdefault(control, []).append(key)
    names = {key: described.policy for key, described in policies.items()}
    return {framework: _framework(counts, controls, names) for framework, controls in sorted(mapped.items())}


def _framework(counts: Counts, controls: Mapping[str, list[str]], names: Mapping[str, str]) -> FrameworkSummary:
    # A policy that is mapped to several controls of a framework counts once in it.
    every = sorted({key for keys in controls.values() for key in keys})
    by_control = {
        control: ControlSummary.model_validate(
            {**state_counts(total(counts, keys)), "policies": tuple(sorted({names[key] for key in keys}))}
        )
        for control, keys in sorted(controls.items())
    }
    return FrameworkSummary.model_validate({**state_counts(total(counts, every)), "controls": by_control})

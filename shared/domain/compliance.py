"""Compliance: what the estates of a tenant add up to, by scope, policy and owner."""

from collections.abc import Iterable, Mapping

from pydantic import AwareDatetime, Field

from shared.domain.estate import Counts, Estate, add
from shared.domain.inventory import Gap
from shared.domain.model import AnyCase, Model
from shared.domain.state_counts import StateCounts, state_counts, total


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


class PolicySummary(PolicyDescription, StateCounts):
    """One policy in force."""


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
    owners: Mapping[str, StateCounts] = Field(default_factory=dict)


class TrendPoint(StateCounts):
    """The totals when a scan ended."""

    at: AwareDatetime
    scan: str


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

"""List frameworks and their controls as they stand: what the policies in force show, and what nobody here shows."""

from collections.abc import Callable

from shared.domain.compliance import ComplianceSummary
from shared.domain.error import NotFound
from shared.domain.framework import (
    ControlListing,
    ControlSummary,
    Framework,
    FrameworkSummary,
    MappedPolicy,
    account,
    control_summaries,
)
from shared.domain.page import Page, PageRequest, page_of
from shared.domain.state_counts import StateCounts
from shared.eventstore.store import Store
from shared.ports.catalog import Catalog
from shared.services import compliance
from shared.services.policy.effective_policy import EffectivePolicies

Policies = Callable[[], EffectivePolicies]


def list_(asked: PageRequest, *, store: Store, catalog: Catalog, policies: Policies) -> Page[FrameworkSummary]:
    """List the frameworks by id, over what the caller may see; NotFound before the first scan has ended."""
    summary = compliance.summary(store=store, policies=policies).model
    found = summaries(summary, catalog=catalog, policies=policies())
    return page_of(found, asked, key=lambda each: each.id, show=lambda each: each)


def summaries(summary: ComplianceSummary, *, catalog: Catalog, policies: EffectivePolicies) -> list[FrameworkSummary]:
    """Return what the controls of all frameworks add up to in a compliance summary."""
    return [account(each, _mapped(each, summary, policies)) for each in catalog.frameworks()]


def get(
    framework_id: str, baseline: str | None = None, *, store: Store, catalog: Catalog, policies: Policies
) -> FrameworkSummary:
    """Return what the controls of a framework, or of a baseline of it, add up to.

    NotFound, also for a baseline that it has not, and before the first scan has ended.
    """
    framework = _find(framework_id, catalog).within(baseline)
    summary = compliance.summary(store=store, policies=policies).model
    return account(framework, _mapped(framework, summary, policies()))


def controls(
    framework_id: str, asked: ControlListing, *, store: Store, catalog: Catalog, policies: Policies
) -> Page[ControlSummary]:
    """List how the controls of a framework stand, in its order; NotFound as in `get`."""
    framework = _find(framework_id, catalog).within(asked.baseline)
    summary = compliance.summary(store=store, policies=policies).model
    found = control_summaries(framework, _mapped(framework, summary, policies()))
    # A cursor holds a place in the framework's own order, in which AC-2 comes before AC-10.
    places = {each.id: f"{place:06}" for place, each in enumerate(framework.controls)}
    return page_of(filter(asked.has, found), asked, key=lambda each: places[each.id], show=lambda each: each)


def _find(framework_id: str, catalog: Catalog) -> Framework:
    found = next((each for each in catalog.frameworks() if each.id == framework_id), None)
    if found is None:
        raise NotFound(f"there is no framework {framework_id[:80]}; `GET /api/v1/frameworks` lists them", path="id")
    return found


def _mapped(framework: Framework, summary: ComplianceSummary, policies: EffectivePolicies) -> list[MappedPolicy]:
    """Return the policies in force that are mapped to a framework, with their evaluations."""
    found: list[MappedPolicy] = []
    for each in policies.compiled.policies:
        entry = policies.entry(each)
        if framework.id in entry.controls:
            counts = summary.policies.get(each.key, StateCounts())
            found.append(
                MappedPolicy(
                    **counts.model_dump(include=set(StateCounts.model_fields)),
                    policy=entry.name,
                    assignment=each.assignment_id,
                    reference=each.reference,
                    title=entry.display_name,
                    severity=entry.severity,
                    controls=entry.controls[framework.id],
                )
            )
    return found

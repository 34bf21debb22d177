"""Reads the stored summary of a tenant, as tests compare it."""

from shared.domain.compliance import ComplianceSummary
from shared.eventstore.store import Store
from shared.services import compliance


def summary_of(store: Store) -> ComplianceSummary:
    found = compliance.of_tenant(store=store)
    assert found is not None, "no summary is stored"
    return found.model

"""Get and list findings, and decide how verdicts change them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import batched
from typing import Any

from shared.domain.finding import (
    NEXT_STATUS,
    OPEN_STATUSES,
    Finding,
    FindingListing,
    FindingStatus,
    clauses,
    finding_id,
    missing_parts,
)
from shared.domain.page import Page
from shared.domain.policy import PolicyEntry
from shared.domain.truncation import truncate
from shared.domain.verdict import State, Verdict
from shared.engine import EffectivePolicy
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.services import finding_filter, read_model
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.read_model import Stored

KIND = "finding"
MODEL = read_model.ReadModel(KIND, Finding, left_out=frozenset({"evidence", "missing"}), in_subscription=True)
ORDER_FIELDS = {"id": "", "severity": "rank"}
"""Requested order -> the member that stores order by, where it has another name."""
QUERY_KEYS = 250
FIXING_EFFECTS = {"modify", "append", "deployifnotexists"}
"""The effects that contain the fix of what they find."""
VOLATILE_MEMBERS = {"changed_at", "sequence", "collected_at"}
"""Members that change without anything about the finding having changed."""

FindingBody = Mapping[str, Any]


def get(finding_id: str, *, store: Store) -> Stored[Finding]:
    """Find a finding, with its evidence; NotFound."""
    return read_model.get(MODEL, finding_id, store=store)


def list_(asked: FindingListing, *, store: Store, policies: Callable[[], EffectivePolicies]) -> Page[Finding]:
    """List findings, without their evidence and missing parts; InvalidInput for what `strict` refuses."""
    if asked.strict:
        finding_filter.check(asked, store=store, policies=policies())
    order = ORDER_FIELDS.get(asked.order, asked.order)
    query = replace(finding_filter.query(asked, policies), order=order, descending=bool(order))
    return read_model.page(MODEL, query, asked, store=store)


def of_resources(keys: Sequence[str], store: Store) -> dict[str, Finding]:
    """Return all findings, open or not, of the resources with these keys, by finding id."""
    found: dict[str, Finding] = {}
    for some in batched(keys, QUERY_KEYS, strict=False):
        bodies = stored(Query(equals={"resource": some}), store)
        found.update((body["id"], Finding.model_validate(body)) for body in bodies)
    return found


def stored(query: Query, store: Store) -> Iterator[FindingBody]:
    """Yield the bodies of all findings that match."""
    return (each.body for each in each_document(KIND, query, documents=store.documents, tenant=store.tenant))


def resolved(keys: Sequence[str], store: Store, *, reason: str) -> dict[str, dict[str, Any]]:
    """Return the documents of all open or exempt findings of these resources, resolved for a reason."""
    return {
        each.id: resolve(each, store, reason).model_dump(mode="json")
        for each in of_resources(keys, store).values()
        if each.status != FindingStatus.RESOLVED
    }


def next_finding(
    before: Finding | None, verdict: Verdict, about: FindingBody, *, exemption: str | None, store: Store
) -> Finding | None:
    """Return the finding after a verdict, which `about` describes; None when it does not change or none is needed."""
    status = NEXT_STATUS[before.status if before else None, verdict.state]
    if status is None:
        return None
    if status == FindingStatus.RESOLVED:
        if before is None or before.status == status:
            return None
        return resolve(before, store, "the resource complies now")
    at, reopened = store.now(), status == FindingStatus.REOPENED and before is not None and before.status != status
    fresh = Finding.model_validate(
        {
            **about,
            "status": status,
            "open": status in OPEN_STATUSES,
            "exemption": exemption,
            "opened_at": before.opened_at if before and not reopened else at,
            "changed_at": at,
            "reopened": (before.reopened if before else 0) + reopened,
        }
    )
    # Nothing is written for a finding that says the same: a scan of an unchanged estate stores no findings.
    same = before and before.model_dump(exclude=VOLATILE_MEMBERS) == fresh.model_dump(exclude=VOLATILE_MEMBERS)
    return None if same else fresh


def resolve(before: Finding, store: Store, reason: str) -> Finding:
    """Return the finding resolved, for a reason."""
    at = store.now()
    return before.model_copy(
        update={"status": FindingStatus.RESOLVED, "open": False, "resolved_at": at, "changed_at": at, "reason": reason}
    )


def describe(
    effective: EffectivePolicy, verdict: Verdict, *, entry: PolicyEntry, resource: FindingBody
) -> dict[str, Any]:
    """Return what a finding says of the policy in force, of the resource and of the verdict."""
    return {
        "id": finding_id(resource["id"], effective.key),
        "policy": entry.name,
        "assignment": effective.assignment_id,
        "reference": effective.reference,
        "initiative": effective.initiative,
        "enforced": effective.enforced,
        "message": effective.message(verdict),
        "title": entry.finding_title,
        "severity": str(entry.severity),
        "category": entry.category,
        "effect": verdict.effect,
        "resource": resource["id"],
        "resource_id": resource["resourceId"],
        "resource_type": resource["typeName"],
        "subscription": resource["subscription"],
        "resource_group": resource["resourceGroup"],
        "owner": resource["owner"],
        "environment": resource["environment"],
        "state": verdict.state,
        "reason": truncate(verdict.reason),
        "evidence": clauses(verdict),
        "missing": missing_parts(verdict),
        "remediable": verdict.state == State.NON_COMPLIANT
        and (entry.remediation is not None or verdict.effect.lower() in FIXING_EFFECTS),
        "collected_at": verdict.collected_at,
        "api_version": verdict.api_version,
    }

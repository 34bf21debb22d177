"""Findings of resources: read the open ones, decide what verdicts make of them, list and count them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any

from shared.domain.finding import (
    NEXT_LIFE,
    OPEN,
    Finding,
    Life,
    clauses,
    finding_id,
    missing,
)
from shared.domain.policy import PolicyEntry
from shared.domain.verdict import State, Verdict
from shared.ports.documents import Query
from shared.services.estate import Store

KIND = "finding"
CHUNK = 250
FIXING = {"modify", "append", "deployifnotexists"}
"""The effects that say themselves how to fix what they find."""

Body = Mapping[str, Any]


def of_resources(keys: Sequence[str], store: Store) -> dict[str, Finding]:
    """All findings, open or not, of the resources with these keys, by finding id."""
    found: dict[str, Finding] = {}
    for some in batched(keys, CHUNK, strict=False):
        bodies = stored(Query(equals={"resource": some}), store)
        found.update((body["id"], Finding.model_validate(body)) for body in bodies)
    return found


def stored(query: Query, store: Store) -> Iterator[Body]:
    """The bodies of all findings that match, a page at a time."""
    cursor: str | None = None
    while True:
        page = store.documents.query(tenant=store.tenant, kind=KIND, query=query, limit=1000, cursor=cursor)
        yield from (each.body for each in page.items)
        cursor = page.cursor
        if cursor is None:
            return


def resolved(keys: Sequence[str], store: Store, *, reason: str) -> dict[str, dict[str, Any]]:
    """The documents of all open or exempt findings of these resources, resolved for a reason."""
    return {
        each.id: _close(each, store, reason).model_dump(mode="json")
        for each in of_resources(keys, store).values()
        if each.life != Life.RESOLVED
    }


def after(
    before: Finding | None,
    verdict: Verdict,
    *,
    entry: PolicyEntry,
    resource: Body,
    exemption: str | None,
    store: Store,
) -> Finding | None:
    """The finding after a verdict; None when nothing about it changes or none is needed."""
    life = NEXT_LIFE[before.life if before else None, verdict.state]
    if life is None:
        return None
    if life == Life.RESOLVED:
        return None if before is None or before.life == life else _close(before, store, "the resource complies now")
    about = _about(verdict, entry, resource)
    fresh = _fresh(before, about, life, exemption, store)
    return None if before and _same(before, fresh) else fresh


def _close(before: Finding, store: Store, reason: str) -> Finding:
    at = store.now()
    return before.model_copy(
        update={"life": Life.RESOLVED, "open": False, "resolved_at": at, "changed_at": at, "reason": reason}
    )


def _about(verdict: Verdict, entry: PolicyEntry, resource: Body) -> dict[str, Any]:
    """What a finding says of its policy, its resource and the verdict."""
    return {
        "id": finding_id(resource["id"], entry.name),
        "policy": entry.name,
        "title": entry.display_name,
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
        "reason": verdict.reason,
        "evidence": clauses(verdict),
        "needs": missing(verdict),
        "remediable": verdict.state == State.NON_COMPLIANT and _fixable(verdict, entry),
        "collected_at": verdict.collected_at,
        "api_version": verdict.api_version,
    }


def _fixable(verdict: Verdict, entry: PolicyEntry) -> bool:
    return entry.remediation is not None or verdict.effect.lower() in FIXING


def _fresh(before: Finding | None, about: Body, life: Life, exemption: str | None, store: Store) -> Finding:
    at = store.now()
    reopened = life == Life.REOPENED
    return Finding.model_validate(
        {
            **about,
            "life": life,
            "open": life in OPEN,
            "exemption": exemption,
            "opened_at": before.opened_at if before and not reopened else at,
            "changed_at": at,
            "reopened": (before.reopened if before else 0) + reopened,
        }
    )


MOVING = {"changed_at", "sequence", "collected_at"}


def _same(before: Finding, fresh: Finding) -> bool:
    return before.model_dump(exclude=MOVING) == fresh.model_dump(exclude=MOVING)

"""Which findings a remediation is about: those that are named, or all that a filter chooses, resource by resource."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import batched, groupby
from typing import Any

import orjson

from shared.domain.error import Conflict, InvalidInput, NotFound
from shared.domain.finding import Finding
from shared.domain.remediation import FINDINGS, FindingFilter, FindingSelection, Remediation, RemediationPreview
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.services import content, finding

FINDING_BATCH = 250
"""Findings that are read at once."""
TOLD_ITEMS = 5
_CONDITIONS = {*FindingFilter.model_fields, "open", "remediable"}


def preview(asked: FindingSelection, *, store: Store) -> RemediationPreview:
    """Count the findings that a request would be about, were it made now.

    Errors: InvalidInput for a selection that chooses nothing, everything, or more than one remediation may be about;
    NotFound for a finding there is not; Conflict for one that is not open or has no fix.
    """
    if bool(asked.findings) == (asked.filter is not None):
        raise InvalidInput("name findings, or give a filter; one of the two", path="$.findings")
    if asked.filter is None:
        counted = Counter((each.severity, each.policy) for each in named(asked.findings, store))
        severities, policies = Counter[str](), Counter[str]()
        for (severity, policy), number in counted.items():
            severities[severity] += number
            policies[policy] += number
        return RemediationPreview(findings=counted.total(), by_severity=severities, by_policy=policies)
    query = Query(equals=conditions(asked.filter))
    by_severity = _count(query, "severity", store)
    return RemediationPreview(
        findings=sum(by_severity.values()), by_severity=by_severity, by_policy=_count(query, "policy", store)
    )


def check(matched: RemediationPreview) -> None:
    """Refuse what chooses nothing, or more than one remediation may be about: InvalidInput."""
    if not matched.findings:
        raise InvalidInput("the filter chooses no open finding that has a fix", path="$.filter")
    if matched.findings > FINDINGS:
        raise InvalidInput(
            f"the filter chooses {matched.findings:,} findings, and one remediation is about {FINDINGS:,} at most: "
            "add conditions, such as a subscription or a policy",
            path="$.filter",
        )


def conditions(chosen: FindingFilter) -> Mapping[str, Any]:
    """Return the conditions of a filter by stored member; InvalidInput when there is none."""
    given = chosen.model_dump(mode="json", exclude_none=True)
    if not given:
        names = ", ".join(str(field.alias) for field in FindingFilter.model_fields.values())
        raise InvalidInput(f"the filter is empty, which would choose everything: give one of {names}", path="$.filter")
    return {**given, "open": True, "remediable": True}


def groups(known: Remediation, *, store: Store) -> Iterator[list[Finding]]:
    """Read the findings of each resource that is not planned yet, in the order of the resources' keys."""
    # What sorts behind the ids of all findings on a resource: its key, a dot, and the key of a policy.
    after = f"{known.position}.~" if known.position else ""
    if known.filter:
        found = chosen(known.filter, after=after, store=store)
    else:
        found = _stored([each for each in _selected(known, store) if each > after], store)
    for _, group in groupby(found, key=lambda each: each.resource):
        yield list(group)


def group_of(known: Remediation, resource: str, *, store: Store) -> list[Finding]:
    """Read the findings of a remediation on the resource with this key."""
    if known.filter:
        return list(chosen(known.filter, {"resource": resource}, store=store))
    return list(_stored([each for each in _selected(known, store) if each.startswith(f"{resource}.")], store))


def chosen(
    by: FindingFilter, more: Mapping[str, Any] | None = None, *, after: str = "", store: Store
) -> Iterator[Finding]:
    """Read the findings that a filter chooses, and of them those that fulfil `more`, in the order of their ids."""
    query = Query(equals={**conditions(by), **(more or {})}, after=after)
    read = each_document(finding.KIND, query, documents=store.documents, tenant=store.tenant, batch=FINDING_BATCH)
    return (Finding.model_validate(each.body) for each in read)


def chooses(known: Remediation, *, store: Store) -> Callable[[Finding], bool]:
    """Return what tells whether a remediation is for a finding."""
    if known.filter:
        wanted = conditions(known.filter)
        return lambda found: wanted.items() <= found.model_dump(mode="json", include=_CONDITIONS).items()
    ids = frozenset(_selected(known, store))
    return lambda found: found.id in ids


def keep(ids: Sequence[str], remediation_id: str, *, store: Store) -> str:
    """Keep the ids of findings in a blob; its name."""
    raw = orjson.dumps(sorted(set(ids)))
    return content.keep(f"remediation/{remediation_id}/selection-", raw, blobs=store.blobs, tenant=store.tenant)


def _selected(known: Remediation, store: Store) -> Sequence[str]:
    """Load the ids of the findings that a request named."""
    assert known.selection is not None  # a request has a filter, or names findings
    ids: Sequence[str] = orjson.loads(content.load(known.selection, blobs=store.blobs, tenant=store.tenant))
    return ids


def _stored(ids: Sequence[str], store: Store) -> Iterator[Finding]:
    for some in batched(ids, FINDING_BATCH, strict=False):
        found = store.documents.get_many(tenant=store.tenant, kind=finding.KIND, ids=some)
        yield from (Finding.model_validate(found[each].body) for each in some if each in found)


def named(ids: Sequence[str], store: Store) -> Iterator[Finding]:
    """Read findings that can be fixed, each once."""
    for some in batched(sorted(set(ids)), FINDING_BATCH, strict=False):
        found = list(_stored(some, store))
        _refuse(set(some) - {each.id for each in found}, "there is no finding", NotFound)
        _refuse({each.id for each in found if not each.open}, "not open any more:", Conflict)
        _refuse({each.id for each in found if not each.remediable}, "no fix is known for", Conflict)
        yield from found


def _refuse(ids: set[str], why: str, error: type[NotFound | Conflict]) -> None:
    if ids:
        raise error(f"{why} {', '.join(sorted(ids)[:TOLD_ITEMS])}", path="$.findings")


def _count(query: Query, by: str, store: Store) -> dict[str, int]:
    return store.documents.count(tenant=store.tenant, kind=finding.KIND, query=query, by=by)

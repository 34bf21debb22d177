"""Every kind of document, as large as it can get: it is stored, read back, and no event of it is refused."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import orjson
import pytest

from shared.adapters.index import INDEXES
from shared.adapters.large import ITEM_BYTES, LargeDocuments
from shared.domain.alias import AliasesRefreshed
from shared.domain.difference import DIFFERENCE_ITEMS, differences
from shared.domain.error import ItemsRejected, TooLarge
from shared.domain.estate_event import FindingsChanged
from shared.domain.event import Event, Recorded
from shared.domain.exemption import ExemptionCategory, ExemptionRequest, ExemptionRequested
from shared.domain.finding import EVIDENCE_CLAUSES, clauses
from shared.domain.import_job import RECORD_ERROR_ITEMS, ImportProgressed, ImportRequested, UploadStarted
from shared.domain.inventory import RecordError
from shared.domain.item import ItemOutcome
from shared.domain.item_event import ItemPlanned
from shared.domain.model import Model
from shared.domain.plan import SHOWN_BYTES, SHOWN_ITEMS, OperationSummary
from shared.domain.poison import MessagePoisoned
from shared.domain.policy import Severity
from shared.domain.remediation import FINDINGS, FindingFilter
from shared.domain.remediation_event import (
    ItemsPlanned,
    PlanningStarted,
    RemediationPlanned,
    RemediationRequested,
)
from shared.domain.resource import Resource
from shared.domain.retention import RemovalEnded, RemovalStarted
from shared.domain.scan import ScanRequest, ScanTrigger, SubscriptionProgress, SubscriptionStatus
from shared.domain.scan_event import ScanRequested, ScanStarted, SubscriptionEnded
from shared.domain.verdict import Evidence, State, Verdict
from shared.eventstore import aggregate, projection, stream
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.documents import Query
from shared.services import compliance, idempotency, rebuild
from shared.services.estate import estate, resource
from shared.services.idempotency import Reservation
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.remediation import plan
from shared.services.scan import subscription_progress
from tests.fakes.inventory import SUBSCRIPTION, account
from tests.fakes.summary import summary_of

WIDE = "\U0001f511"
"""Four bytes in UTF-8, the most that a character has."""
NEXT_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
MANY_SUBSCRIPTIONS = 10_000
NAMES = [f"{number:08d}-0000-0000-0000-000000000000" for number in range(MANY_SUBSCRIPTIONS)]
LONG = {"text": WIDE * 2_000}


@pytest.fixture
def roomy(store: Store) -> Store:
    return replace(store, documents=LargeDocuments(store.documents, store.blobs))


def _told(event: Event, _known: object) -> list[Event]:
    return [event]


def decided(kind: str, *events: Event) -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    """Record events of a thing; what is stored of it."""

    def make(store: Store, _book: EffectivePolicies) -> Mapping[str, Any]:
        for event in events:
            aggregate.decide(rebuild.STREAMS[kind], "a", partial(_told, event), store=store)
        found = store.documents.get(tenant=store.tenant, kind=kind, id="a")
        assert found is not None
        return found.body

    return make


def scan() -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    progress = [SubscriptionProgress(subscription=name, display_name=WIDE * 64) for name in NAMES]
    done = progress[0].model_copy(update={"status": SubscriptionStatus.COMPLETED, "judged": 10})
    return decided(
        "scan",
        ScanRequested(trigger=ScanTrigger.HTTP, request=ScanRequest(subscriptions=tuple(NAMES)), fence=1),
        ScanStarted(subscriptions=tuple(progress)),
        SubscriptionEnded(progress=done),
    )


def progress(store: Store, policies: EffectivePolicies) -> Mapping[str, Any]:
    scan()(store, policies)
    query = Query(equals={"scan": "a", "unfinished": True}, order="due")
    page = store.documents.query(tenant=store.tenant, kind=subscription_progress.KIND, query=query, limit=1)
    assert len(orjson.dumps(page.items[0].body)) < ITEM_BYTES
    return page.items[0].body


def transfer() -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    bad = RecordError(position=1, path="$" + "x" * 300, reason=WIDE * 1_000)
    found = {"imported": 0, "error_count": 1000, "errors": (bad,) * RECORD_ERROR_ITEMS, "subscriptions": tuple(NAMES)}
    return decided(
        "import",
        UploadStarted(name=WIDE * 255, until=NEXT_YEAR),
        ImportRequested(size=1, sha256=None),
        ImportProgressed(start=0, end=1000, **found),  # type: ignore[arg-type] # a table of several types
    )


def remediation() -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    texts = FindingFilter.model_fields.keys() - {"severity"}
    chosen = FindingFilter(severity=Severity.CRITICAL, **dict.fromkeys(texts, WIDE * 1_000))
    counts = dict.fromkeys(map(str, ItemOutcome), FINDINGS)
    hashes = ("0" * 64,) * plan.BATCH_ITEMS
    batch = ItemsPlanned(first=1, hashes=hashes, counts=counts, finding_count=1, refused_count=1, position="r")
    return decided(
        "remediation",
        RemediationRequested(finding_count=FINDINGS, filter=chosen, note=WIDE * 1_000),
        PlanningStarted(),
        batch,
        RemediationPlanned(hash="h", item_count=1, finding_count=1, expires_at=NEXT_YEAR),
    )


def remediation_item() -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    told = differences({str(at): LONG for at in range(SHOWN_ITEMS)}, {}, limit=SHOWN_ITEMS, room=SHOWN_BYTES)
    operation = OperationSummary(method="PUT", resource_id="/x", api_version="1", differences=tuple(told))
    planned = {"remediation": "a", "number": 1, "hash": "h", "resource_id": "/x", "matched": 1}
    return decided("remediation-item", ItemPlanned(**planned, operations=(operation,) * 800))


def exemption() -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    asked = ExemptionRequest(
        scope=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{WIDE * 900}",
        assignment="a" * 1024,
        references=tuple(f"{at}{'p' * 200}" for at in range(100)),
        category=ExemptionCategory.WAIVER,
        reason=f"{WIDE * 999} {WIDE * 1_000}",
        owner=f"a1{WIDE * 254}",
        expires_at="2026-06-01T00:00:00Z",  # type: ignore[arg-type] # text
    )
    return decided("exemption", ExemptionRequested(request=asked))


def poison() -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    told = MessagePoisoned(queue="q", text="\x01" * 65_536, reason=WIDE * 1_000, sent_at=NEXT_YEAR)
    return decided("poison", told)


def listing() -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    return decided("aliases", AliasesRefreshed(hash="h", names=90_000, providers=400))


def retention() -> Callable[[Store, EffectivePolicies], Mapping[str, Any]]:
    removed = {f"{kind}{WIDE * 100}": 10**12 for kind in INDEXES}
    return decided(
        "retention",
        RemovalStarted(planned=removed),
        RemovalEnded(removed=removed, position=WIDE * 255),
    )


def posture(store: Store, _book: EffectivePolicies) -> Mapping[str, Any]:
    owners = {f"{at:05d}{WIDE * 250}": {"compliant": 1} for at in range(3_000)}
    estate.decide(store, SUBSCRIPTION, lambda _: estate.EstateChange(FindingsChanged(owners=owners)))
    known = estate.current(store, SUBSCRIPTION)
    assert len(known.owners) == 3_000
    return known.model_dump(mode="json")


def summary(store: Store, policies: EffectivePolicies) -> Mapping[str, Any]:
    known = {"displayName": WIDE * 200, "owners": {WIDE * 256: {"compliant": 1}}}
    items = {name: {"subscription": name, **known} for name in NAMES[:2_500]}
    store.documents.put_many(tenant=store.tenant, kind=estate.ESTATE_KIND, items=items)
    assert compliance.refresh(store=store, policies=policies).scopes.keys() == items.keys()
    found = summary_of(store)
    return found.model_dump(mode="json")


def answer(store: Store, _book: EffectivePolicies) -> Mapping[str, Any]:
    at = store.now()
    kept = Reservation(fingerprint="f", thing="t", at=at, expires_at=at, answer={"items": [LONG] * 1_000})
    body = kept.model_dump(mode="json")
    made = store.documents.create(tenant=store.tenant, kind=idempotency.KIND, id="a", body={**body, "answer": None})
    store.documents.put(tenant=store.tenant, kind=idempotency.KIND, id="a", body=body, if_match=made.etag)
    found = store.documents.get(tenant=store.tenant, kind=idempotency.KIND, id="a")
    assert found is not None
    assert found.body == body
    return body


def finding(_store: Store, _book: EffectivePolicies) -> Mapping[str, Any]:
    observed = {"rules": [LONG] * 1_000}
    seen = Evidence("$", "f" * 9_999, "p" * 9_999, "equals", ["x" * 50] * 9_999, observed, result=True, decided=False)
    decisive = replace(seen, decided=True, observed=WIDE * 10**6)
    told = clauses(Verdict("p", "r", State.NON_COMPLIANT, "audit", evidence=(*[seen] * 999, decisive)))
    assert len(told) == EVIDENCE_CLAUSES
    assert told[0].decided
    return {"evidence": [each.model_dump(mode="json") for each in told]}


def change(_store: Store, _book: EffectivePolicies) -> Mapping[str, Any]:
    for before, after in (
        ({}, {WIDE * 10**6 + str(at): LONG for at in range(3)}),
        ({"a": list(range(100_000))}, {"a": list(range(1, 100_001))}),
        ({"a": {"b": [LONG] * 1_000}}, {"a": [LONG] * 1_000}),
    ):
        told = [each.model_dump(mode="json") for each in differences(before, after)]
        assert 0 < len(told) <= DIFFERENCE_ITEMS
        assert len(orjson.dumps(told)) < ITEM_BYTES
    return {"differences": told}


def body(store: Store, _book: EffectivePolicies) -> Mapping[str, Any]:
    tags = {"owner": WIDE * 10**6, "environment": WIDE * 10**6}
    given = {**account("a"), "name": WIDE * 10**6, "location": WIDE * 10**6, "tags": tags}
    kept = resource.with_record_in_blob(resource.document(Resource(given), SUBSCRIPTION, None, store.now()), store)
    assert resource.record(kept, store)["body"] == given
    assert len(orjson.dumps(kept)) < ITEM_BYTES
    return kept


KINDS: Mapping[str, Callable[[Store, EffectivePolicies], Mapping[str, Any]]] = {
    "scan": scan(),
    "scan-subscription": progress,
    "import": transfer(),
    "remediation": remediation(),
    "remediation-item": remediation_item(),
    "exemption": exemption(),
    "poison": poison(),
    "aliases": listing(),
    "retention": retention(),
    "estate": posture,
    "summary": summary,
    "idempotency": answer,
    "finding": finding,
    "change": change,
    "resource": body,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_of_a_kind_is_stored(kind: str, roomy: Store, policies: EffectivePolicies) -> None:
    assert KINDS[kind](roomy, policies)


def test_every_kind_of_document_is_covered() -> None:
    assert {*INDEXES, *(each.document_kind for each in rebuild.STREAMS.values())} <= KINDS.keys()


class Heavy(Model):
    text: str
    sequence: int = 0


class Said(Event):
    type: Literal["said"] = "said"
    version: Literal[1] = 1
    text: str


def _heavier(_known: Heavy | None, recorded: Recorded[Said]) -> Heavy:
    return Heavy(text=recorded.event.text, sequence=recorded.sequence)


HEAVY = Stream("heavy", Heavy, Said, _heavier)


def heavy(store: Store, text: str) -> Heavy:
    return aggregate.decide(HEAVY, "a", lambda _: [Said(text=text)], store=store)


def test_a_thing_that_no_store_takes_is_refused_before_it_is_recorded(
    roomy: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(roomy, "light")
    monkeypatch.setattr(aggregate, "DOCUMENT_BYTES", 1_000)
    with pytest.raises(TooLarge, match="heavy"):
        heavy(roomy, "x" * 1_000)
    assert heavy(roomy, "light again").sequence == 2


def test_a_thing_that_the_store_refuses_is_still_what_its_events_make_of_it(
    roomy: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(roomy, "first")
    write = roomy.documents.put_many

    def refuse(**given: Any) -> None:
        if given["kind"] == "heavy":
            raise ItemsRejected({"a": TooLarge("too large")})
        write(**given)

    monkeypatch.setattr(roomy.documents, "put_many", refuse)
    assert heavy(roomy, "second").text == "second"
    assert heavy(roomy, "third").sequence == 3
    monkeypatch.undo()
    found = projection.current(HEAVY, "a", store=roomy)
    assert found is not None
    assert found.text == "third"


def test_events_of_any_size_are_read_back(roomy: Store) -> None:
    texts = [WIDE * 1_000_000, "small", "x" * 5_000_000]
    for text in texts:
        heavy(roomy, text)
    assert [each.event.text for each in stream.read(HEAVY, "a", store=roomy)] == texts

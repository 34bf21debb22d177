"""A judgement takes over what came of a resource before, as long as nothing that it depends on has changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.domain.estate import JudgementProgress
from shared.domain.estate_event import FindingsChanged
from shared.domain.exemption import ExemptionCategory, ExemptionRequest
from shared.domain.finding import resource_key
from shared.domain.policy import PolicyEntry
from shared.domain.resource import Resource
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.ports.documents import Document, DocumentPage, Documents, Query
from shared.ports.queue import Queue
from shared.services import finding
from shared.services.estate import estate, judgement, verdict_cache
from shared.services.estate.resource import document
from shared.services.estate.resource_change import RESOURCE_KIND
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes import scan_run
from tests.fakes.caller import caller
from tests.fakes.catalog import SmallCatalog, entry
from tests.fakes.clock import Clock
from tests.fakes.cloud import VAULT
from tests.fakes.exemption import approved_exemption
from tests.fakes.inventory import STORAGE, SUBSCRIPTION, MemoryInventory, account

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
DAY = timedelta(days=1)


def of(kind: str, condition: Mapping[str, Any]) -> dict[str, Any]:
    return {"allOf": [{"field": "type", "equals": kind}, condition]}


class ManyCatalog(SmallCatalog):
    """Has policies about a group's tag, a subscription's name, a vault, and a child, too."""

    more: Sequence[PolicyEntry] = ()

    def policies(self) -> Sequence[PolicyEntry]:
        stage = {"value": "[resourceGroup().tags.stage]", "equals": "lab"}
        named = {"value": "[subscription().displayName]", "equals": "Closed"}
        vault = {"field": "tags['owner']", "exists": False}
        return (
            *super().policies(),
            entry("in-lab", of(STORAGE, stage)),
            entry("in-closed", of(STORAGE, named)),
            entry("vault-owned", of(VAULT, vault)),
            *self.more,
        )


class TimedCatalog(ManyCatalog):
    more = (entry("young", of(VAULT, {"value": "[utcNow()]", "greater": "2026-03-05"})),)


class StricterCatalog(ManyCatalog):
    more = (entry("vault-placed", of(VAULT, {"field": "location", "notEquals": "northeurope"})),)


ORDINARY, TIMED, STRICTER = (effective_policy.packaged(each()) for each in (ManyCatalog, TimedCatalog, StricterCatalog))


@pytest.fixture(scope="session")
def policies() -> EffectivePolicies:
    return ORDINARY


def vault(name: str, **tags: str) -> dict[str, Any]:
    return {**account(name), "id": f"{GROUP}/providers/{VAULT}/{name}", "type": VAULT, "tags": tags, "properties": {}}


def group(**tags: str) -> dict[str, Any]:
    return {"id": GROUP, "name": "rg", "type": "Microsoft.Resources/subscriptions/resourceGroups", "tags": tags}


def subscription(name: str) -> dict[str, Any]:
    identity = f"/subscriptions/{SUBSCRIPTION}"
    return {"id": identity, "name": SUBSCRIPTION, "type": "Microsoft.Resources/subscriptions", "displayName": name}


Scanned = Callable[..., JudgementProgress]


@pytest.fixture
def scanned(store: Store, queue: Queue, inventory: MemoryInventory) -> Scanned:
    """Scan the estate, and return what its judgement came to."""
    numbers = iter(range(1, 100))

    def scan(policies: EffectivePolicies = ORDINARY) -> JudgementProgress:
        scan_run.run(f"s{next(numbers)}", store, queue, inventory, policies)
        last = estate.current(store, SUBSCRIPTION).last
        assert last is not None
        return last

    return scan


@pytest.fixture
def inventory(clock: Clock) -> MemoryInventory:
    found = MemoryInventory(now=clock)
    found.put(group(stage="prod"), subscription("Open"), *(account(f"a{each}") for each in range(3)), vault("v1"))
    return found


def open_findings(store: Store) -> set[tuple[str, str]]:
    found = finding.stored(Query(equals={"open": True}), store)
    return {(each["resourceId"].rpartition("/")[2], each["policy"]) for each in found}


def test_a_second_judgement_of_the_same_takes_all_over(scanned: Scanned, store: Store) -> None:
    first = scanned()
    counts = estate.current(store, SUBSCRIPTION).counts
    second = scanned()
    assert (first.reused, second.reused, second.judged) == (0, 6, 6)
    assert second.model_copy(update={"scan": "s1", "first": 0, "started_at": first.started_at, "cursor": ""}) == (
        first.model_copy(update={"first": 0, "cursor": "", "reused": 6})
    )
    assert estate.current(store, SUBSCRIPTION).counts == counts


def test_what_a_stopped_judgement_wrote_is_judged_again(
    scanned: Scanned, store: Store, inventory: MemoryInventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its findings stand, although all that verdicts depend on is as it was when the last whole one ended."""
    monkeypatch.setattr(judgement, "PAGE_RESOURCES", 4)
    monkeypatch.setattr(judgement, "KEPT_RESOURCES", 4)
    inventory.put(*(vault(f"w{each}", owner="x") for each in range(12)))
    scanned()
    found, known = open_findings(store), estate.current(store, SUBSCRIPTION)
    given = {"fence": known.fence, "store": store, "policies": STRICTER, "until": store.now()}
    for _ in range(3):
        judgement.judge("stopped", SUBSCRIPTION, **given)
    assert open_findings(store) > found
    estate.fence_off("stopped", known.fence, SUBSCRIPTION, store=store)
    last = scanned()
    assert (open_findings(store), estate.current(store, SUBSCRIPTION).counts) == (found, known.counts)
    assert 0 < last.reused < last.judged, "what it did not come to is taken over"
    assert scanned().reused == last.judged


def test_pages_that_another_version_kept_are_judged_again(scanned: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned()
    monkeypatch.setattr(verdict_cache, "FORM", verdict_cache.FORM + 1)
    assert (scanned().reused, scanned().reused) == (0, 6)


class WatchedDocuments:
    """Documents that remember which resources were read."""

    def __init__(self, documents: Documents) -> None:
        self.documents, self.read = documents, set[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.documents, name)

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        self.read |= set(ids) if kind == RESOURCE_KIND else set()
        return self.documents.get_many(tenant=tenant, kind=kind, ids=ids)

    def query(self, **asked: Any) -> DocumentPage:
        found = self.documents.query(**asked)
        self.read |= {each.id for each in found.items} if asked["kind"] == RESOURCE_KIND else set()
        return found


def test_what_has_not_changed_is_not_read(store: Store, queue: Queue, inventory: MemoryInventory, clock: Clock) -> None:
    for each in ("s0", "s1"):  # the first reads what was made shortly before it once more, as a change may be told late
        scan_run.run(each, store, queue, inventory, ORDINARY)
        clock.at += DAY / 2
    watched: Any = WatchedDocuments(store.documents)
    containers = {resource_key(group()["id"]), resource_key(subscription("")["id"])}
    scan_run.run("s2", replace(store, documents=watched), queue, inventory, ORDINARY)
    assert watched.read == containers  # which are read in each scan, as what is in them depends on them
    clock.at += DAY / 2
    inventory.put(account("a1", https=False))
    watched.read.clear()
    scan_run.run("s3", replace(store, documents=watched), queue, inventory, ORDINARY)
    assert watched.read == {*containers, resource_key(account("a1")["id"])}
    last = estate.current(store, SUBSCRIPTION).last
    assert last is not None
    assert (last.judged, last.reused) == (6, 5)


def test_what_changes_under_a_resource_changes_what_it_comes_to(scanned: Scanned, store: Store) -> None:
    scanned()
    child = {"id": f"{account('a1')['id']}/blobServices/default", "name": "default", "type": f"{STORAGE}/blobServices"}
    key = resource_key(child["id"])
    row = document(Resource({**child, "properties": {}}), SUBSCRIPTION, None, store.now())
    estate.decide(store, SUBSCRIPTION, lambda _: estate.EstateChange(FindingsChanged(), {RESOURCE_KIND: {key: row}}))
    judged = judgement.judge("s9", SUBSCRIPTION, fence=9, store=store, policies=ORDINARY, until=store.now() + DAY).last
    assert judged is not None
    assert (judged.judged, judged.reused) == (7, 5)


def test_a_changed_body_is_judged(scanned: Scanned, store: Store, inventory: MemoryInventory) -> None:
    scanned()
    inventory.put(account("a1", https=False))
    assert scanned().reused == 5
    assert ("a1", "https-only") in open_findings(store)


def test_a_tag_of_the_group_changes_what_its_resources_come_to(
    scanned: Scanned, store: Store, inventory: MemoryInventory
) -> None:
    scanned()
    inventory.put(group(stage="lab"))
    assert scanned().reused == 1  # the subscription, which is in no group
    assert {name for name, policy in open_findings(store) if policy == "in-lab"} == {"a0", "a1", "a2"}


def test_what_the_subscription_says_changes_what_all_come_to(
    scanned: Scanned, store: Store, inventory: MemoryInventory
) -> None:
    scanned()
    inventory.put(subscription("Closed"))
    assert scanned().reused == 0
    assert {name for name, policy in open_findings(store) if policy == "in-closed"} == {"a0", "a1", "a2"}


def test_an_exemption_that_ends_by_itself_is_noticed(
    scanned: Scanned, store: Store, queue: Queue, inventory: MemoryInventory, clock: Clock
) -> None:
    inventory.put(account("a1", https=False))
    scanned()
    asked = ExemptionRequest(
        scope=account("a1")["id"],
        assignment="baseline",
        category=ExemptionCategory.WAIVER,
        reason="behind a gateway until June",
        owner="ada@contoso.com",
        expires_at=store.now() + DAY,
    )
    made = approved_exemption("e1", asked, store=store, queue=queue, policies=ORDINARY)
    assert scanned().reused == 5  # although nobody has told the judgement
    assert ("a1", "https-only") not in open_findings(store)
    assert scanned().reused == 6
    clock.at += 2 * DAY
    assert scanned().reused == 5
    assert made.id == "e1"
    assert ("a1", "https-only") in open_findings(store)


def test_another_policy_concerns_only_what_it_can_be_about(scanned: Scanned, store: Store) -> None:
    scanned()
    assert scanned(STRICTER).reused == 5
    assert ("v1", "vault-placed") in open_findings(store)
    assert scanned().reused == 5
    assert ("v1", "vault-placed") not in open_findings(store)


def test_other_facts_or_other_code_concern_everything(scanned: Scanned, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned()
    assert scanned(replace(ORDINARY, facts_digest="a newer table", _digests={})).reused == 0
    monkeypatch.setattr(effective_policy, "code_digest", lambda: "another build")
    assert scanned(replace(ORDINARY, facts_digest="a newer table", _digests={})).reused == 0


def test_what_reads_the_clock_is_judged_each_time(scanned: Scanned, store: Store, clock: Clock) -> None:
    scanned(TIMED)
    assert ("v1", "young") not in open_findings(store)
    clock.at += 10 * DAY
    assert scanned(TIMED).reused == 5  # all but the vault
    assert ("v1", "young") in open_findings(store)


def test_what_was_judged_by_itself_meanwhile_is_judged_again(
    scanned: Scanned, store: Store, inventory: MemoryInventory
) -> None:
    scanned()
    inventory.put(account("a1", https=False))
    judgement.judge_resource(account("a1")["id"], store=store, inventory=inventory, policies=ORDINARY)
    inventory.put(account("a1"))
    assert scanned().reused == 5
    assert open_findings(store) == {("v1", "vault-owned")}
    judgement.judge_resource(vault("v1")["id"], store=store, inventory=inventory, policies=STRICTER)
    assert scanned().reused == 5
    assert open_findings(store) == {("v1", "vault-owned")}


def test_why_a_part_is_unread_counts(scanned: Scanned, store: Store, inventory: MemoryInventory) -> None:
    inventory.unread.add(account("a1")["id"].lower())
    assert scanned().unknown == {"forbidden": 1}
    again = scanned()
    assert (again.reused, again.unknown) == (6, {"forbidden": 1})
    key = resource_key(account("a1")["id"])
    row = store.documents.get(tenant=store.tenant, kind=RESOURCE_KIND, id=key)
    assert row is not None
    record = {**row.body["record"], "unread": {"properties": {"reason": "timeout"}}}
    changed = estate.EstateChange(FindingsChanged(), {RESOURCE_KIND: {key: {**row.body, "record": record}}})
    estate.decide(store, SUBSCRIPTION, lambda _: changed)
    found = judgement.judge(
        "s9", SUBSCRIPTION, fence=9, store=store, policies=ORDINARY, until=store.now() + DAY
    )  # without collecting, which would read it again
    assert found.last is not None
    assert (found.last.reused, found.last.unknown) == (5, {"timeout": 1})


def test_lost_pages_are_judged_again(scanned: Scanned, store: Store, inventory: MemoryInventory) -> None:
    inventory.put(*(account(f"more{each}", https=False) for each in range(60)))  # too many for an event itself
    scanned()
    pages = [each for each in stream.read(estate.STREAM, SUBSCRIPTION, store=store) if each.event.type == "pageJudged"]
    assert pages[0].event.blob
    store.blobs.delete(tenant=store.tenant, name=pages[0].event.blob)
    assert scanned().reused == 0
    assert scanned().reused == 66


def test_a_large_body_that_lies_elsewhere_is_judged_each_time(scanned: Scanned, inventory: MemoryInventory) -> None:
    large = account("a1")
    inventory.put({**large, "properties": {**large["properties"], "notes": "x" * 100_000}})
    scanned()
    assert scanned().reused == 5


def test_a_judgement_goes_on_where_a_step_ended(
    scanned: Scanned, store: Store, inventory: MemoryInventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "PAGE_RESOURCES", 4)
    inventory.put(*(account(f"b{each}", https=bool(each % 2)) for each in range(20)))
    scanned()
    before = open_findings(store)
    inventory.put(*(account(f"new{each}") for each in range(5)), account("b1", https=False))  # pages move
    inventory.remove(account("b4"))
    at, fence = store.now(), estate.current(store, SUBSCRIPTION).fence
    while estate.current(store, SUBSCRIPTION).last_scan != "s9":  # the time is up after each page
        judgement.judge("s9", SUBSCRIPTION, fence=fence, store=store, policies=ORDINARY, until=at)
    again = estate.current(store, SUBSCRIPTION).last
    assert again is not None
    assert (again.reused, again.judged) == (26, 26)
    assert open_findings(store) == before
    assert scanned().reused == 24
    assert open_findings(store) == (before | {("b1", "https-only")}) - {("b4", "https-only")}


def test_a_comparison_judges_all_and_tells_what_differs(scanned: Scanned, store: Store) -> None:
    scanned()
    fence = estate.current(store, SUBSCRIPTION).fence
    asked: Any = {"fence": fence, "store": store, "until": store.now() + DAY, "compare": True}
    same = judgement.judge("s8", SUBSCRIPTION, policies=ORDINARY, **asked).last
    assert same is not None
    assert (same.reused, same.difference_count) == (0, 0)
    # Other policies under the digest of these, which stands for a dependence that somebody forgot.
    forged = replace(STRICTER, _digests={each: ORDINARY.digest(each) for each in (VAULT.lower(), STORAGE.lower())})
    found = judgement.judge("s9", SUBSCRIPTION, policies=forged, **asked).last
    assert found is not None
    assert [(each.resource, each.kind) for each in found.differences] == [(vault("v1")["id"], "verdict")]
    assert "compliant" in found.differences[0].cause or "nonCompliant" in found.differences[0].cause
    assert found.difference_count == 1
    assert ("v1", "vault-placed") in open_findings(store)


@contextmanager
def fresh_store(clock: Clock) -> Iterator[tuple[Store, Queue]]:
    with TemporaryDirectory() as folder:
        place = Path(folder)
        with (
            SqliteDocuments(place / "documents.db", indexes=INDEXES) as documents,
            SqliteQueue(place / "queue.db", now=clock) as queue,
        ):
            blobs = FileBlobs(place / "blobs")
            yield Store(documents=documents, blobs=blobs, now=clock, caller=caller(), correlation="c1"), queue


class Never(EffectivePolicies):
    """Lets nothing be taken over."""

    def digest(self, resource_type: str) -> str | None:  # noqa: ARG002 - the same for all
        return None


def everything_judged(policies: EffectivePolicies) -> EffectivePolicies:
    members = {name: getattr(policies, name) for name in EffectivePolicies.__slots__}
    return Never(**members)


def outcome(store: Store) -> tuple[Any, ...]:
    known = estate.current(store, SUBSCRIPTION)
    assert known.last is not None
    volatile = {"openedAt", "changedAt", "resolvedAt", "collectedAt", "sequence"}
    findings = {
        body["id"]: {name: each for name, each in body.items() if name not in volatile}
        for body in finding.stored(Query(), store)
    }
    numbers = (known.last.judged, known.last.evaluation_count, known.last.finding_count, dict(known.last.unknown))
    return known.counts, known.owners, known.resources, known.incomplete_policies, numbers, findings


NAMES = st.sampled_from(["a0", "a1", "a2", "a3", "a4"])
STEPS = st.one_of(
    st.tuples(st.just("account"), NAMES, st.booleans(), st.sampled_from(["team-a", "team-b"])),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("hide"), NAMES),
    st.tuples(st.just("vault"), NAMES, st.sampled_from([{}, {"owner": "x"}])),
    st.tuples(st.just("group"), st.sampled_from(["lab", "prod"])),
    st.tuples(st.just("alone"), NAMES),
    st.tuples(st.just("policies"), st.sampled_from([0, 1, 2])),
    st.tuples(st.just("day")),
    st.tuples(st.just("scan")),
)


def apply(step: tuple[Any, ...], inventory: MemoryInventory) -> None:
    match step:
        case ("account", name, https, owner):
            inventory.put(account(name, https=https, owner=owner))
        case ("vault", name, tags):
            inventory.put(vault(name, **tags))
        case ("group", stage):
            inventory.put(group(stage=stage))
        case ("remove", name):
            inventory.bodies.pop(account(name)["id"].lower(), None)
        case ("hide", name):
            inventory.unread ^= {account(name)["id"].lower()}


@settings(max_examples=8, deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=12))
def test_what_is_taken_over_is_what_would_be_judged(steps: list[tuple[Any, ...]]) -> None:
    outcomes = []
    for prepare in (lambda each: each, everything_judged):
        clock = Clock(tick=timedelta(0))  # evidence shows the time, and one of the two looks at the clock more often
        inventory = MemoryInventory(now=clock)
        inventory.put(group(stage="prod"), account("a0"))
        judging = [prepare(each) for each in (ORDINARY, TIMED, STRICTER)]
        chosen, found = judging[0], []
        with fresh_store(clock) as (store, queue):
            for number, step in enumerate([*steps, ("scan",), ("scan",)]):
                if step[0] == "scan":
                    scan_run.run(f"s{number}", store, queue, inventory, chosen)
                    found.append(outcome(store))
                elif step[0] == "alone":
                    identity = account(step[1])["id"]
                    judgement.judge_resource(identity, store=store, inventory=inventory, policies=chosen)
                elif step[0] == "policies":
                    chosen = judging[step[1]]
                elif step[0] == "day":
                    clock.at += 3 * DAY
                else:
                    apply(step, inventory)
        outcomes.append(found)
    assert outcomes[0] == outcomes[1]

"""Reading on a caller's behalf: tenant and scope, versions, damaged records, pages."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.error import Damaged, Forbidden, NotFound
from shared.domain.finding import FindingListing
from shared.domain.identity import Role
from shared.domain.scan import ScanListing
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.services import finding
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import scan
from shared.services.version_cache import VersionCache
from tests.fakes.caller import caller
from tests.fakes.catalog import FixingCatalog
from tests.fakes.finding import example


def packaged() -> EffectivePolicies:
    return effective_policy.packaged(FixingCatalog())


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with sixty findings, half of them in the subscription s0, half in s1."""
    items = {each["id"]: each for each in map(example, range(60))}
    store.documents.put_many(tenant=store.tenant, kind="finding", items=items)
    return store


def reader(store: Store, *subscriptions: str) -> Store:
    scopes = [f"/subscriptions/{each}" for each in subscriptions]
    return replace(store, caller=caller(roles=[Role.READER], scopes=scopes))


def listed(store: Store, **asked: Any) -> list[str]:
    found = finding.list_(FindingListing(limit=200, **asked), store=store, policies=packaged)
    return sorted({each.subscription for each in found.items})


def test_a_reader_of_one_subscription_is_answered_from_it_alone(filled: Store) -> None:
    assert listed(filled) == ["s0", "s1"]
    assert listed(reader(filled, "s1")) == ["s1"]
    assert listed(reader(filled, "s1"), subscription=("s1",)) == ["s1"]
    assert listed(reader(filled, "s1"), subscription=("s0",)) == []
    assert listed(reader(filled, "s0", "s1")) == ["s0", "s1"]


def test_how_many_match_counts_only_what_the_caller_may_see(filled: Store) -> None:
    asked = FindingListing(limit=1, total=True)
    assert finding.list_(asked, policies=packaged, store=filled).total == 60
    assert finding.list_(asked, policies=packaged, store=reader(filled, "s1")).total == 30
    assert finding.list_(FindingListing(limit=1), store=filled, policies=packaged).total is None


def test_a_thing_of_another_subscription_is_not_found(filled: Store) -> None:
    other = example(0)["id"]
    assert finding.get(other, store=filled).model.subscription == "s0"
    with pytest.raises(NotFound):
        finding.get(other, store=reader(filled, "s1"))


def test_what_belongs_to_no_subscription_needs_a_reader_of_the_tenant(filled: Store) -> None:
    for ask in (lambda s: scan.list_(ScanListing(), store=s), lambda s: scan.get("none", store=s)):
        with pytest.raises(Forbidden):
            ask(reader(filled, "s1"))


def test_a_caller_without_a_role_that_reads_sees_nothing(filled: Store) -> None:
    sender = replace(filled, caller=caller(roles=[Role.SENDER]))
    assert listed(sender) == []


def test_nothing_of_another_tenant_is_found(filled: Store) -> None:
    other = replace(filled, caller=caller(tenant="fabrikam"))
    assert listed(other) == []
    with pytest.raises(NotFound):
        finding.get(example(0)["id"], store=other)


def test_members_of_a_newer_version_are_ignored(store: Store) -> None:
    body = example(1, risk="new")
    store.documents.put(tenant=store.tenant, kind="finding", id=body["id"], body=body)
    assert finding.get(body["id"], store=store).model.severity == "high"


def test_a_record_that_cannot_be_read_is_left_out_of_the_list(filled: Store, caplog: pytest.LogCaptureFixture) -> None:
    broken = {**example(1), "state": "lost"}
    filled.documents.put(tenant=filled.tenant, kind="finding", id=broken["id"], body=broken)
    with caplog.at_level(logging.ERROR):
        assert len(finding.list_(FindingListing(limit=200), store=filled, policies=packaged).items) == 59
    assert broken["id"] in caplog.text
    with pytest.raises(Damaged, match="state"):
        _ = finding.get(broken["id"], store=filled).model


def test_paging_returns_every_document_once(filled: Store) -> None:
    walked = each_document("finding", Query(), documents=filled.documents, tenant=filled.tenant, batch=7)
    assert len({each.id for each in walked}) == 60


def test_a_list_shows_what_has_changed_since_it_was_shown(filled: Store) -> None:
    first = finding.list_(FindingListing(limit=200), store=filled, policies=packaged)
    body = example(3, owner="somebody else")
    filled.documents.put(tenant=filled.tenant, kind="finding", id=body["id"], body=body)
    again = finding.list_(FindingListing(limit=200), store=filled, policies=packaged)
    changed = [new.id for new, old in zip(again.items, first.items, strict=True) if new != old]
    assert changed == [body["id"]]


def test_what_one_tenant_was_shown_is_not_shown_to_another(filled: Store) -> None:
    assert listed(filled) == ["s0", "s1"]
    other = replace(filled, caller=caller(tenant="fabrikam"))
    body = example(0, subscription="s9")
    other.documents.put(tenant="fabrikam", kind="finding", id=body["id"], body=body)
    assert listed(other) == ["s9"]


def test_the_json_of_a_thing_is_that_of_its_version(filled: Store) -> None:
    body = example(1)
    assert b'"owner":"owner1"' in finding.get(body["id"], store=filled).json()
    assert b"evidence" not in finding.get(body["id"], store=filled).json(["evidence"])
    changed = example(1, owner="grace")
    filled.documents.put(tenant=filled.tenant, kind="finding", id=body["id"], body=changed)
    assert b'"owner":"grace"' in finding.get(body["id"], store=filled).json()


def test_the_cache_keeps_what_was_used_last(store: Store) -> None:
    cache: VersionCache[int] = VersionCache(2)
    made: list[str] = []

    def look(name: str, etag: str = "1") -> None:
        cache.get(store.documents, (store.tenant, "finding", name, ""), etag, lambda: made.append(name) or len(made))

    for name in ("a", "b", "a", "c", "a", "b"):
        look(name)
    look("b", etag="2")
    assert made == ["a", "b", "c", "b", "b"]

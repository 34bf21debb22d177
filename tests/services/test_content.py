"""Bulk in blobs is believed only while it is what was kept: torn, swapped or lost, it is told, never read as empty."""

import gzip
from collections.abc import Callable

import orjson
import pytest

from shared.domain.canonical import digest
from shared.domain.error import Damaged
from shared.domain.estate_event import FindingsChanged
from shared.eventstore.store import Store
from shared.services import content
from shared.services.estate import estate
from shared.services.estate.estate import EstateChange
from shared.services.policy.effective_policy import EffectivePolicies
from tests.fakes import event
from tests.fakes.rebuilt import rebuilt

RAW = b'{"documents": {}}' * 500
LOSSES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-4],
    "garbage": lambda data: b"\xa5" * len(data),
    "a bit flipped": lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
    "something else": lambda _: gzip.compress(b'{"documents": {}}'),
    "not compressed": gzip.decompress,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_content_that_does_not_match_its_hash_is_damage(store: Store, loss: str) -> None:
    name = content.keep("a/", RAW, blobs=store.blobs, tenant=store.tenant)
    assert content.load(name, blobs=store.blobs, tenant=store.tenant) == RAW
    kept = store.blobs.get(tenant=store.tenant, name=name)
    store.blobs.put(tenant=store.tenant, name=name, data=LOSSES[loss](kept))
    with pytest.raises(Damaged, match=r"blob 'a/[0-9a-f]{64}\.json\.gz' (is damaged|does not have the content)"):
        content.load(name, blobs=store.blobs, tenant=store.tenant)


def test_json_is_kept_as_it_is_and_named_by_its_digest(store: Store) -> None:
    value = {"b": [2**53 + 1, str(2**53 + 1), 1e19, 1.0], "a": None}
    name = content.keep_json("a/", value, blobs=store.blobs, tenant=store.tenant)
    assert name == f"a/{digest(value)}.json.gz"
    assert gzip.decompress(store.blobs.get(tenant=store.tenant, name=name)) == orjson.dumps(value)
    assert orjson.dumps(content.load_json(name, blobs=store.blobs, tenant=store.tenant)) == orjson.dumps(value)


@pytest.mark.parametrize("other", [b'{"a":9007199254740992}', b'{"a":"9007199254740993"}', b"{", b"\xa5"])
def test_json_that_does_not_have_its_digest_is_damage(store: Store, other: bytes) -> None:
    name = content.keep_json("a/", {"a": 2**53 + 1}, blobs=store.blobs, tenant=store.tenant)
    store.blobs.put(tenant=store.tenant, name=name, data=gzip.compress(other))
    with pytest.raises(Damaged, match=rf"blob '{name}' (is damaged|does not have the content)"):
        content.load_json(name, blobs=store.blobs, tenant=store.tenant)


def test_a_missing_blob_is_damage(store: Store) -> None:
    with pytest.raises(Damaged, match="is missing: restore it"):
        content.load(f"a/{'0' * 64}.json", blobs=store.blobs, tenant=store.tenant)


def test_a_blob_name_without_a_hash_is_damage(store: Store) -> None:
    store.blobs.put(tenant=store.tenant, name="a/b.json", data=b"{}")
    with pytest.raises(Damaged, match="does not have the content"):
        content.load("a/b.json", blobs=store.blobs, tenant=store.tenant)


@pytest.mark.parametrize("loss", [*LOSSES, "gone"])
def test_a_lost_body_of_an_event_never_passes_for_an_empty_one(
    store: Store, policies: EffectivePolicies, loss: str
) -> None:
    bodies = {f"r{n}": {"x": "y" * 500, "resourceId": f"/r{n}"} for n in range(50)}
    estate.decide(store, "s", lambda _: EstateChange(FindingsChanged(), {"thing": bodies}))
    (recorded,) = event.of(store, "estate:s")
    name = recorded.event.blob
    kept = store.blobs.get(tenant=store.tenant, name=name)
    store.blobs.delete(tenant=store.tenant, name=name)
    if loss in LOSSES:
        store.blobs.put(tenant=store.tenant, name=name, data=LOSSES[loss](kept))
    with pytest.raises(Damaged):
        estate.body_of(store, recorded.event)
    with pytest.raises(Damaged):
        rebuilt(store, policies)
    store.blobs.put(tenant=store.tenant, name=name, data=kept)
    assert estate.body_of(store, recorded.event)["documents"]["thing"].keys() == bodies.keys()

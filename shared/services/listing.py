"""The alias listing of a tenant: read from its cloud, kept by the hash of its content, opened where it is needed."""

import gzip
import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from shared.domain.alias import REFRESHED, AliasListing, apply
from shared.domain.event import Fact
from shared.ports.inventory import Inventory
from shared.services import alias, record
from shared.services.estate import Store
from shared.services.lint.subject import Facts

KIND: record.Kind[AliasListing] = record.Kind("aliases", AliasListing, apply)
CURRENT = "current"
_FOLDER = "aliases/"


Json = dict[str, Any]


def refresh(*, store: Store, inventory: Inventory) -> AliasListing:
    """Read the provider listing of the tenant; a new version is in force when anything in it has changed.

    Errors: those of `Inventory`; NotFound when no cloud is connected.
    """
    providers = sorted(map(_compact, inventory.providers(tenant=store.tenant)), key=lambda each: each["namespace"])
    content = orjson.dumps(providers)
    name = hashlib.blake2b(content, digest_size=16).hexdigest()
    before = record.find(KIND, CURRENT, documents=store.documents, tenant=store.tenant)
    if not store.blobs.exists(tenant=store.tenant, name=_blob(name)):
        store.blobs.put(tenant=store.tenant, name=_blob(name), data=gzip.compress(content, mtime=0))
    names = sum(len(kind["aliases"]) for each in providers for kind in each["resourceTypes"])
    data = {"hash": name, "names": names, "providers": len(providers)}

    def decision(known: AliasListing | None) -> tuple[Fact, ...]:
        return () if known and known.hash == name else (Fact(type=REFRESHED, data=data),)

    now = record.decide(
        KIND, CURRENT, decision, documents=store.documents, now=store.now, tenant=store.tenant, actor=store.actor
    )
    _forget(store, {now.hash, before.hash if before else now.hash})
    return now


def _forget(store: Store, kept: set[str]) -> None:
    """Remove versions that nobody opens any more."""
    for name in store.blobs.names(tenant=store.tenant, prefix=_FOLDER):
        if name.removeprefix(_FOLDER).partition(".")[0] not in kept:
            store.blobs.delete(tenant=store.tenant, name=name)


def current(store: Store) -> AliasListing | None:
    """The version in force: a point read."""
    return record.find(KIND, CURRENT, documents=store.documents, tenant=store.tenant)


def open_(listing: AliasListing, store: Store) -> Facts:
    """What a version says of aliases; NotFound when it is not kept any more."""
    packed = store.blobs.get(tenant=store.tenant, name=_blob(listing.hash))
    return alias.listed(orjson.loads(gzip.decompress(packed)))


def _blob(name: str) -> str:
    return f"{_FOLDER}{name}.json.gz"


def _compact(provider: Mapping[str, Any]) -> Json:
    """What of a provider aliases and modes need; the whole listing is ten times larger."""
    return {
        "namespace": str(provider["namespace"]),
        "resourceTypes": list(map(_kind, provider.get("resourceTypes") or ())),
    }


def _kind(kind: Mapping[str, Any]) -> Json:
    found: Json = {"resourceType": kind["resourceType"], "aliases": list(map(_alias, kind.get("aliases") or ()))}
    return found | ({"capabilities": kind["capabilities"]} if kind.get("capabilities") else {})


def _alias(given: Mapping[str, Any]) -> Json:
    """An alias with its default path and those paths that differ from it."""
    paths = [each for each in given.get("paths") or () if each.get("path")]
    default = given.get("defaultPath") or (paths[0]["path"] if paths else "")
    other = [{"path": each["path"], "apiVersions": each.get("apiVersions") or []} for each in paths]
    found: Json = {"name": given["name"], "defaultPath": default}
    if metadata := given.get("defaultMetadata"):
        found["defaultMetadata"] = {key: metadata[key] for key in ("type", "attributes") if key in metadata}
    return found | ({"paths": differing} if (differing := [each for each in other if each["path"] != default]) else {})

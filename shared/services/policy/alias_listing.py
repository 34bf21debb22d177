"""Read the alias listing of a tenant from its cloud, and keep it by the hash of its content."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson

from shared.authoring.lint.subject import LintFacts
from shared.domain.alias import AliasesRefreshed, AliasesUnread, AliasEvent, AliasListing, apply
from shared.domain.error import CortexError, Malformed, Throttled, Unavailable
from shared.domain.resource import JsonObject
from shared.eventstore import aggregate, projection
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.inventory import Inventory
from shared.ports.queue import Queue
from shared.services import content, message
from shared.services.policy import alias

STREAM = Stream("aliases", AliasListing, AliasEvent, apply)
CURRENT_ID = "current"
QUEUE = "alias-requests"
RETRY_ATTEMPTS = 20
"""Retries in a row before the listing is left to the next day."""
RETRY_DELAY = timedelta(days=1)
_FOLDER = "aliases/"


def request(*, store: Store, queue: Queue) -> None:
    """Request that the provider listing of the tenant is read."""
    queue.send(QUEUE, message.write(store, CURRENT_ID))


def refresh(*, store: Store, inventory: Inventory) -> AliasListing:
    """Read the provider listing of the tenant; a new version is in force when anything in it has changed.

    Errors: those of `Inventory`; NotFound when no cloud is connected.
    """
    # Sorted: the same listing in another order is no new version.
    providers = sorted(map(_compact, inventory.providers(tenant=store.tenant)), key=lambda each: each["namespace"])
    blob = content.keep(_FOLDER, orjson.dumps(providers), blobs=store.blobs, tenant=store.tenant)
    name = blob.removeprefix(_FOLDER).partition(".")[0]
    names = sum(len(kind["aliases"]) for each in providers for kind in each["resourceTypes"])
    refreshed = AliasesRefreshed(hash=name, names=names, providers=len(providers))
    return aggregate.decide(
        STREAM,
        CURRENT_ID,
        lambda known: () if known and known.hash == name and not known.reason else (refreshed,),
        store=store,
    )


def put_off(error: CortexError, *, store: Store, queue: Queue) -> AliasListing:
    """Record that the listing could not be read, and why; where waiting helps, request it again after the wait."""
    # A malformed answer is malformed again after a wait: the next daily timer asks again.
    wait = (
        error.retry_after if isinstance(error, Throttled | Unavailable) and not isinstance(error, Malformed) else None
    )
    at = store.now()

    def decision(known: AliasListing | None) -> tuple[AliasEvent, ...]:
        again = wait is not None and (known is None or known.tries < RETRY_ATTEMPTS)
        until = at + timedelta(seconds=wait or 0) if again else None
        return (AliasesUnread(until=until, reason=error.message),)

    known = aggregate.decide(STREAM, CURRENT_ID, decision, store=store)
    if known.waiting_until is not None:
        queue.send(QUEUE, message.write(store, CURRENT_ID), delay=min(known.waiting_until - at, RETRY_DELAY))
    return known


def find(store: Store) -> AliasListing | None:
    """Return what is known of the listing, also when it could not be read yet."""
    return projection.find(STREAM, CURRENT_ID, store=store)


def current(store: Store) -> AliasListing | None:
    """Return the version in force; None before the first was read."""
    found = find(store)
    return found if found and found.hash else None


def open_(listing: AliasListing, store: Store) -> LintFacts:
    """Load the aliases of a version; Damaged when its blob is lost, until the next refresh stores it again."""
    raw = content.load(f"{_FOLDER}{listing.hash}.json.gz", blobs=store.blobs, tenant=store.tenant)
    return alias.facts_of_listing(orjson.loads(raw), as_of=f"{listing.at:%Y-%m-%d}" if listing.at else "")


def _compact(provider: Mapping[str, Any]) -> JsonObject:
    """Return the part of a provider that aliases and modes need; the whole listing is ten times larger."""
    kinds: list[JsonObject] = []
    for kind in provider.get("resourceTypes") or ():
        kept = {"capabilities": kind["capabilities"]} if kind.get("capabilities") else {}
        aliases = list(map(_alias, kind.get("aliases") or ()))
        kinds.append({"resourceType": kind["resourceType"], "aliases": aliases, **kept})
    return {"namespace": str(provider["namespace"]), "resourceTypes": kinds}


def _alias(given: Mapping[str, Any]) -> JsonObject:
    """Return an alias with its default path and those paths that differ from it."""
    paths = [each for each in given.get("paths") or () if each.get("path")]
    default = given.get("defaultPath") or (paths[0]["path"] if paths else "")
    other = [{"path": each["path"], "apiVersions": each.get("apiVersions") or []} for each in paths]
    found: JsonObject = {"name": given["name"], "defaultPath": default}
    if metadata := given.get("defaultMetadata"):
        found["defaultMetadata"] = {key: metadata[key] for key in ("type", "attributes") if key in metadata}
    return found | ({"paths": differing} if (differing := [each for each in other if each["path"] != default]) else {})

"""Runs scans as their workflow does, without its waits, and reads how far they are."""

from typing import Any

from shared.domain.scan import Scan, ScanRequest, ScanTrigger, SubscriptionProgress
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.ports.inventory import Inventory
from shared.ports.queue import Queue
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.scan import scan, subscription_progress

EVERYTHING = ScanRequest()


def run(
    name: str, store: Store, queue: Queue, inventory: Inventory, policies: EffectivePolicies, asked: Any = EVERYTHING
) -> Scan:
    """Run a whole scan: ask for it, scan each subscription to its end, finish."""
    scan.request(name, asked, ScanTrigger.HTTP, store=store, queue=queue)
    scan.prepare(name, store=store, inventory=inventory)
    for each in progress(store, name).values():
        while scan.step(name, each.subscription, store=store, inventory=inventory, policies=policies).state != "done":
            pass
    return scan.finish(name, store=store, policies=policies)


def progress(store: Store, name: str) -> dict[str, SubscriptionProgress]:
    """How far a scan is in each of its subscriptions, as it recorded that itself."""
    found = each_document(
        subscription_progress.KIND, Query(equals={"scan": name}), documents=store.documents, tenant=store.tenant
    )
    known = [subscription_progress.MODEL.read(each.body) for each in found]
    return {each.subscription: each for each in known}

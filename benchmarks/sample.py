"""What several benchmarks need: a store in a folder, filled with a sample estate that has been judged."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local import estate as sample
from shared import bootstrap
from shared.bootstrap import Ports
from shared.domain.arm_id import subscription_of
from shared.domain.estate import Estate
from shared.domain.estate_event import PageImported
from shared.domain.identity import Caller
from shared.domain.resource import Resource
from shared.eventstore.store import Store
from shared.services import compliance
from shared.services.estate import estate, judgement, resource_change
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from shared.settings import Settings

TENANT = "local"
FOREVER = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)


def bodies(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """Yield the resources of an estate: the bodies that have a type."""
    return (body for body in sample.resources(seed=seed, count=count) if "type" in body)


@contextmanager
def ports() -> Iterator[Ports]:
    """Yield ports over the embedded default, in a temporary folder."""
    with TemporaryDirectory() as folder:
        secret = "s" * 40
        settings = Settings(state=Path(folder), tenant=TENANT, local_token_secret=secret)  # type: ignore[arg-type] # text
        with bootstrap.build(settings) as opened:
            yield opened


def store(given: Ports) -> Store:
    """Return a store on behalf of the benchmark."""
    return Store(given.documents, given.blobs, given.now, Caller.system(TENANT), "bench")


def fill(kept: Store, count: int) -> int:
    """Put an estate into the store. Return the number of resources."""
    total = 0
    for some in batched(bodies(count), 1000, strict=False):
        by_subscription: dict[str, list[Resource]] = {}
        for body in some:
            by_subscription.setdefault(subscription_of(body["id"]), []).append(Resource(body))
        for subscription, resources in by_subscription.items():
            _keep(kept, subscription, resources)
        total += len(some)
    return total


def _keep(kept: Store, subscription: str, resources: list[Resource]) -> None:
    def decision(_known: Estate) -> estate.EstateChange:
        found = resource_change.changes_of(resources, kept, subscription)
        event = PageImported(import_id="bench", read=len(resources), new=found.new)
        return estate.EstateChange(
            event, {resource_change.RESOURCE_KIND: found.kept, resource_change.CHANGE_KIND: found.changes}
        )

    estate.decide(kept, subscription, decision)


def judge(kept: Store, policies: EffectivePolicies) -> int:
    """Judge the whole estate. Return the number of open findings."""
    for each in estate.every(kept):
        judgement.judge("bench", each.subscription, fence=1, store=kept, policies=policies, until=FOREVER)
    return sum(compliance.refresh(store=kept, policies=policies).open_by_severity.values())


def policies(given: Ports) -> EffectivePolicies:
    """Return the packaged policies, compiled."""
    return effective_policy.packaged(given.catalog)

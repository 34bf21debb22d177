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
from shared.domain.estate import Posture
from shared.domain.event import Actor
from shared.domain.resource import Resource, subscription_of
from shared.services import collection, compliance, estate, judgement, policy
from shared.services.estate import Store
from shared.services.policy import Book
from shared.settings import Settings

TENANT = "local"
FOREVER = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)


def bodies(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """The resources of an estate: what has a type."""
    return (body for body in sample.resources(seed=seed, count=count) if "type" in body)


@contextmanager
def ports() -> Iterator[Ports]:
    """Ports over the embedded default, in a folder that goes away."""
    with TemporaryDirectory() as folder:
        secret = "s" * 40
        settings = Settings(state=Path(folder), tenant=TENANT, local_token_secret=secret)  # type: ignore[arg-type] # text
        with bootstrap.build(settings) as opened:
            yield opened


def store(given: Ports) -> Store:
    """A store on behalf of the benchmark."""
    actor = Actor(name="bench", correlation="bench")
    return Store(documents=given.documents, blobs=given.blobs, now=given.now, tenant=TENANT, actor=actor)


def fill(kept: Store, count: int) -> int:
    """Put an estate into the store; the number of resources."""
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
    def decision(_known: Posture) -> estate.Change:
        found, changes, new = collection.changed(resources, kept, subscription)
        data = {"import": "bench", "read": len(resources), "new": new}
        return estate.Change("pageImported", data, {collection.RESOURCE: found, collection.CHANGE: changes})

    estate.decide(kept, subscription, decision)


def judge(kept: Store, book: Book) -> int:
    """Judge all of it; the number of open findings."""
    for posture in compliance.postures(kept):
        judgement.judge("bench", posture.subscription, store=kept, book=book, until=FOREVER)
    return sum(compliance.refresh(store=kept, book=book).open_by_severity.values())


def book(given: Ports) -> Book:
    """The packaged policies, compiled."""
    return policy.book(given.catalog)

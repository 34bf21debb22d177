"""Every adapter of the port `CallBudget`: instances over one store, which counts and can fail."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.cloud.arm.error import ArmError
from local.cloud.quota import RateLimits
from shared.adapters.azure.retry_policy import retry_after
from shared.adapters.call_budget import StoredCallBudget
from shared.adapters.generation import GenerationDocuments
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.call_budget import CallScope
from shared.domain.error import Unavailable
from shared.ports.call_budget import CallBudget
from shared.ports.documents import Document, Documents
from tests.fakes.emulator import Cosmos

SCOPE = CallScope("p1", "s1", "reads")
METHODS = {"reads": "GET", "writes": "PUT", "deletes": "DELETE"}


class CountedDocuments(GenerationDocuments):
    """A store that counts what it is asked, and can be out of order."""

    def __init__(self, items: Documents) -> None:
        super().__init__(items, fixed=0)
        self.reads = self.writes = 0
        self.broken = False

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        self.reads += 1
        self._check()
        return super().get(tenant=tenant, kind=kind, id=id)

    def put(self, **options: Any) -> Document:
        self.writes += 1
        self._check()
        return super().put(**options)

    def create(self, **options: Any) -> Document:
        self.writes += 1
        self._check()
        return super().create(**options)

    def _check(self) -> None:
        if self.broken:
            raise Unavailable("the store does not answer", retry_after=1.0)


@dataclass
class Time:
    """A clock that stands still until it is moved."""

    at: float = 1_800_000_000.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class MeteredCloud:
    """The limits of the sandbox cloud, which are as strict as Azure's, and what they let pass."""

    time: Time
    limits: RateLimits = field(default_factory=lambda: RateLimits(enforced=True))
    sent: list[float] = field(default_factory=list)
    refused: int = 0

    def call(self, budget: CallBudget, scope: CallScope = SCOPE, *, at: float | None = None) -> bool:
        """Send one call and let the budget learn from the response, as the pipeline does; False when refused."""
        at = self.time.at if at is None else at
        try:
            headers = self.limits.request(scope.principal, METHODS[scope.operation], scope.subscription, at)
        except ArmError as error:
            self.refused += 1
            headers = {name.lower(): value for name, value in error.headers.items()}
            budget.learn_throttling(scope, retry_after(headers) or 0.0)
            return False
        self.sent.append(at)
        budget.learn(scope, int(next(iter(headers.values()))))
        return True

    def most_within(self, seconds: float) -> int:
        """Return the most calls that passed in any period of so many seconds."""
        sent = sorted(self.sent)
        first = most = 0
        for last, at in enumerate(sent):
            while sent[first] <= at - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def metered(time: Time) -> MeteredCloud:
    return MeteredCloud(time)


@pytest.fixture(params=["sqlite", pytest.param("cosmos", marks=pytest.mark.emulator)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CountedDocuments]:
    if request.param == "cosmos":
        from shared.adapters.azure.documents import CosmosDocuments  # noqa: PLC0415 - only where it is wanted

        emulator: Cosmos = request.getfixturevalue("cosmos_emulator")
        with CosmosDocuments(emulator.address, "call-budget", indexes={}, **emulator.options) as items:
            yield CountedDocuments(items)
        return
    with SqliteDocuments(tmp_path / "documents.db") as items:
        yield CountedDocuments(items)


@pytest.fixture
def instance(store: CountedDocuments, tenant: str, time: Time) -> Callable[..., CallBudget]:
    """Starts one more instance of the product, `behind` the others by so many seconds."""
    numbers = itertools.count(1)

    def start(documents: Documents | None = None, behind: float = 0.0) -> CallBudget:
        def now() -> datetime:
            return time() - timedelta(seconds=behind)

        name = f"instance-{next(numbers)}"
        return StoredCallBudget(documents or store, tenant=tenant, instance=name, now=now)

    return start

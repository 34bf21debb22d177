"""A tenant with a small cloud, judged: what the tests of remediations act in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from shared.domain.error import CortexError
from shared.domain.event import Actor, Event
from shared.domain.finding import Finding, finding_id, resource_key
from shared.domain.remediation import Remediation, RemediationRequest
from shared.ports.documents import Body, Documents
from shared.ports.queue import Queue
from shared.services import execution, finding, judgement, plan, policy, remediation, stream
from shared.services.estate import Store
from shared.services.policy import Book
from tests.cloud import FixingCatalog, MemoryCloud

REMEDIATION = "r1"


@dataclass
class World:
    """`store` acts for ada, who asks; grace approves. `cloud` is `Control`, and `Inventory` where that is not given."""

    store: Store
    queue: Queue
    cloud: Any = field(default_factory=MemoryCloud)
    book: Book = field(default_factory=lambda: policy.book(FixingCatalog()))
    id: str = REMEDIATION
    inventory: Any = None

    def by(self, name: str) -> Store:
        return replace(self.store, actor=Actor(name=name, correlation="c2"))

    def put(self, *bodies: dict[str, Any]) -> None:
        """Resources as they are, judged."""
        self.cloud.put(*bodies)
        for body in bodies:
            self.judge(body["id"])

    def judge(self, resource_id: str) -> Any:
        return judgement.judge_resource(
            resource_id, store=self.store, inventory=self.inventory or self.cloud, book=self.book
        )

    def finding(self, body: dict[str, Any], name: str) -> Finding:
        identity = finding_id(resource_key(body["id"]), name)
        found = self.store.documents.get(tenant=self.store.tenant, kind=finding.KIND, id=identity)
        assert found is not None, f"no finding {identity}"
        return Finding.model_validate(found.body)

    def request(self, body: dict[str, Any], *names: str, more: tuple[str, ...] = ()) -> Remediation:
        ids = (*(self.finding(body, name).id for name in names), *more)
        return remediation.request(self.id, RemediationRequest(findings=ids), store=self.store, queue=self.queue)

    def plan(self) -> Remediation:
        return plan.make(
            self.id,
            store=self.store,
            control=self.cloud,
            inventory=self.inventory or self.cloud,
            book=self.book,
        )

    def approve(self) -> Remediation:
        plan_hash = self.now().plan_hash
        assert plan_hash is not None
        return remediation.approve(self.id, plan_hash, store=self.by("grace"), queue=self.queue)

    def approved(self, body: dict[str, Any], *names: str) -> Remediation:
        self.request(body, *names)
        self.plan()
        return self.approve()

    def rollback(self) -> Remediation:
        return remediation.rollback(self.id, store=self.by("grace"), queue=self.queue)

    def now(self) -> Remediation:
        return remediation.find(self.id, store=self.store)

    def events(self) -> list[Event]:
        name = remediation.KIND.stream(self.id)
        return list(stream.read(documents=self.store.documents, tenant=self.store.tenant, stream=name))

    def told(self) -> list[str]:
        return [event.type for event in self.events()]

    def apply(self, number: int = 1) -> float:
        return execution.apply(self.id, number, store=self.store, control=self.cloud)

    def verify(self, number: int = 1) -> float:
        return execution.verify(self.id, number, store=self.store, control=self.cloud, judge=self.judge)

    def restore(self, number: int = 1) -> float:
        return execution.restore(self.id, number, store=self.store, control=self.cloud, judge=self.judge)

    def finish(self) -> Remediation:
        return remediation.finish(self.id, store=self.store, book=self.book)

    def step(self) -> str:
        """Do what the record says is next, as the workflow does; what was done."""
        ahead = remediation.ahead(remediation.look(self.id, store=self.store), store=self.store)
        steps: dict[str, Callable[[], Any]] = {
            "plan": self.plan,
            "apply": partial(self.apply, ahead["item"]),
            "verify": partial(self.verify, ahead["item"]),
            "restore": partial(self.restore, ahead["item"]),
            "finish": self.finish,
        }
        if ahead["do"] in steps:
            steps[ahead["do"]]()
        return str(ahead["do"])

    def run(self, most: int = 100) -> Remediation:
        """Go on until there is nothing to do or somebody has to decide."""
        for _ in range(most):
            if self.step() in {"end", "wait"}:
                return self.now()
        raise AssertionError(f"still at it after {most} steps: {self.told()}")


class Killed(BaseException):
    """The process dies here: nothing below a door may catch it."""


def throw(error: BaseException | CortexError) -> Callable[[str, str], None]:
    """A fault for the first write that comes by; later ones pass."""
    waiting = [error]

    def fault(_method: str, _resource_id: str) -> None:
        if waiting:
            raise waiting.pop()

    return fault


class Counting:
    """Documents that meet a boundary before and after each append to a remediation's stream."""

    def __init__(self, documents: Documents, boundary: Callable[[], None]) -> None:
        self._documents, self._boundary = documents, boundary

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, Body]) -> None:
        ours = group.startswith("remediation:")
        if ours:
            self._boundary()
        self._documents.create_all(tenant=tenant, kind=kind, group=group, items=items)
        if ours:
            self._boundary()


def died(world: World, at: int) -> bool:
    """Run until the n-th boundary, around each append and each write, and die there; whether there was one."""
    alive, left = world.store, [at]

    def boundary(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    documents: Any = Counting(alive.documents, boundary)
    world.store = replace(alive, documents=documents)
    world.cloud.before = world.cloud.after = boundary
    try:
        world.run()
    except Killed:
        return True
    finally:
        world.store = alive
        world.cloud.before = world.cloud.after = lambda _method, _id: None
    return False

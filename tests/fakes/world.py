"""A tenant with a small cloud, judged: what the tests of remediations act in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from shared.domain.error import CortexError
from shared.domain.event import Recorded
from shared.domain.finding import Finding
from shared.domain.item import RemediationItem
from shared.domain.item_step import ItemAction, item_action
from shared.domain.plan import PlanItem
from shared.domain.remediation import Remediation, RemediationRequest, RemediationStatus
from shared.domain.remediation_event import RemediationEvent
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.ports.documents import DocumentBody, Documents
from shared.ports.queue import Queue
from shared.services import finding
from shared.services.estate import judgement
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies
from shared.services.remediation import approval, ending, execution, plan, progress, query, record, request, rollback
from tests.fakes.assignment import BASELINE, id_of
from tests.fakes.caller import caller
from tests.fakes.catalog import FixingCatalog
from tests.fakes.cloud import MemoryCloud
from tests.fakes.interruption import Killed

REMEDIATION = "r1"


@dataclass
class World:
    """`store` acts for ada, who asks; grace approves. `cloud` is `Control`, and `Inventory` where that is not given."""

    store: Store
    queue: Queue
    cloud: Any = field(default_factory=MemoryCloud)
    policies: EffectivePolicies = field(default_factory=lambda: effective_policy.packaged(FixingCatalog()))
    id: str = REMEDIATION
    inventory: Any = None

    def by(self, name: str) -> Store:
        return replace(self.store, caller=caller(name, self.store.tenant), correlation="c2")

    def put(self, *bodies: dict[str, Any]) -> None:
        """Resources as they are, judged."""
        self.cloud.put(*bodies)
        for body in bodies:
            self.judge(body["id"])

    def judge(self, resource_id: str) -> Any:
        return judgement.judge_resource(
            resource_id, store=self.store, inventory=self.inventory or self.cloud, policies=self.policies
        )

    def finding(self, body: dict[str, Any], name: str, assignment: str = BASELINE) -> Finding:
        identity = id_of(body["id"], name, assignment)
        found = self.store.documents.get(tenant=self.store.tenant, kind=finding.KIND, id=identity)
        assert found is not None, f"no finding {identity}"
        return Finding.model_validate(found.body)

    def request(self, body: dict[str, Any], *names: str, more: tuple[str, ...] = ()) -> Remediation:
        ids = (*(self.finding(body, name).id for name in names), *more)
        return request.request(self.id, RemediationRequest(findings=ids), store=self.store, queue=self.queue)

    def plan_batch(self) -> Remediation:
        return plan.make(
            self.id,
            store=self.store,
            control=self.cloud,
            inventory=self.inventory or self.cloud,
            policies=self.policies,
        )

    def plan(self) -> Remediation:
        """Plan one batch after another, until the plan is made or has to wait."""
        known = self.plan_batch()
        while known.status == RemediationStatus.PLANNING and known.waiting_until is None:
            known = self.plan_batch()
        return known

    def planned(self) -> list[PlanItem]:
        """What is planned for each item."""
        return [plan.load_item(each, store=self.store) for each in self.items()]

    def approve(self) -> Remediation:
        plan_hash = self.now().plan_hash
        assert plan_hash is not None
        return approval.approve(self.id, plan_hash, store=self.by("grace"), queue=self.queue)

    def approved(self, body: dict[str, Any], *names: str) -> Remediation:
        self.request(body, *names)
        self.plan()
        return self.approve()

    def rollback(self) -> Remediation:
        """Ada asks for a rollback, grace approves it."""
        rollback.request(self.id, store=self.store, queue=self.queue)
        return rollback.approve(self.id, store=self.by("grace"), queue=self.queue)

    def now(self) -> Remediation:
        return record.find(self.id, store=self.store)

    def item(self, number: int = 1) -> RemediationItem:
        found = record.find_item(self.id, number, store=self.store)
        assert found is not None, f"no item {number}"
        return found

    def items(self) -> list[RemediationItem]:
        known = self.now()
        return [query.shown(self.item(number), known) for number in range(1, known.item_count + 1)]

    def outcomes(self) -> list[str]:
        return [str(each.outcome) for each in self.items()]

    def events(self) -> list[Recorded[RemediationEvent]]:
        return list(stream.read(record.STREAM, self.id, store=self.store))

    def event_types(self) -> list[str]:
        return [each.event.type for each in self.events()]

    def item_event_types(self, number: int = 1) -> list[str]:
        """The events of an item."""
        name = self.item(number).id
        return [each.event.type for each in stream.read(record.ITEM_STREAM, name, store=self.store)]

    def executor(self, judge: execution.Judge | None = None) -> execution.Executor:
        known = record.begin(self.now(), self.store)
        until = self.store.now() + execution.STEP_DURATION
        return execution.Executor(
            known, self.store, self.cloud, self.policies, judge or self.judge, until, self.items()
        )

    def apply(self, number: int = 1) -> float:
        return self._act(ItemAction.APPLY, number)

    def verify(self, number: int = 1, judge: execution.Judge | None = None) -> float:
        return self._act(ItemAction.VERIFY, number, judge)

    def restore(self, number: int = 1) -> float:
        self._act(ItemAction.ROLL_BACK, number)
        return self._act(ItemAction.RESTORE, number)

    def _act(self, action: ItemAction, number: int, judge: execution.Judge | None = None) -> float:
        """Do this for an item if it needs it next; how many seconds it waits then, in tenths: the clock goes on."""
        executor, item = self.executor(judge), self.item(number)
        if item_action(executor.remediation, item, self.store.now()) == action:
            executor.act(item)
        until = self.item(number).waiting_until
        return round((until - self.store.now()).total_seconds(), 1) if until else 0.0

    def execute(self) -> Remediation:
        return execution.execute(
            self.id, store=self.store, control=self.cloud, policies=self.policies, judge=self.judge
        )

    def finish(self) -> Remediation:
        return ending.finish(self.id, store=self.store, policies=self.policies)

    def step(self) -> str:
        """Do what the record says is next, as the workflow does; what was done."""
        ahead = progress.ahead(approval.look(self.id, store=self.store), store=self.store)
        steps: dict[str, Callable[[], Any]] = {
            "plan": self.plan_batch,
            "execute": self.execute,
            "finish": self.finish,
        }
        if ahead["do"] in steps:
            steps[ahead["do"]]()
        elif ahead["do"] == "wait" and self.now().status != RemediationStatus.AWAITING_APPROVAL:
            self.sleep(ahead["wait"])
            return "slept"
        return str(ahead["do"])

    def sleep(self, seconds: float) -> None:
        """Let the clock of the tests go on."""
        clock: Any = self.store.now
        clock.at += timedelta(seconds=seconds)

    def run(self, most: int = 100) -> Remediation:
        """Go on until there is nothing to do or somebody has to decide."""
        for _ in range(most):
            if self.step() in {"end", "wait"}:
                return self.now()
        raise AssertionError(f"still at it after {most} steps: {self.event_types()}")


def throw(error: BaseException | CortexError) -> Callable[[str, str], None]:
    """A fault for the first write that comes by; later ones pass."""
    waiting = [error]

    def fault(_method: str, _resource_id: str) -> None:
        if waiting:
            raise waiting.pop()

    return fault


class Counting:
    """Documents that meet a boundary before and after each append to the streams of a remediation and its items."""

    def __init__(self, documents: Documents, boundary: Callable[[], None]) -> None:
        self._documents, self._boundary = documents, boundary

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)

    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, DocumentBody]) -> None:
        ours = group.startswith(("remediation:", "remediation-item:"))
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

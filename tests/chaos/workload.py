"""What people do all at once: scans, imports, fixes, exemptions, changes in the cloud. Each act is remembered."""

import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from local import estate
from tests.chaos.client import Client
from tests.fakes.product import Json, Product

ACCEPTED = 202
LOCATION = "westeurope"


@dataclass(frozen=True, slots=True)
class Upload:
    """An import as its sender knows it: the ids it held, and how many records could not be taken."""

    subscription: str
    ids: frozenset[str]
    refused: int


@dataclass(slots=True)
class Account:
    """What was asked for and accepted, by id."""

    scans: dict[str, Json] = field(default_factory=dict)
    imports: dict[str, Upload] = field(default_factory=dict)
    remediations: dict[str, Json] = field(default_factory=dict)
    exemptions: dict[str, Json] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    rolled_back: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


class Workload:
    """Threads that act until they are stopped, each with random numbers of its own from the seed."""

    def __init__(self, product: Product, seed: int, account: Account) -> None:
        self._product = product
        self._seed = seed
        self.account = account
        self._stop = threading.Event()
        self._used: set[str] = set()
        self._lock = threading.Lock()
        acts = (self._scan, self._scan, self._import, self._import, self._fix, self._fix, self._exempt, self._change)
        self._threads = [
            threading.Thread(target=self._repeat, args=(act, Random(f"{seed}/{number}")), name=act.__name__)  # noqa: S311
            for number, act in enumerate(acts)
        ]

    def start(self) -> None:
        """Begin to act."""
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """Act no more; what is being asked is asked to its end."""
        self._stop.set()
        for each in self._threads:
            each.join()

    def _repeat(self, act: Callable[[Client, Client, Random], None], chance: Random) -> None:
        operator = Client(self._product.url, "operator", self.account.answers)
        approver = Client(self._product.url, "approver", self.account.answers)
        while not self._stop.wait(chance.uniform(0.05, 1.5)):
            try:
                act(operator, approver, chance)
            except Exception as error:  # noqa: BLE001 - reported at the end, with all others
                self.account.broken.append(f"{act.__name__}: {error!r}")
        operator.close()
        approver.close()

    def _scan(self, operator: Client, _: Client, chance: Random) -> None:
        answer = operator.post("/scans", {})
        if answer.status_code != ACCEPTED:
            return
        scan = answer.json()
        self.account.scans[scan["id"]] = scan
        if chance.random() < 0.2:
            self._stop.wait(chance.uniform(0, 1))
            if operator.post(f"/scans/{scan['id']}/cancel").status_code == ACCEPTED:
                self.account.cancelled.add(scan["id"])

    def _import(self, operator: Client, _: Client, chance: Random) -> None:
        subscription = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        lines = list(_records(subscription, chance))
        ids = frozenset(each["id"].lower() for each in lines if "id" in each)
        refused = len(lines) - len(ids)
        content = "\n".join(map(json.dumps, lines)).encode()
        answer = operator.post(f"/imports?name={subscription}.jsonl", content=content)
        if answer.status_code == ACCEPTED:
            self.account.imports[answer.json()["id"]] = Upload(subscription, ids, refused)

    def _fix(self, operator: Client, approver: Client, chance: Random) -> None:
        findings = self._fixable(operator, chance)
        if not findings:
            return
        answer = operator.post("/remediations", {"findings": [each["id"] for each in findings]})
        if answer.status_code != ACCEPTED:
            return
        asked = answer.json()
        self.account.remediations[asked["id"]] = {"resources": [each["resourceId"] for each in findings]}
        path = f"/remediations/{asked['id']}"
        now = self._awaited(operator, path, lambda each: each["status"] not in {"requested", "planning"})
        if not now or now["status"] != "awaitingApproval":
            return
        if chance.random() < 0.15:
            operator.post(f"{path}/cancel")
            return
        approver.post(f"{path}/approve", {"planHash": now["planHash"]})
        now = self._awaited(operator, path, lambda each: each.get("endedAt"))
        undo = now is not None and now["status"] == "succeeded" and chance.random() < 0.5
        if undo and operator.post(f"{path}/rollback").status_code == ACCEPTED:
            approver.post(f"{path}/rollback/approve")
            self.account.rolled_back.add(asked["id"])

    def _exempt(self, operator: Client, approver: Client, chance: Random) -> None:
        open_ones = operator.get("/findings", open=True, limit=50).get("items", [])
        if not open_ones:
            return
        found = chance.choice(open_ones)
        ends = datetime.now(UTC) + timedelta(seconds=chance.choice((5, 86_400)))
        body = {
            "scope": found["resourceId"],
            "assignment": found["assignment"],
            "references": [found["reference"]],
            "category": "Waiver",
            "reason": "accepted while everything is being disturbed",
            "owner": "chaos-team",
            "expiresAt": ends.isoformat(),
        }
        answer = operator.post("/exemptions", body)
        if answer.status_code != ACCEPTED:
            return
        made = answer.json()
        approver.post(f"/exemptions/{made['id']}/approve")
        self.account.exemptions[made["id"]] = {**body, "finding": found["id"]}
        if chance.random() < 0.4:
            self._stop.wait(chance.uniform(0, 2))
            approver.post(f"/exemptions/{made['id']}/revoke")

    def _change(self, _operator: Client, _: Client, chance: Random) -> None:
        with suppress(Exception):  # the cloud may be down just now
            self._product.cloud.call("POST", "/admin/drift", {"steps": chance.randint(1, 3)})

    def _fixable(self, operator: Client, chance: Random) -> list[Json]:
        """One to three findings with a fix, on resources that nobody here has fixed."""
        found = operator.get("/findings", open=True, state="nonCompliant", limit=200).get("items", [])
        with self._lock:
            left = {each["resourceId"]: each for each in found if each["remediable"]}
            free = [each for resource, each in left.items() if resource not in self._used]
            chosen = chance.sample(free, min(len(free), chance.randint(1, 3)))
            self._used.update(each["resourceId"] for each in chosen)
        return chosen

    def _awaited(self, operator: Client, path: str, reached: Callable[[Json], Any]) -> Json | None:
        """The record when it got there; None when everything stopped before."""
        while not self._stop.wait(0.2):
            now = operator.get(path)
            if reached(now):
                return now
        return None


def _records(subscription: str, chance: Random) -> Iterator[Json]:
    """Lines of an export: resources of a subscription of its own, with some that are no resources and some twice."""
    seed, count = chance.randint(1, 1 << 30), chance.choice((10, 40, 200))
    group = f"/subscriptions/{subscription}/resourceGroups/chaos"
    kept: list[Json] = []
    for number, body in enumerate(estate.resources(seed=seed, count=count)):
        if "/providers/" not in body["id"] or not body["id"].startswith("/subscriptions/"):
            continue
        kind = body["id"].rpartition("/providers/")[2].split("/")
        moved = {**body, "id": f"{group}/providers/{'/'.join(kind)}", "location": LOCATION}
        moved["id"] = f"{group}{number}/providers/{'/'.join(kind)}"
        kept.append(moved)
        yield moved
        if number % 97 == 0:
            yield {"name": "it has no id"}
        if number % 89 == 0:
            yield chance.choice(kept)

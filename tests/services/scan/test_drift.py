"""A drifting estate: after each scan of changes, the state is that of a full scan with an empty store."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Sandbox, sandbox
from shared.adapters.azure.arm import ArmConnection, StaticToken
from shared.adapters.azure.inventory import ArmInventory
from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.queue import SqliteQueue
from shared.bootstrap import catalog
from shared.domain.scan import Scan, ScanRequest, ScanStatus
from shared.domain.scan_difference import ScanMode
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services import finding
from shared.services.estate import change, estate, resource
from shared.services.message import MessageBody
from shared.services.policy import effective_policy
from tests.fakes import scan_run
from tests.fakes.caller import caller
from tests.fakes.clock import TENANT, Clock
from tests.fakes.sandbox import Http
from tests.fakes.summary import summary_of

CATALOG = catalog()
POLICIES = effective_policy.packaged(CATALOG)
STORAGE = "Microsoft.Storage/storageAccounts"
STORAGE_VERSION = "2025-06-01"
SETTINGS_VERSION = "2021-05-01-preview"
GROUP = "microsoft.resources/subscriptions/resourcegroups"


def content(record: Mapping[str, Any]) -> dict[str, Any]:
    """What was read of a resource, in the columns that Resource Graph has, without times."""
    body = {name: value for name, value in resource.comparable(record).items() if name not in {"systemData", "etag"}}
    related = {kind: [content(each) for each in found] for kind, found in (record.get("related") or {}).items()}
    return {"body": body, "unread": record.get("unread"), "related": related}


class Drift:
    """Random writes to a sandbox cloud, as people and pipelines make them."""

    def __init__(self, cloud: Sandbox, seed: int) -> None:
        self.cloud, self.http, self.chance, self.number = cloud, Http(cloud), random.Random(seed), 0  # noqa: S311 - not a secret

    def account(self) -> str:
        return self.chance.choice(self.cloud.ids(STORAGE))

    def body(self, name: str) -> dict[str, Any]:
        stored = self.cloud.read(name) or {}
        return {each: stored[each] for each in ("location", "tags", "sku", "kind", "properties") if each in stored}

    def create(self) -> None:
        self.number += 1
        some = self.account()
        self.http("PUT", f"{some[:-4]}{self.number:04}", self.body(some), version=STORAGE_VERSION)

    def change_property(self) -> None:
        body = {"properties": {"supportsHttpsTrafficOnly": self.chance.random() < 0.5}}
        self.http("PATCH", self.account(), body, version=STORAGE_VERSION)

    def rename_tag(self) -> None:
        body = {"tags": {self.chance.choice(("owner", "Owner", "team")): f"t{self.chance.randrange(3)}"}}
        self.http("PATCH", self.account(), body, version=STORAGE_VERSION)

    def tag_group(self) -> None:
        group = self.chance.choice(self.cloud.ids(GROUP))
        self.http("PATCH", group, {"tags": {"owner": f"t{self.chance.randrange(3)}"}})

    def change_child(self) -> None:
        body = {"properties": {"isVersioningEnabled": self.chance.random() < 0.5}}
        self.http("PUT", f"{self.account()}/blobServices/default", body, version=STORAGE_VERSION)

    def change_extension(self) -> None:
        vault = self.chance.choice([*self.cloud.ids("Microsoft.KeyVault/vaults"), "/vaults/none"])
        setting = f"{vault}/providers/Microsoft.Insights/diagnosticSettings/audit"
        if self.chance.random() < 0.5:
            self.http("DELETE", setting, version=SETTINGS_VERSION)
        else:
            logs = [{"category": "AuditEvent", "enabled": self.chance.random() < 0.5}]
            self.http("PUT", setting, {"properties": {"logs": logs}}, version=SETTINGS_VERSION)

    def delete(self) -> None:
        self.http("DELETE", self.account(), version=STORAGE_VERSION)

    def move(self) -> None:
        """Move an account to another group of its subscription: there it has another id."""
        old = self.account()
        group = self.chance.choice([each for each in self.cloud.ids(GROUP) if each.split("/")[2] == old.split("/")[2]])
        body = self.body(old)
        self.http("DELETE", old, version=STORAGE_VERSION)
        self.http("PUT", f"{group}/providers/{STORAGE}/{old.rpartition('/')[2]}", body, version=STORAGE_VERSION)

    def delete_group(self) -> None:
        if self.chance.random() < 0.3:
            self.http("DELETE", self.chance.choice(self.cloud.ids(GROUP)))

    def go_on(self) -> None:
        deeds = (
            self.create, self.change_property, self.rename_tag, self.tag_group, self.change_child,
            self.change_extension, self.delete, self.move, self.delete_group,
        )  # fmt: skip
        for _ in range(self.chance.randrange(4, 12)):
            self.chance.choice(deeds)()
        self.cloud.drift(self.chance.randrange(3))


class Tenant:
    """A store that is filled from the cloud by scans and change events."""

    def __init__(self, store: Store, queue: SqliteQueue, cloud: Sandbox) -> None:
        connection = ArmConnection(TENANT, cloud.url, StaticToken(cloud.token))
        types = CATALOG.resource_types()
        self.store, self.queue, self.number = store, queue, 0
        self.inventory = ArmInventory(connection, resource_types=types, now=store.now, sleep=lambda _: None)

    def scan(self, mode: ScanMode = ScanMode.CHANGES) -> Scan:
        self.number += 1
        asked = ScanRequest(mode=mode)
        return scan_run.run(f"s{self.number}", self.store, self.queue, self.inventory, POLICIES, asked)

    def hear(self, writes: list[dict[str, Any]]) -> None:
        """Take what was written as change events, and judge what they name."""
        change.take([{"data": {"resourceUri": each["id"]}} for each in writes], store=self.store, queue=self.queue)
        while found := self.queue.receive(change.QUEUE):
            for each in found:
                named = MessageBody.model_validate_json(each.body).id
                change.judge(named, store=self.store, inventory=self.inventory, policies=POLICIES)
                self.queue.delete(change.QUEUE, each)

    def state(self) -> dict[str, Any]:
        """All that a scan comes to, without the times at which it did."""
        live = list(resource.stored(Query(equals={"gone": False}), self.store))
        found = summary_of(self.store)
        assert found
        return {
            "resources": {row["resourceId"].lower(): content(row["record"]) for _, row in live},
            "findings": {
                body["id"]: body["state"] for body in finding.stored(Query(equals={"open": True}), self.store)
            },
            "counts": {
                each.subscription: (each.resources, each.counts, each.owners) for each in estate.every(self.store)
            },
            "total": (found.resources, found.open_by_severity, found.score),
        }


@contextmanager
def tenant(folder: Path, cloud: Sandbox, clock: Clock) -> Iterator[Tenant]:
    folder.mkdir()
    with (
        SqliteDocuments(folder / "d.db", indexes=INDEXES) as documents,
        SqliteQueue(folder / "q.db", now=clock) as queue,
    ):
        made = Tenant(Store(documents, FileBlobs(folder / "blobs"), clock, caller(), "c1"), queue, cloud)
        yield made
        made.inventory.close()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_a_scan_of_changes_comes_to_the_state_of_a_full_one(tmp_path: Path, seed: int) -> None:
    clock = Clock()
    with (
        sandbox(tmp_path / "cloud.db", resources=60, seed=10 + seed, clock=clock) as cloud,
        tenant(tmp_path / "kept", cloud, clock) as kept,
    ):
        drift = Drift(cloud, seed)
        assert kept.scan().status == ScanStatus.COMPLETED
        for number in range(4):
            before = len(cloud.writes())
            drift.go_on()
            if number % 2:  # nothing tells of children: within three days each of them has been read again
                clock.at += timedelta(days=3)
            else:
                kept.hear(cloud.writes(before))
                clock.at += timedelta(hours=1)
            kept.scan()
            with tenant(tmp_path / f"fresh{number}", cloud, clock) as fresh:
                fresh.scan()
                assert kept.state() == fresh.state(), f"after step {number}"
        assert kept.scan(ScanMode.VERIFICATION).differences == ()

"""The host is killed in the middle of a remediation, again and again: nothing is lost, nothing is done twice."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from local.cloud.server import Sandbox, sandbox
from shared import bootstrap
from shared.domain.remediation import ACTIVE, Remediation, RemediationRequest, RemediationStatus
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services import finding
from shared.services.policy import effective_policy
from shared.services.remediation import approval, progress, record, request
from shared.settings import Settings
from tests.fakes import scan_run
from tests.fakes.caller import caller

ROOT = Path(__file__).parents[2]
KILLS = 2
TIMEOUT_SECONDS = 90.0
ID = "r1"


@dataclass
class Survivor:
    """A scanned tenant in a sandbox cloud, and a host that can be killed."""

    settings: Settings
    ports: bootstrap.Ports
    cloud: Sandbox
    log: Path
    host: "subprocess.Popen[bytes] | None" = None

    def store(self, name: str) -> Store:
        return Store(
            documents=self.ports.documents,
            blobs=self.ports.blobs,
            now=self.ports.now,
            caller=caller(name, self.settings.tenant),
            correlation="c1",
        )

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {
            "PATH": os.environ["PATH"],
            "CORTEX_STATE": str(self.settings.state),
            "CORTEX_CLOUD_ENDPOINT": self.cloud.url,
            "CORTEX_CLOUD_TOKEN": self.cloud.token,
            "CORTEX_SCAN_SCHEDULE": self.settings.scan_schedule,
        }
        with self.log.open("ab") as log:
            self.host = subprocess.Popen(
                [sys.executable, "-m", "local.host", "--port", str(port)],
                cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        if self.host is not None:
            os.killpg(self.host.pid, signal.SIGKILL)
            self.host.wait()
            self.host = None

    def now(self) -> Remediation:
        return record.find(ID, store=self.store("ada"))

    def until(self, condition: Callable[[Remediation], bool]) -> Remediation:
        """Wait for the record, which the host writes, to be as wanted."""
        pause, end = threading.Event(), time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < end:
            known = self.now()
            if condition(known):
                return known
            pause.wait(0.02)
        raise AssertionError(f"{self.now().status} after {TIMEOUT_SECONDS} s\n{self.log.read_text()[-3000:]}")

    def scan(self) -> None:
        store, inventory, policies = (
            self.store("ada"),
            self.ports.inventory,
            effective_policy.packaged(self.ports.catalog),
        )
        scan_run.run("s1", store, self.ports.queue, inventory, policies)

    def fixable(self, most: int) -> tuple[str, ...]:
        """Open findings with a fix, each on a resource of its own that no lock protects."""
        query = Query(equals={"open": True, "remediable": True, "effect": ("audit", "modify")})
        page = self.ports.documents.query(tenant=self.settings.tenant, kind=finding.KIND, query=query, limit=1000)
        locked = tuple(each.partition(f"/providers/{LOCKS}")[0].lower() for each in self.cloud.ids(LOCKS))
        found = {each.body["resourceId"].lower(): each.id for each in page.items}
        free = [identity for resource_id, identity in found.items() if not resource_id.startswith(locked)]
        assert len(free) >= most, "the estate has that many"
        return tuple(free[:most])


@pytest.fixture
def survivor(tmp_path: Path) -> Iterator[Survivor]:
    with sandbox(tmp_path / "cloud.db", resources=300, seed=7) as cloud:
        token = SecretStr(cloud.token)
        settings = Settings(state=tmp_path / "state", cloud_endpoint=cloud.url, cloud_token=token, tenant="local")
        with bootstrap.build(settings) as ports:
            made = Survivor(settings, ports, cloud, tmp_path / "host.log")
            made.scan()
            made.start()
            yield made
            made.kill()


LOCKS = "Microsoft.Authorization/locks"


def done(survivor: Survivor) -> int:
    """How many items are done, which the remediation records after each batch only."""
    return progress.counts(survivor.now(), store=survivor.store("ada")).get("done", 0)


@pytest.mark.host
def test_a_remediation_survives_every_kill_of_the_host(survivor: Survivor) -> None:
    chance = random.Random(7)  # noqa: S311 - when to kill, the same every time
    before = len(survivor.cloud.writes())
    asked = RemediationRequest(findings=survivor.fixable(KILLS * 4 + 2))
    request.request(ID, asked, store=survivor.store("ada"), queue=survivor.ports.queue)
    planned = survivor.until(lambda known: known.status == RemediationStatus.AWAITING_APPROVAL)
    approval.approve(ID, planned.plan_hash or "", store=survivor.store("grace"), queue=survivor.ports.queue)
    for _ in range(KILLS):
        reached = done(survivor) + chance.randint(1, 4)
        known = survivor.until(lambda _, reached=reached: done(survivor) >= reached)  # type: ignore[misc]
        assert known.status in ACTIVE, "killed in the middle"
        survivor.kill()
        survivor.start()
    ended = survivor.until(lambda known: known.status not in ACTIVE)
    assert ended.status == RemediationStatus.SUCCEEDED
    assert ended.counts == {"done": KILLS * 4 + 2}
    assert len(survivor.cloud.writes()) == before + KILLS * 4 + 2

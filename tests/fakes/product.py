"""The product as processes: a sandbox cloud and a local host on free ports, one state folder, and what tests ask."""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx2

from cli.run import run_reconcilers
from shared.adapters.azure.documents import CosmosDocuments
from shared.adapters.index import INDEXES
from shared.adapters.local.documents import SqliteDocuments
from shared.adapters.local.identity import SignedTokens
from shared.domain.identity import Role
from shared.ports.documents import Query
from tests.fakes import event

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests alone, and of nothing else: as long as a real one"
TENANT = "local"
PEOPLE = {"operator": "olga", "approver": "ada", "reader": "ruth", "sender": "sandbox-cloud"}
TIMEOUT_SECONDS = 90.0
POLL_SECONDS = 0.01
RESOURCES = 120
LOWEST_PORT = 20_000
STORAGE_VERSION = "2023-05-01"
SUBSCRIPTIONS = {"api-version": "2022-12-01"}

Json = dict[str, Any]


def free_port() -> int:
    """A free port that no outgoing connection is given, so that a process that was killed finds it free again."""
    while True:
        port = LOWEST_PORT + secrets.randbelow(_first_ephemeral_port() - LOWEST_PORT)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def _first_ephemeral_port() -> int:
    """Where the ports of outgoing connections begin."""
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    except FileNotFoundError:  # not Linux: IANA's range
        return 49_152
    return int(text.split()[0])


def free_ports() -> int:
    """The first of two free ports in a row: the host takes one, its sandbox cloud the next."""
    while True:
        port = free_port()
        with socket.socket() as following, contextlib.suppress(OSError, OverflowError):
            following.bind(("127.0.0.1", port + 1))
            return port


def mint(role: str, name: str | None = None) -> str:
    tokens = SignedTokens(SECRET, lambda: datetime.now(UTC))
    return tokens.mint(name or PEOPLE[role], [Role(role)], TENANT, timedelta(hours=1))


def until[T](look: Callable[[], T], true: Callable[[T], Any], seconds: float = TIMEOUT_SECONDS) -> T:
    """What `look` sees as soon as it is as expected; fails with the last look when that takes too long."""
    deadline = time.monotonic() + seconds
    while not true(seen := look()):
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still {seen}"
        time.sleep(POLL_SECONDS)
    return seen


def end(process: subprocess.Popen[Any] | None, number: int = signal.SIGKILL) -> int | None:
    """Send a signal, wait for the end; the exit code."""
    if process is None or process.poll() is not None:
        return None
    process.send_signal(number)
    return process.wait(TIMEOUT_SECONDS)


def end_group(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Cloud:
    """A sandbox cloud in a process of its own, at the same address however often it is started."""

    def __init__(self, state: Path, *, resources: int = RESOURCES, events: str | None = None) -> None:
        self._state = state
        self._resources = resources
        self._events = events
        self._port = free_port()
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.token = ""
        self._http = httpx2.Client()

    def start(self) -> None:
        command = [sys.executable, "-m", "local.cloud", "--port", str(self._port), "--resources", str(self._resources)]
        command += [
            "--state",
            str(self._state / "cloud.db"),
            "--json",
            "--operation-seconds",
            "0",
            "--exit-with-parent",
        ]
        command += ["--events", self._events] if self._events else []
        env = {**os.environ, "CORTEX_EVENTS_TOKEN": mint("sender")}
        with (self._state / "cloud.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8"
            )
        assert self.process.stdout
        started = json.loads(self.process.stdout.readline())
        self.url, self.token = started["url"], started["token"]

    def kill(self) -> None:
        end(self.process)
        if self.process and self.process.stdout:
            self.process.stdout.close()

    def close(self) -> None:
        self.kill()
        self._http.close()

    def try_call(self, method: str, path: str, body: Any = None, **query: str) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return self._http.request(method, self.url + path, json=body, params=query or None, headers=headers, timeout=30)

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        answer = self.try_call(method, path, body, **query)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def fault(self, kind: str, **match: Any) -> str:
        return str(self.call("POST", "/admin/faults", {"kind": kind, **match})["id"])

    def met(self, fault: str) -> int:
        """How many requests a fault has met."""
        return sum(each["injected"] for each in self.call("GET", "/admin/faults")["value"] if each["id"] == fault)

    def calm(self) -> None:
        self.call("DELETE", "/admin/faults")

    def writes(self, after: int = 0) -> list[Json]:
        found: list[Json] = self.call("GET", "/admin/writes", after=str(after), top="10000")["value"]
        return found

    def undelivered(self) -> int:
        """How many writes have not reached a webhook yet."""
        with contextlib.closing(sqlite3.connect(f"file:{self._state / 'cloud.db'}?mode=ro", uri=True)) as store:
            found = store.execute("SELECT value FROM fact WHERE name = 'delivered'").fetchone()
        return len(self.writes(int(found[0]) if found else 0))

    def last(self) -> int:
        """The sequence number of the last write."""
        return max((each["sequence"] for each in self.writes()), default=0)

    def read(self, resource_id: str, api_version: str) -> Json:
        found: Json = self.call("GET", resource_id, **{"api-version": api_version})
        return found

    def patch(self, resource_id: str, body: Json, api_version: str) -> None:
        self.call("PATCH", resource_id, body, **{"api-version": api_version})

    @contextlib.contextmanager
    def held(self, seconds: float = 4.0, **match: Any) -> Iterator[Callable[[], int]]:
        """The next request that matches is answered `seconds` later; the block gets a wait for its arrival."""
        fault = self.fault("slow", delay=seconds, times=1, **match)
        try:
            yield lambda: until(lambda: self.met(fault), bool)
        finally:
            with contextlib.suppress(AssertionError):  # a cloud that was started again has forgotten it
                self.call("DELETE", f"/admin/faults/{fault}")


class Product:
    """The host over a state folder, with a cloud of its own or the one that is given."""

    def __init__(self, state: Path, *, resources: int = RESOURCES, cloud: Cloud | None = None) -> None:
        self.state = state
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._own = cloud is None
        self.cloud = cloud or Cloud(state, resources=resources, events=f"{self.url}/api/v1/changes")
        self._http = httpx2.Client(base_url=f"{self.url}/api/v1", timeout=30)
        self._bearers = {role: f"Bearer {mint(role)}" for role in PEOPLE}
        self.app = ROOT
        self.home = ROOT
        self._leave()
        self.process: subprocess.Popen[bytes] | None = None

    def impatient(self) -> Self:
        """With the same app, whose queues give a failed message to the next try at once."""
        self.app = self.state / "app"
        self.app.mkdir()
        (self.app / "function_app.py").symlink_to(ROOT / "function_app.py")
        settings = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
        settings["extensions"]["queues"]["visibilityTimeout"] = "00:00:00"
        (self.app / "host.json").write_text(json.dumps(settings), encoding="utf-8")
        return self

    def _leave(self) -> None:
        """What `cortex run` leaves in the state folder for the other commands."""
        (self.state / "secret").write_text(SECRET, encoding="utf-8")
        tokens = {role: mint(role) for role in ("operator", "approver")}
        (self.state / "local.json").write_text(json.dumps({"address": self.url, **tokens}), encoding="utf-8")

    def __enter__(self) -> Self:
        try:
            if self._own:
                self.cloud.start()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_raised: object) -> None:
        self.kill()
        if self._own:
            self.cloud.close()
        self._http.close()

    @property
    def env(self) -> dict[str, str]:
        """The environment of the host, and of whoever talks to it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CORTEX_")}
        given = {
            "CORTEX_STATE": str(self.state),
            "CORTEX_TENANT": TENANT,
            "CORTEX_LOCAL_TOKEN_SECRET": SECRET,
            "CORTEX_SCAN_SCHEDULE": "0 0 2 * * *",
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "CORTEX_CLOUD_ENDPOINT": self.cloud.url,
            "CORTEX_CLOUD_TOKEN": self.cloud.token,
        }
        return kept | given

    @property
    def command(self) -> list[str]:
        """What starts the host."""
        command = [sys.executable, "-m", "local.host", "--port", str(self.port), "--state", str(self.state), "--json"]
        return [*command, "--app", str(self.app)]

    def start(self) -> None:
        """Start the host and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.home, env=self.env, stdout=log, stderr=log)
        until(self._answers, bool)
        run_reconcilers(self.url)

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-2000:]
        with contextlib.suppress(httpx2.HTTPError):
            return self._http.get("/health").is_success
        return False

    def kill(self) -> None:
        end(self.process)

    def stop(self) -> int | None:
        """SIGTERM; the exit code."""
        return end(self.process, signal.SIGTERM)

    @property
    def log(self) -> Path:
        return self.state / "host.log"

    def ran(self, function: str) -> int:
        """How many invocations of a function have ended, since the first start."""
        return len(re.findall(f'"function": "{function}".*"outcome"', self.log.read_text(encoding="utf-8")))

    def call(
        self, method: str, path: str, body: Any = None, *, role: str = "operator", **query: Any
    ) -> httpx2.Response:
        headers = {"authorization": self._bearers[role]}
        headers |= {"idempotency-key": str(uuid.uuid4())} if method == "POST" else {}
        return self._http.request(method, path, json=body, params=query, headers=headers)

    def raw(self, method: str, path: str, content: bytes, *, role: str = "operator") -> httpx2.Response:
        """A call with a body of any bytes."""
        headers = {"authorization": self._bearers[role], "content-type": "application/json"}
        return self._http.request(method, path, content=content, headers=headers)

    def fire(self, function: str) -> None:
        """Run a timer's function now."""
        httpx2.post(f"{self.url}/admin/functions/{function}", json={}, timeout=60).raise_for_status()

    def get(self, path: str, **query: Any) -> Json:
        return self._json(self.call("GET", path, **query))

    def post(self, path: str, body: Any = None, *, role: str = "operator") -> Json:
        return self._json(self.call("POST", path, body or {}, role=role))

    def _json(self, answer: httpx2.Response) -> Json:
        """The body of a success; fails with what the host logged of the request."""
        if not answer.is_success:
            correlation = answer.headers.get("x-correlation-id", "no correlation id")
            lines = self.log.read_text(encoding="utf-8").splitlines()
            logged = "\n".join(each for each in lines if correlation in each)
            raise AssertionError(f"{answer.request.method} {answer.url}: {answer.status_code}: {answer.text}\n{logged}")
        found: Json = answer.json()
        return found

    def scan(self, body: Json | None = None) -> Json:
        """A whole scan; how it ended."""
        return self.ended(f"/scans/{self.post('/scans', body)['id']}")

    def ended(self, path: str) -> Json:
        """A scan, import or remediation, as soon as it has ended."""
        return until(lambda: self.get(path), lambda now: now.get("endedAt"))

    def findings(self, **query: Any) -> list[Json]:
        """All open findings that match."""
        asked = {"open": True, "order": "id", "limit": 200, **query}
        page = self.get("/findings", **asked)
        found: list[Json] = page["items"]
        while page["nextCursor"]:
            page = self.get("/findings", **asked, cursor=page["nextCursor"])
            found += page["items"]
        return found

    def fixable(self) -> list[Json]:
        """Findings that one PATCH fixes, each of another resource, and of none that was written to before."""
        touched = {each["id"] for each in self.cloud.writes()}
        there = {each["subscriptionId"] for each in self.cloud.call("GET", "/subscriptions", **SUBSCRIPTIONS)["value"]}
        found = [each for each in self.findings(state="nonCompliant") if _is_own(each)]
        left = [each for each in found if each["resourceId"] not in touched and each["subscription"] in there]
        return list({each["resource"]: each for each in reversed(left)}.values())

    def insecure(self) -> Json:
        """An open finding of `storage-secure-transfer`, made by a write in the cloud if the estate has none left."""
        (account,) = self.get("/resources", type="microsoft.storage/storageaccounts", gone="false", limit=1)["items"]
        self.cloud.patch(account["resourceId"], {"properties": {"supportsHttpsTrafficOnly": False}}, STORAGE_VERSION)
        asked = {"policy": "storage-secure-transfer", "resource": account["id"], "state": "nonCompliant"}
        return until(lambda: self.findings(**asked), bool)[0]

    def summary(self) -> Json:
        return comparable(self.get("/compliance/summary"))

    def plan(self, *findings: str) -> Json:
        """A remediation that waits for approval."""
        asked = self.post("/remediations", {"findings": list(findings)})
        return self.planned(asked["id"])

    def planned(self, remediation: str) -> Json:
        path = f"/remediations/{remediation}"
        return until(lambda: self.get(path), lambda now: now["status"] not in {"requested", "planning"})

    def items(self, remediation: str) -> list[Json]:
        """How each item of a remediation stands."""
        found: list[Json] = self.get(f"/remediations/{remediation}/items", limit=200)["items"]
        return found

    def approve(self, planned: Json) -> None:
        self.post(f"/remediations/{planned['id']}/approve", {"planHash": planned["planHash"]}, role="approver")

    def finished(self, remediation: str) -> Json:
        """How a remediation ended, approved where it waited for that."""
        planned = self.planned(remediation)
        if planned["status"] == "awaitingApproval":
            self.approve(planned)
        return self.ended(f"/remediations/{remediation}")

    def opened(self) -> SqliteDocuments | CosmosDocuments:
        """The documents of the product."""
        return SqliteDocuments(self.state / "documents.db", indexes=INDEXES)

    def documents(self, kind: str) -> dict[str, Json]:
        """All documents of a kind, without what differs between two runs that did the same: times and sequences."""
        found: dict[str, Json] = {}
        with self.opened() as documents:
            cursor: str | None = None
            while True:
                page = documents.query(tenant=TENANT, kind=kind, query=Query(), limit=1000, cursor=cursor)
                found |= {each.id: comparable(each.body) for each in page.items}
                cursor = page.cursor
                if cursor is None:
                    return found

    def facts(self, stream: str) -> list[str]:
        """The types of the events of a stream, in order."""
        with self.opened() as documents:
            return [each.event.type for each in event.recorded(documents, TENANT, stream)]


def _is_own(found: Json) -> bool:
    return bool(found["remediable"]) and not found["effect"].endswith("IfNotExists")


def comparable(value: Any) -> Any:
    """A body without times, sequence numbers and ids of scans."""
    if isinstance(value, Mapping):
        return {name: comparable(each) for name, each in value.items() if not _varies(name)}
    return [comparable(each) for each in value] if isinstance(value, list) else value


def _varies(name: str) -> bool:
    of_time = {"at", "asOf", "firstSeen", "rank"}  # a finding's rank holds when it was opened
    return name.endswith("At") or name in of_time | {"sequence", "scan", "lastScan", "correlation"}

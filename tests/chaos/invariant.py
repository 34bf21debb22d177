"""What must be true once everything is calm again: nothing lost, doubled, stuck or unexplained."""

import contextlib
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared import bootstrap
from shared.adapters.index import INDEXES
from shared.adapters.local.blobs import FileBlobs
from shared.adapters.local.documents import SqliteDocuments
from shared.domain.identity import Caller
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.services.policy import effective_policy
from tests.chaos.workload import Account
from tests.fakes.product import TENANT, Json, Product, until
from tests.fakes.rebuilt import rebuilt

PROJECTED = (
    "resource",
    "change",
    "finding",
    "estate",
    "scan",
    "scan-subscription",
    "import",
    "remediation",
    "exemption",
    "summary",
)
UNAPPROVED = {"awaitingApproval", "rejected", "cancelled"}
"""Where a remediation's items may wait for ever: nobody let them begin, or somebody stopped them."""
SERVER_ERROR = 500
UNAVAILABLE = 503
SCAN_SECONDS = 300.0
"""Seconds for one scan of all that was imported meanwhile."""
EXAMPLE_ITEMS = 3
"""Examples that are printed of each fault."""

Violation = tuple[str, str]
"""The kind of fault, and one case of it."""


def items(product: Product, remediation: str) -> Iterable[Json]:
    """The items of a remediation."""
    return listed(product, f"remediations/{remediation}/items").values()


def listed(product: Product, noun: str) -> dict[str, Json]:
    """All records of a kind, by id."""
    found: dict[str, Json] = {}
    cursor: str | None = None
    while True:
        page = product.get(f"/{noun}", limit=200, **({"cursor": cursor} if cursor else {}))
        found |= {each["id"]: each for each in page["items"]}
        cursor = page["nextCursor"]
        if cursor is None:
            return found


def unfinished(product: Product) -> list[str]:
    """What has not ended yet: records, and messages that wait."""
    records = [
        f"{noun} {name} {each['status']}"
        for noun in ("scans", "imports", "remediations")
        for name, each in listed(product, noun).items()
        if not each.get("endedAt") and each["status"] != "awaitingApproval"
    ]
    return records + [f"queue {name}: {number}" for name, number in queued(product).items()]


def queued(product: Product) -> dict[str, int]:
    """The messages that wait, by queue."""
    with contextlib.closing(sqlite3.connect(f"file:{product.state / 'queue.db'}?mode=ro", uri=True)) as store:
        return dict(store.execute("SELECT queue, count(*) FROM messages GROUP BY queue"))


def of_answers(account: Account) -> Iterator[Violation]:
    """No server error but "come back later", and nobody's work broke."""
    for response, number in account.answers.items():
        status = response.rpartition(" ")[2]
        if status.isdigit() and int(status) >= SERVER_ERROR and int(status) != UNAVAILABLE:
            yield "server error", f"{response}: {number} times"
    for each in account.broken:
        yield "broken act", each


def of_records(product: Product, account: Account, first_scan: str) -> Iterator[Violation]:
    """What was accepted is there once, has ended, and says why where it did not go as asked."""
    accepted = {
        "scans": {*account.scans, first_scan},
        "imports": set(account.imports),
        "remediations": set(account.remediations),
        "exemptions": set(account.exemptions),
    }
    for noun, asked in accepted.items():
        found = listed(product, noun)
        yield from (("lost", f"{noun} {name}") for name in asked - found.keys())
        yield from (("doubled", f"{noun} {name}") for name in found.keys() - asked)
    for name, scan in listed(product, "scans").items():
        if scan["status"] in {"failed", "partial"} and not scan["reason"]:
            yield "unexplained", f"scan {name} is {scan['status']}"
        if scan["status"] == "cancelled" and name not in account.cancelled:
            yield "unexplained", f"scan {name} was cancelled by nobody"
    for name, made in account.exemptions.items():
        yield from _of_exemption(product, name, made)


def _of_exemption(product: Product, name: str, made: Json) -> Iterator[Violation]:
    now = product.get(f"/exemptions/{name}")
    if now["status"] == "active" and datetime.fromisoformat(made["expiresAt"]) < datetime.now(UTC):
        yield "stuck", f"exemption {name} has not expired"
    finding = product.get(f"/findings/{made['finding']}")
    if finding["exemption"] == name and now["status"] != "active" and finding["status"] == "exempt":
        yield "stuck", f"finding {finding['id']} is exempt by {name}, which is {now['status']}"


def of_imports(product: Product, account: Account) -> Iterator[Violation]:
    """Each import reports exactly what its file held, and exactly that is stored."""
    stored: dict[str, set[str]] = defaultdict(set)
    for body in product.documents("resource").values():
        stored[body["subscription"]].add(body["resourceId"].lower())
    for name, sent in account.imports.items():
        found_job = product.get(f"/imports/{name}")
        counts = (found_job["imported"], found_job["errorCount"], found_job["records"])
        if counts != (len(sent.ids), sent.refused, len(sent.ids) + sent.refused):
            yield "miscounted", f"import {name} reports {counts}, sent were {len(sent.ids)} and {sent.refused} bad"
        there = stored[sent.subscription]
        if there != sent.ids:
            yield "lost", f"import {name}: {len(sent.ids - there)} not stored, {len(there - sent.ids)} from nowhere"
        if found_job["status"] != ("partial" if sent.refused else "completed"):
            yield "unexplained", f"import {name} is {found_job['status']}: {found_job['reason']}"


def of_remediations(product: Product, account: Account) -> Iterator[Violation]:
    """Each write belongs to an item, and each item that is done was written once; the others say why."""
    written = Counter(each["id"].lower() for each in product.cloud.writes() if each["source"] != "drift")
    planned: Counter[str] = Counter()
    for name in account.remediations:
        found = product.get(f"/remediations/{name}")
        if found["status"] == "failed" and not found["reason"]:
            yield "unexplained", f"remediation {name} failed"
        for item in items(product, name):
            yield from _of_item(found, item)
            for operation in item["operations"]:
                planned[operation["resourceId"].lower()] += 2 if name in account.rolled_back else 1
    for resource, number in written.items():
        if not planned[resource]:
            yield "unexplained", f"{number} writes to {resource}, which no plan names"


def _of_item(remediation: Json, item: Json) -> Iterator[Violation]:
    told = f"item {item['number']} of remediation {remediation['id']}, which is {remediation['status']}"
    if item["outcome"] == "pending":
        if remediation["status"] not in UNAPPROVED:
            yield "stuck", told
    elif item["outcome"] not in {"done", "rolledBack"} and not item["reason"]:
        yield "unexplained", f"{told}: {item['outcome']}"


def repeated(product: Product, account: Account) -> dict[str, int]:
    """Resources that were written more often than planned. A write that a dying host had begun can land after its
    successor's, where the type has no etag to refuse it by: the same body again."""
    planned: Counter[str] = Counter()
    for name in account.remediations:
        for item in items(product, name):
            for operation in item["operations"]:
                planned[operation["resourceId"].lower()] += 2 if item["outcome"] == "rolledBack" else 1
    written = Counter(each["id"].lower() for each in product.cloud.writes() if each["source"] != "drift")
    return {name: number - planned[name] for name, number in written.items() if number > planned[name] > 0}


def of_estate(product: Product) -> Iterator[Violation]:
    """A scan after all of it finds what a product that starts from nothing finds in the same cloud."""
    scan = product.post("/scans")["id"]
    ended = until(lambda: product.get(f"/scans/{scan}"), lambda now: now["endedAt"], SCAN_SECONDS)
    if ended["gaps"]:
        yield "unexplained", f"the last scan has gaps, although nothing is disturbed: {ended['gaps'][0]}"
    with tempfile.TemporaryDirectory() as folder, Product(Path(folder), cloud=product.cloud) as fresh:
        fresh.scan()
        expected = _attention(fresh)
        subscriptions = {each["subscription"] for each in fresh.documents("resource").values()}
    found = {name: each for name, each in _attention(product).items() if each["subscription"] in subscriptions}
    for name in expected.keys() - found.keys():
        yield "lost", f"finding {name} of {expected[name]['resourceId']}"
    for name in found.keys() - expected.keys():
        yield "doubled", f"finding {name} of {found[name]['resourceId']}, which complies"
    for name in expected.keys() & found.keys():
        if found[name]["status"] != "exempt" and found[name]["state"] != expected[name]["state"]:
            yield "stale", f"finding {name} is {found[name]['state']}, not {expected[name]['state']}"


def _attention(product: Product) -> dict[str, Json]:
    """The findings that are open or exempt."""
    return {name: each for name, each in product.documents("finding").items() if each["status"] != "resolved"}


def of_streams(state: Path) -> Iterator[Violation]:
    """Every document can be made again from the recorded events."""
    with SqliteDocuments(state / "documents.db", indexes=INDEXES) as documents:
        store = _store(documents, state)
        kept = {kind: _bodies(store, kind) for kind in PROJECTED}
        made = rebuilt(store, effective_policy.in_force(store, bootstrap.catalog()))
        for kind, before in kept.items():
            after = _bodies(made, kind)
            different = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
            for name in different:
                yield "not rebuilt", f"{kind} {name}"


def _store(documents: SqliteDocuments, state: Path) -> Store:
    now = lambda: datetime.now(UTC)  # noqa: E731 - the clock
    caller = Caller.system(TENANT)
    return Store(documents=documents, blobs=FileBlobs(state / "blobs"), now=now, caller=caller, correlation="chaos")


def _bodies(store: Store, kind: str) -> dict[str, dict[str, Any]]:
    found = each_document(kind, Query(), documents=store.documents, tenant=TENANT)
    return {each.id: {**each.body, "at": None} for each in found}

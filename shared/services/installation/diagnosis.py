"""Check an installation: stores, the cloud and its permissions, events, queues, timers; in the order to fix them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from shared.domain.diagnosis import DiagnosisCheck, Health
from shared.domain.error import CortexError
from shared.domain.inventory import PermissionCheck
from shared.domain.printable import printable
from shared.domain.rebuild import StoppedStream
from shared.eventstore import projection
from shared.ports.blobs import Blobs
from shared.ports.documents import Documents, Query
from shared.ports.inventory import Inventory, RelatedTypes
from shared.ports.queue import Queue
from shared.services import poison
from shared.services.installation import gauge, heartbeat, permission
from shared.services.scan import scan

TIMERS: Mapping[str, timedelta] = {
    "scan_reconcile": timedelta(minutes=1),
    "remediation_reconcile": timedelta(minutes=1),
    "poison_collect": timedelta(minutes=1),
    "import_reconcile": timedelta(minutes=5),
    "import_expire": timedelta(minutes=5),
    "exemption_expire": timedelta(minutes=5),
    "scan_nightly": timedelta(days=1),
    "alias_refresh": timedelta(days=1),
    "retention_plan": timedelta(days=1),
}
"""Timer function -> how often it runs at most."""
TIMER_TOLERANCE = timedelta(minutes=2)
"""How much later than its period a timer may run, or a tenth of the period; after that it counts as broken."""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far the clocks of two machines may differ; a time further in the future is from a clock that was wrong."""
SCAN_EXPIRY = timedelta(hours=30)
"""Age of the last scan after which its results count as outdated."""
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
COUNTED_MESSAGES = 1000
"""Failed messages that are counted, the newest first."""
_EVENT_REMEDY = (
    "az deployment sub create --subscription ID --location LOCATION --template-file infra/estate/watch.bicep "
    '--parameters storageAccountId="$(azd env get-value STORAGE_ACCOUNT_ID)"'
)
_STORE_REMEDY = "check the app's log, its identity's roles and its network: infra/modules/storage.bicep, cosmos.bicep"
_MESSAGE_REMEDY = "fix what the reason says, then start again what failed; GET /api/v1/poison lists all, newest first"
_CLOCK_REMEDY = "check this machine's clock; once it is right, the next run clears this"
_VERSION_REMEDY = "deploy the version of the app that recorded it; the stream then goes on by itself"
_REBUILD_REMEDY = "see the app's log for the cause; once it is fixed: cortex rebuild"
_ROUTE_REMEDY = (
    "see the app's log for what failed to start, and start `cortex run` again; for a deployed app, check whether it "
    "runs: az functionapp show --query state"
)


def examine(
    *,
    tenant: str,
    documents: Documents,
    blobs: Blobs,
    queue: Queue,
    inventory: Inventory,
    wanted: Callable[[], RelatedTypes],
    at: datetime,
) -> tuple[DiagnosisCheck, ...]:
    """Return what works and what does not. Nothing is changed; a check that fails does not affect the others."""
    stores = [
        _checked("documents", documents.check, _STORE_REMEDY),
        _checked("blobs", blobs.check, _STORE_REMEDY),
        _checked("queue", queue.check, _STORE_REMEDY),
    ]
    # Every other check reads the stores: without them each would fail for the same reason.
    if any(each.health is not Health.OK for each in stores):
        return (*stores, DiagnosisCheck(name="everything else", health=Health.UNKNOWN, detail="fix the stores first"))
    parts: tuple[tuple[str, Callable[[], Iterator[DiagnosisCheck]]], ...] = (
        ("cloud", lambda: _cloud(tenant, inventory, wanted)),
        ("events", lambda: _events(heartbeat.last(documents=documents), at)),
        ("projections", lambda: _projections(documents, tenant)),
        ("queues", lambda: _queues(queue)),
        ("failed messages", lambda: _failed(documents, tenant, at)),
        ("timers", lambda: _timers(documents, tenant, at)),
        ("last scan", lambda: _last_scan(documents, tenant, at)),
    )
    found = stores
    for name, look in parts:
        try:
            found += list(look())  # the list is made before any of it counts: a part that fails has one check
        except CortexError as error:
            found.append(DiagnosisCheck(name=name, health=Health.UNKNOWN, detail=error.message))
    return tuple(found)


def _checked(name: str, probe: Callable[[], None], remedy: str) -> DiagnosisCheck:
    try:
        probe()
    except CortexError as error:
        return DiagnosisCheck(name=name, health=Health.BROKEN, detail=error.message, remedy=remedy)
    return DiagnosisCheck(name=name, health=Health.OK)


def _cloud(tenant: str, inventory: Inventory, wanted: Callable[[], RelatedTypes]) -> Iterator[DiagnosisCheck]:
    """Check the endpoint, the token and the roles: one check for each remedy of what is not allowed."""
    tried = permission.check(tenant=tenant, inventory=inventory, wanted=wanted())
    listing, *calls = tried
    health = Health.OK if listing.allowed else Health.BROKEN
    yield DiagnosisCheck(name="subscriptions", health=health, detail=listing.message, remedy=listing.remedy)
    # Grouped by what fixes it: one role assignment often allows a dozen calls.
    refused: dict[tuple[str, str | None], list[PermissionCheck]] = {}
    for each in calls:
        if not each.allowed:
            refused.setdefault((each.scope.lower().split("/providers/")[0], each.remedy), []).append(each)
    for (scope, remedy), several in refused.items():
        needed = ", ".join(dict.fromkeys(each.permission or each.message for each in several))
        yield DiagnosisCheck(name=f"permissions on {scope}", health=Health.BROKEN, detail=needed, remedy=remedy)
    if calls and not refused:
        yield DiagnosisCheck(name="permissions", health=Health.OK, detail=f"{len(calls)} calls were tried")


def _events(beats: Mapping[str, datetime], at: datetime) -> Iterator[DiagnosisCheck]:
    """Check whether change events arrive; an estate without changes sends none, so their absence proves nothing."""
    latest = beats.get(heartbeat.EVENT_HEARTBEAT)
    if latest is None:
        yield DiagnosisCheck(
            name="events", health=Health.UNKNOWN, detail="no change event has arrived yet", remedy=_EVENT_REMEDY
        )
        return
    health = Health.OK if -CLOCK_TOLERANCE <= at - latest <= _DAY else Health.UNKNOWN
    remedy = None if health is Health.OK else _EVENT_REMEDY
    yield DiagnosisCheck(
        name="events", health=health, detail=f"the last change event arrived {_when(latest, at)}", remedy=remedy
    )


def _projections(documents: Documents, tenant: str) -> Iterator[DiagnosisCheck]:
    """Check whether everything that was recorded is in the documents that lists and pages show."""
    stopped = documents.query(tenant=tenant, kind=projection.STOPPED_KIND, query=Query(), limit=1).items
    gaps = documents.count(tenant=tenant, kind=projection.GAP_KIND, query=Query()).get("", 0)
    if stopped:
        first = StoppedStream.model_validate(stopped[0].body)
        detail = f"{first.stream} stops at event {first.sequence}: {first.type} version {first.version} is not known"
        yield DiagnosisCheck(name="projections", health=Health.BROKEN, detail=detail, remedy=_VERSION_REMEDY)
    elif gaps:
        detail = f"{_number(gaps, 'recorded event')} could not be projected"
        yield DiagnosisCheck(name="projections", health=Health.BROKEN, detail=detail, remedy=_REBUILD_REMEDY)
    else:
        yield DiagnosisCheck(name="projections", health=Health.OK)


def _queues(queue: Queue) -> Iterator[DiagnosisCheck]:
    lengths = {name: queue.length(name) for name in gauge.QUEUES}
    failed = {name: number for name in gauge.QUEUES if (number := queue.length(f"{name}{poison.POISON_QUEUE_SUFFIX}"))}
    yield DiagnosisCheck(name="queues", health=Health.OK, detail=_number(sum(lengths.values()), "waiting message"))
    for name, number in failed.items():
        detail = f"{_number(number, 'message')} failed on every delivery"
        remedy = "see the app's log for the cause; a timer records them and empties the queue within a minute"
        yield DiagnosisCheck(name=f"poison queue of {name}", health=Health.BROKEN, detail=detail, remedy=remedy)


def _failed(documents: Documents, tenant: str, at: datetime) -> Iterator[DiagnosisCheck]:
    """Check the recorded messages that failed on every delivery; those of the last day need a fix."""
    found = [
        each
        for each in poison.latest(documents=documents, tenant=tenant, limit=COUNTED_MESSAGES)
        if each.at >= at - _WEEK
    ]
    newest = {each.queue: each for each in reversed(found)}
    for name, last in newest.items():
        number = sum(each.queue == name for each in found)
        detail = f"{number} in 7 days, the last {_when(last.at, at)}: {printable(last.reason)[:300]}"
        fresh = last.at >= at - _DAY
        health, remedy = (Health.BROKEN, _MESSAGE_REMEDY) if fresh else (Health.OK, None)
        yield DiagnosisCheck(name=f"failed messages of {name}", health=health, detail=detail, remedy=remedy)
    if not found:
        yield DiagnosisCheck(name="failed messages", health=Health.OK, detail="none in 7 days")


def _timers(documents: Documents, tenant: str, at: datetime) -> Iterator[DiagnosisCheck]:
    """Check whether each timer ran in time; one that never ran is late once the installation is old enough."""
    beats = heartbeat.last(documents=documents)
    page = documents.query(tenant=tenant, kind=scan.STREAM.name, query=Query(order="requestedAt"), limit=1)
    first_scan = (datetime.fromisoformat(each.body["requestedAt"]) for each in page.items)
    since = min((*beats.values(), *first_scan), default=at)
    for name, period in TIMERS.items():
        ran = beats.get(name)
        last = "has not run yet" if ran is None else f"last ran {_when(ran, at)}"
        detail = f"{last}; it should run every {_length(period)}"
        late = at - (ran or since) > period + max(TIMER_TOLERANCE, period / 10)
        ahead = ran is not None and ran - at > CLOCK_TOLERANCE
        health = Health.BROKEN if late or ahead else Health.UNKNOWN if ran is None else Health.OK
        remedy = _CLOCK_REMEDY if ahead else _ROUTE_REMEDY if late else None
        yield DiagnosisCheck(name=f"timer {name}", health=health, detail=detail, remedy=remedy)


def _last_scan(documents: Documents, tenant: str, at: datetime) -> Iterator[DiagnosisCheck]:
    age = gauge.last_scan_age(documents, tenant, at)
    if age is None:
        yield DiagnosisCheck(
            name="last scan", health=Health.BROKEN, detail="no scan has ended yet", remedy="cortex scan start"
        )
    else:
        sound = -CLOCK_TOLERANCE <= age <= SCAN_EXPIRY
        health = Health.OK if sound else Health.BROKEN
        detail = f"ended {_when(at - age, at)}"
        yield DiagnosisCheck(
            name="last scan", health=health, detail=detail, remedy=None if sound else "cortex scan start"
        )


def _when(moment: datetime, at: datetime) -> str:
    if moment - at > CLOCK_TOLERANCE:
        return f"at {moment.isoformat(timespec='minutes')}, which is in the future: a clock was wrong"
    return f"{_length(max(at - moment, timedelta(0)))} ago"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _length(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    hours = round(minutes / 60)
    return f"{minutes} min" if minutes < 120 else f"{hours} h" if hours < 72 else f"{length.days} days"  # noqa: PLR2004

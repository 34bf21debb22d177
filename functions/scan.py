"""The triggers of scans: the nightly timer, queues of requests and decisions, the workflow and its activities."""

import contextlib
import logging

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableFunctionsClient
from durabletask.task import OrchestrationContext

from functions import context
from functions.context import ActivityInput, ActivityResult
from functions.delivery import record_failure
from functions.workflow import reconcile, start_workflow
from shared import bootstrap
from shared.domain.error import Conflict, CortexError
from shared.domain.scan import ScanRequest, ScanStatus, ScanTrigger
from shared.eventstore.store import Store
from shared.services.scan import nightly, scan
from shared.workflows import scan as orchestrator
from shared.workflows.wait import DECISION_EVENT, Orchestrator

bp = df.Blueprint()
logger = logging.getLogger(__name__)

ORCHESTRATOR = "scan_workflow"


def instance_id(scan_id: str) -> str:
    """Return the id of a scan's workflow."""
    return f"scan-{scan_id}"


@bp.timer_trigger(arg_name="timer", schedule="%CORTEX_SCAN_SCHEDULE%")
def scan_nightly(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Request a scan of all that has changed for every tenant, every night; a verification every few days."""
    context.for_each_tenant("scan_nightly", _request_scan)


def _request_scan(store: Store) -> None:
    """Request a scan, unless one is running already."""
    ports = context.ports()
    scan_id = ports.new_id()
    with contextlib.suppress(Conflict):
        own = context.system_store(store.tenant, scan_id)
        asked = ScanRequest(mode=nightly.mode(bootstrap.settings().scan, store=own))
        scan.request(scan_id, asked, ScanTrigger.TIMER, store=own, queue=ports.queue)


@bp.queue_trigger(arg_name="asked", queue_name=scan.QUEUE, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
@record_failure(scan.QUEUE)
async def scan_start(asked: func.QueueMessage, client: DurableFunctionsClient) -> None:
    """Start the workflow of a requested scan, unless it is running."""
    given = context.parse_message(asked.get_body())
    await start_workflow(client, ORCHESTRATOR, instance_id(given.id), given.model_dump())


@bp.queue_trigger(arg_name="asked", queue_name=scan.DECISION_QUEUE, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
@record_failure(scan.DECISION_QUEUE)
async def scan_wake(asked: func.QueueMessage, client: DurableFunctionsClient) -> None:
    """Send a cancellation to the workflow, so that it reads the record; start one that is not running."""
    given = context.parse_message(asked.get_body())
    if not await start_workflow(client, ORCHESTRATOR, instance_id(given.id), given.model_dump()):
        await client.raise_orchestration_event(instance_id(given.id), DECISION_EVENT)


@bp.timer_trigger(arg_name="timer", schedule="45 * * * * *")
def scan_reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Reconcile the workflows of scans that have not ended, every minute; those that make progress are left alone."""
    context.for_each_tenant("scan_reconcile", lambda store: reconcile(scan.active(store=store), store))


@bp.orchestration_trigger(context_name="context")
def scan_workflow(context: OrchestrationContext, given: ActivityResult) -> Orchestrator:
    """Run the workflow of one scan."""
    return (yield from orchestrator.scan(context, given))


@bp.activity_trigger(input_name="given")
def scan_look(given: ActivityInput) -> ActivityResult:
    """Return the next step of a scan, from its record."""
    store = context.store_for(given)
    return scan.ahead(scan.find(given["id"], store=store), store=store)


@bp.activity_trigger(input_name="given")
def scan_prepare(given: ActivityInput) -> ActivityResult:
    """List what there is to scan, or record why that is not possible, and until when to wait."""
    store = context.store_for(given)
    try:
        known = scan.prepare(given["id"], store=store, inventory=context.ports().inventory)
    except CortexError as error:
        known = scan.put_off(given["id"], error, store=store)
    return scan.ahead(known, store=store)


@bp.activity_trigger(input_name="given")
def scan_note_slow(given: ActivityInput) -> ActivityResult:
    """Record that the cloud takes long to list its subscriptions."""
    store = context.store_for(given)
    return scan.ahead(scan.note_slow(given["id"], store=store), store=store)


@bp.activity_trigger(input_name="given")
def scan_step(given: ActivityInput) -> ActivityResult:
    """Go on with one subscription for a bounded time."""
    store = context.store_for(given)
    inventory, policies = context.ports().inventory, context.policies(store)
    rhythm = bootstrap.settings().scan
    taken = scan.step(
        given["id"], given["subscription"], store=store, inventory=inventory, policies=policies, rhythm=rhythm
    )
    return dict(taken.to_json())


@bp.activity_trigger(input_name="given")
def scan_abandon(given: ActivityInput) -> ActivityResult:
    """Record why one subscription failed."""
    store = context.store_for(given)
    scan.abandon(given["id"], given["subscription"], given["reason"], store=store, policies=context.policies(store))
    return dict(scan.STEP_DONE.to_json())


@bp.activity_trigger(input_name="given")
def scan_fail(given: ActivityInput) -> ActivityResult:
    """Record why the scan cannot go on."""
    store = context.store_for(given)
    logger.error("scan %s failed: %s", given["id"], given["reason"])
    return scan.ahead(scan.fail(given["id"], given["reason"], store=store), store=store)


@bp.activity_trigger(input_name="given")
def scan_finish(given: ActivityInput) -> ActivityResult:
    """Refresh the summary, add to the trend, and record the end."""
    store = context.store_for(given)
    ended = scan.finish(given["id"], store=store, policies=context.policies(store))
    logger.info(
        "scan %s %s: %d resources in %d subscriptions, %d findings, %d parts not read%s",
        ended.id,
        ended.status,
        ended.resources,
        ended.subscriptions,
        ended.finding_count,
        ended.gap_count,
        f": {ended.reason}" if ended.status is ScanStatus.FAILED else "",
    )
    return scan.ahead(ended, store=store)

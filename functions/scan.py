"""The doors of scans: the nightly timer, the request queue, the workflows with their activities, the reconciler."""

from typing import Any

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableFunctionsClient
from durabletask.task import OrchestrationContext

from functions import context
from functions.context import Given
from functions.workflow import begin
from shared.domain.error import Conflict, Throttled, Unavailable
from shared.domain.scan import ScanRequest, Status, Trigger
from shared.services import message, scan
from shared.workflows import scan as plot

bp = df.Blueprint()

Answer = dict[str, Any]


@bp.timer_trigger(arg_name="timer", schedule="%CORTEX_SCAN_SCHEDULE%")
def scan_nightly(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Every night: ask for a scan of everything; when one is running already, it will do."""
    ports = context.ports()
    scan_id = ports.new_id()
    store = context.store(context.tenant(), scan_id)
    try:
        scan.request(scan_id, ScanRequest(), Trigger.TIMER, store=store, queue=ports.queue)
    except Conflict:
        return


@bp.queue_trigger(arg_name="asked", queue_name=scan.QUEUE, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
async def scan_start(asked: func.QueueMessage, client: DurableFunctionsClient) -> None:
    """A scan was requested: start its workflow under its id, unless it runs already."""
    given = context.read(asked.get_body())
    await begin(client, "scan_workflow", f"scan-{given.id}", given.model_dump())


@bp.timer_trigger(arg_name="timer", schedule="45 * * * * *", run_on_startup=True)
def scan_reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Every minute, and on start: send the unfinished scans on their way again; those on their way do not mind."""
    ports = context.ports()
    store = context.store(context.tenant(), "reconcile")
    for each in scan.active(store=store):
        ports.queue.send(scan.QUEUE, message.write(context.store(store.tenant, each.correlation), each.id))


@bp.orchestration_trigger(context_name="context")
def scan_workflow(context: OrchestrationContext, given: Answer) -> plot.Plot:
    """One scan."""
    return (yield from plot.scan(context, given))


@bp.orchestration_trigger(context_name="context")
def scan_subscription_workflow(context: OrchestrationContext, given: Answer) -> plot.Plot:
    """One subscription of a scan."""
    return (yield from plot.subscription(context, given))


@bp.activity_trigger(input_name="given")
def scan_prepare(given: Given) -> Answer:
    """What there is to scan: {"subscriptions": […], "wait": seconds, "reason": why to wait}."""
    store = context.store_for(given)
    try:
        todo = scan.prepare(given["id"], store=store, inventory=context.ports().inventory)
    except (Throttled, Unavailable) as error:
        return {"subscriptions": [], "wait": error.retry_after, "reason": error.message}
    return {"subscriptions": todo, "wait": 0, "reason": ""}


@bp.activity_trigger(input_name="given")
def scan_step(given: Given) -> Answer:
    """Go on with one subscription for a while."""
    store = context.store_for(given)
    step = scan.step(
        given["id"],
        given["subscription"],
        given["failures"],
        store=store,
        inventory=context.ports().inventory,
        book=context.book(store),
    )
    return dict(step.to_json())


@bp.activity_trigger(input_name="given")
def scan_abandon(given: Given) -> None:
    """One subscription failed: record why."""
    store = context.store_for(given)
    scan.abandon(given["id"], given["subscription"], given["reason"], store=store, book=context.book(store))


@bp.activity_trigger(input_name="given")
def scan_runs(given: Given) -> bool:
    """Whether the scan is to go on."""
    return scan.find(given["id"], store=context.store_for(given)).status == Status.RUNNING


@bp.activity_trigger(input_name="given")
def scan_fail(given: Given) -> str:
    """The scan cannot go on: record why."""
    return scan.fail(given["id"], given["reason"], store=context.store_for(given)).status


@bp.activity_trigger(input_name="given")
def scan_finish(given: Given) -> str:
    """Summary, trend, end."""
    store = context.store_for(given)
    return scan.finish(given["id"], store=store, book=context.book(store)).status


@bp.queue_trigger(arg_name="asked", queue_name=f"{scan.QUEUE}-poison", connection="AzureWebJobsStorage")
def scan_poison(asked: func.QueueMessage) -> None:
    """A request that could not be started, after all tries: the scan has failed, and says so."""
    given = context.read(asked.get_body())
    store = context.store(given.tenant, given.correlation)
    scan.fail(given.id, "its workflow could not be started", store=store)

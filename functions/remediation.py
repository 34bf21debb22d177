"""The doors of remediations: the request queue, the bell, the workflow with its activities, the reconciler."""

from functools import partial
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableFunctionsClient
from durabletask.task import OrchestrationContext

from functions import context
from functions.context import Given
from functions.workflow import begin
from shared.domain.error import Throttled, Unavailable
from shared.domain.remediation import Status
from shared.services import execution, judgement, message, plan, remediation
from shared.services.estate import Store
from shared.services.execution import Judge
from shared.workflows import remediation as plot

bp = df.Blueprint()

Answer = dict[str, Any]


def instance(remediation_id: str) -> str:
    """The id of a remediation's workflow."""
    return f"remediation-{remediation_id}"


@bp.queue_trigger(arg_name="asked", queue_name=remediation.QUEUE, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
async def remediation_start(asked: func.QueueMessage, client: DurableFunctionsClient) -> None:
    """A remediation was requested, or is to be rolled back: start its workflow, unless it runs already."""
    given = context.read(asked.get_body())
    await begin(client, "remediation_workflow", instance(given.id), given.model_dump())


@bp.queue_trigger(arg_name="asked", queue_name=remediation.BELL, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
async def remediation_ring(asked: func.QueueMessage, client: DurableFunctionsClient) -> None:
    """Somebody decided: tell the workflow to look at the record; one that does not run is started and looks itself."""
    given = context.read(asked.get_body())
    if not await begin(client, "remediation_workflow", instance(given.id), given.model_dump()):
        await client.raise_orchestration_event(instance(given.id), plot.BELL)


@bp.timer_trigger(arg_name="timer", schedule="15 * * * * *", run_on_startup=True)
def remediation_reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Every minute, and on start: send what is unfinished on its way again; those on their way do not mind."""
    ports = context.ports()
    tenant = context.tenant()
    for each in remediation.active(store=context.store(tenant, "reconcile")):
        queue = remediation.BELL if each.status == Status.APPROVED else remediation.QUEUE
        ports.queue.send(queue, message.write(context.store(tenant, each.correlation), each.id))


@bp.orchestration_trigger(context_name="context")
def remediation_workflow(context: OrchestrationContext, given: Answer) -> plot.Plot:
    """One remediation."""
    return (yield from plot.remediate(context, given))


@bp.activity_trigger(input_name="given")
def remediation_look(given: Given) -> Answer:
    """What the record says is next."""
    store = context.store_for(given)
    return remediation.ahead(remediation.look(given["id"], store=store), store=store)


@bp.activity_trigger(input_name="given")
def remediation_plan(given: Given) -> Answer:
    """Plan, or wait for as long as the cloud asks."""
    store, ports = context.store_for(given), context.ports()
    try:
        planned = plan.make(
            given["id"], store=store, control=ports.control, inventory=ports.inventory, book=context.book(store)
        )
    except (Throttled, Unavailable) as error:
        return remediation.ahead(remediation.find(given["id"], store=store), store=store, wait=error.retry_after)
    return remediation.ahead(planned, store=store)


@bp.activity_trigger(input_name="given")
def remediation_apply(given: Given) -> Answer:
    """The next operation of an item."""
    store = context.store_for(given)
    wait = execution.apply(given["id"], given["item"], store=store, control=context.ports().control)
    return _ahead(given, store, wait)


@bp.activity_trigger(input_name="given")
def remediation_verify(given: Given) -> Answer:
    """Read an item again, judge it again."""
    store = context.store_for(given)
    wait = execution.verify(
        given["id"], given["item"], store=store, control=context.ports().control, judge=_judge(store)
    )
    return _ahead(given, store, wait)


@bp.activity_trigger(input_name="given")
def remediation_restore(given: Given) -> Answer:
    """Put an item back."""
    store = context.store_for(given)
    wait = execution.restore(
        given["id"], given["item"], store=store, control=context.ports().control, judge=_judge(store)
    )
    return _ahead(given, store, wait)


@bp.activity_trigger(input_name="given")
def remediation_give_up(given: Given) -> Answer:
    """A step keeps failing: record it."""
    store = context.store_for(given)
    known = remediation.give_up(given["id"], given["item"], given["reason"], store=store)
    return remediation.ahead(known, store=store)


@bp.activity_trigger(input_name="given")
def remediation_finish(given: Given) -> Answer:
    """Record the end."""
    store = context.store_for(given)
    return remediation.ahead(remediation.finish(given["id"], store=store, book=context.book(store)), store=store)


@bp.queue_trigger(arg_name="asked", queue_name=f"{remediation.QUEUE}-poison", connection="AzureWebJobsStorage")
def remediation_poison(asked: func.QueueMessage) -> None:
    """A request that could not be started, after all tries: the remediation has failed, and says so."""
    given = context.read(asked.get_body())
    store = context.store(given.tenant, given.correlation)
    remediation.give_up(given.id, None, "its workflow could not be started", store=store)


def _judge(store: Store) -> Judge:
    return partial(judgement.judge_resource, store=store, inventory=context.ports().inventory, book=context.book(store))


def _ahead(given: Given, store: Store, wait: float) -> Answer:
    return remediation.ahead(remediation.find(given["id"], store=store), store=store, wait=wait)

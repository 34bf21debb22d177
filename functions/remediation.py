"""The triggers of remediations: queues of requests and decisions, the workflow and its activities, the reconciler."""

import asyncio
import logging
from functools import partial

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableFunctionsClient
from durabletask.task import OrchestrationContext

from functions import context
from functions.context import ActivityInput, ActivityResult
from functions.delivery import record_failure
from functions.workflow import reconcile, start_workflow
from shared.services.estate import judgement
from shared.services.remediation import approval, ending, execution, plan, progress, query, record, rollback
from shared.workflows import remediation as orchestrator
from shared.workflows.wait import DECISION_EVENT, Orchestrator

bp = df.Blueprint()
logger = logging.getLogger(__name__)


def instance_id(remediation_id: str) -> str:
    """Return the id of a remediation's workflow."""
    return f"remediation-{remediation_id}"


@bp.queue_trigger(arg_name="asked", queue_name=record.QUEUE, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
@record_failure(record.QUEUE)
async def remediation_start(asked: func.QueueMessage, client: DurableFunctionsClient) -> None:
    """Start the workflow of a remediation that was requested or is to be rolled back, unless it is running.

    One that runs may be about to end, and look no more: a rollback comes again until it is seen to.
    """
    given = context.parse_message(asked.get_body())
    if not await start_workflow(client, "remediation_workflow", instance_id(given.id), given.model_dump()):
        store = context.store_for(given.model_dump())
        await asyncio.to_thread(rollback.send_again, given.id, store=store, queue=context.ports().queue)


@bp.queue_trigger(arg_name="asked", queue_name=record.DECISION_QUEUE, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
@record_failure(record.DECISION_QUEUE)
async def remediation_wake(asked: func.QueueMessage, client: DurableFunctionsClient) -> None:
    """Send a decision to the workflow, so that it reads the record; start one that is not running."""
    given = context.parse_message(asked.get_body())
    if not await start_workflow(client, "remediation_workflow", instance_id(given.id), given.model_dump()):
        await client.raise_orchestration_event(instance_id(given.id), DECISION_EVENT)


@bp.timer_trigger(arg_name="timer", schedule="15 * * * * *")
def remediation_reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Reconcile the workflows of remediations that have not ended, every minute."""
    context.for_each_tenant("remediation_reconcile", lambda store: reconcile(query.active(store=store), store))


@bp.orchestration_trigger(context_name="context")
def remediation_workflow(context: OrchestrationContext, given: ActivityResult) -> Orchestrator:
    """Run the workflow of one remediation."""
    return (yield from orchestrator.remediate(context, given))


@bp.activity_trigger(input_name="given")
def remediation_look(given: ActivityInput) -> ActivityResult:
    """Return the next step of a remediation, from its record."""
    store = context.store_for(given)
    return progress.ahead(approval.look(given["id"], store=store), store=store)


@bp.activity_trigger(input_name="given")
def remediation_plan(given: ActivityInput) -> ActivityResult:
    """Plan the next items, or record how long the cloud asks to wait."""
    store, ports = context.store_for(given), context.ports()
    planned = plan.make(
        given["id"], store=store, control=ports.control, inventory=ports.inventory, policies=context.policies(store)
    )
    return progress.ahead(planned, store=store)


@bp.activity_trigger(input_name="given")
def remediation_execute(given: ActivityInput) -> ActivityResult:
    """Apply the next items of an approved plan, or roll them back."""
    store, ports = context.store_for(given), context.ports()
    policies = context.policies(store)
    judge = partial(judgement.judge_resource, store=store, inventory=ports.inventory, policies=policies)
    executed = execution.execute(given["id"], store=store, control=ports.control, policies=policies, judge=judge)
    return progress.ahead(executed, store=store)


@bp.activity_trigger(input_name="given")
def remediation_give_up(given: ActivityInput) -> ActivityResult:
    """Record that a step keeps failing."""
    store = context.store_for(given)
    return progress.ahead(ending.give_up(given["id"], given["reason"], store=store), store=store)


@bp.activity_trigger(input_name="given")
def remediation_finish(given: ActivityInput) -> ActivityResult:
    """Record the end of a remediation."""
    store = context.store_for(given)
    ended = ending.finish(given["id"], store=store, policies=context.policies(store))
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in ended.counts.items() if number)
    logger.info("remediation %s %s: %s", ended.id, ended.status, outcomes or "nothing was changed")
    return progress.ahead(ended, store=store)

"""The triggers of retention: every day each tenant is cleaned up, a bounded batch at a time."""

import logging
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func
from azure.durable_functions import DurableFunctionsClient
from durabletask.client import OrchestrationStatus

from functions import context
from functions.delivery import record_failure
from shared import bootstrap
from shared.services.retention import retention

bp = df.Blueprint()

ENDED_STATUSES = [OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED, OrchestrationStatus.TERMINATED]

logger = logging.getLogger(__name__)


@bp.timer_trigger(arg_name="timer", schedule="0 10 4 * * *")
def retention_plan(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the timer says only that it is time
    """Request the removal of what every tenant has kept for long enough, once a day."""
    queue = context.ports().queue
    context.for_each_tenant("retention_plan", lambda store: retention.request(store=store, queue=queue))


@bp.queue_trigger(arg_name="asked", queue_name=retention.QUEUE, connection="AzureWebJobsStorage")
@record_failure(retention.QUEUE)
def retention_run(asked: func.QueueMessage) -> None:
    """Remove what a tenant has kept for long enough, for a bounded time."""
    given = context.parse_message(asked.get_body())
    store = context.system_store(given.tenant, given.correlation)
    retention.run(store=store, retention=bootstrap.settings().retention, queue=context.ports().queue)


@bp.timer_trigger(arg_name="timer", schedule="0 40 4 * * *")
@bp.durable_client_input(client_name="client")
async def retention_purge(timer: func.TimerRequest, client: DurableFunctionsClient) -> None:  # noqa: ARG001 - as above
    """Purge the histories of ended workflows from the task hub, once a day; their records say what they did.

    Source: Durable Functions, "Manage instances in Durable Functions in Azure", "Purge instance history".
    """
    days = bootstrap.settings().retention.histories
    if days:
        before = context.ports().now() - timedelta(days=days)
        purged = await client.purge_orchestrations_by(created_time_to=before, runtime_status=ENDED_STATUSES)
        logger.info("the histories of %d workflows were removed", purged.deleted_instance_count)

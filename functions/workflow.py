"""Workflows of any kind: started once under their id, supervised by a timer, restarted when they are stuck."""

import asyncio
from collections.abc import Iterable
from datetime import UTC
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import grpc  # type: ignore[import-untyped]  # it ships no types
from azure.durable_functions import DurableFunctionsClient
from durabletask.client import OrchestrationState, OrchestrationStatus

from functions import context
from functions.delivery import record_failure
from shared.domain.error import Unavailable
from shared.eventstore.store import Store
from shared.services import reconciliation
from shared.services.reconciliation import ReconciledRecord

bp = df.Blueprint()

ACTIVE_STATUSES = (OrchestrationStatus.PENDING, OrchestrationStatus.RUNNING, OrchestrationStatus.SUSPENDED)
TERMINATION_SECONDS = 10


async def start_workflow(client: DurableFunctionsClient, name: str, instance_id: str, given: dict[str, Any]) -> bool:
    """Start a workflow unless one is active under its id, and return whether it was started.

    An ended one is replaced. Of two starts of one id at the same time, one starts it.
    """
    state = await client.get_orchestration_state(instance_id)
    if state is not None and state.runtime_status in ACTIVE_STATUSES:
        return False
    if state is not None:
        await client.purge_orchestration(instance_id)
    try:
        await client.schedule_new_orchestration(name, input=given, instance_id=instance_id)
    except grpc.RpcError as error:
        # Somebody else has started it since its state was read.
        if error.code() == grpc.StatusCode.ALREADY_EXISTS:
            return False
        raise
    return True


def reconcile(records: Iterable[ReconciledRecord], store: Store) -> None:
    """Supervise the workflow of each record; an error with one does not affect the others."""
    for each in records:
        with context.log_errors(f"reconciling {reconciliation.instance(each)}", store.tenant):
            own = context.system_store(store.tenant, each.correlation)
            reconciliation.reconcile(each, store=own, queue=context.ports().queue, policies=context.policies)


@bp.queue_trigger(arg_name="asked", queue_name=reconciliation.RESTART_QUEUE, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
@record_failure(reconciliation.RESTART_QUEUE)
async def workflow_restart(asked: func.QueueMessage, client: DurableFunctionsClient) -> None:
    """End a stuck workflow and start it again under its id.

    The message comes at least once: a workflow that was started after it was sent is left alone.
    """
    message = context.parse_message(asked.get_body())
    known = await asyncio.to_thread(reconciliation.find, message.id, store=context.store_for(message.model_dump()))
    state = await client.get_orchestration_state(message.id)
    if state and _is_newer(state, known):
        return
    if state and state.runtime_status in ACTIVE_STATUSES:
        await _terminate(client, message.id)
    given = {**message.model_dump(), "id": known.id}
    await start_workflow(client, f"{message.id.partition('-')[0]}_workflow", message.id, given)


def _is_newer(state: OrchestrationState, known: ReconciledRecord) -> bool:
    created = state.created_at if state.created_at.tzinfo else state.created_at.replace(tzinfo=UTC)
    return known.restarted_at is None or created >= known.restarted_at


async def _terminate(client: DurableFunctionsClient, instance_id: str) -> None:
    """Terminate a workflow and wait for it; Unavailable, so that the message comes again, when it takes too long."""
    await client.terminate_orchestration(instance_id, output="the workflow was stuck and is restarted")
    try:
        await client.wait_for_orchestration_completion(instance_id, timeout=TERMINATION_SECONDS)
    except TimeoutError:
        raise Unavailable(f"workflow {instance_id} does not end; this is tried again") from None
